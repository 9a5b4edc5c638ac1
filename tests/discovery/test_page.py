"""The page that a run ends with, and the command on it that makes the run again."""

import shlex

import pytest

from eznas.discovery.config import PRESETS, command_of, read, setting
from eznas.discovery.run import evolve, page_of, resume
from eznas.system.folder import RunFolder
from tests.discovery.tiny_run import Interrupts, tiny


def read_command(command):
    """The configuration that a command begins a run with."""
    words = iter(shlex.split(command)[2:])
    preset, settings = None, {}
    for flag, text in zip(words, words, strict=True):
        if flag == "--preset":
            preset = text
        elif flag == "--set":
            key, value = setting(text)
            settings[key] = value
        elif flag == "--seed":
            settings["evolution.seed"] = int(text)
        elif flag in ("--statistics", "--primitives"):
            settings[flag.removeprefix("--")] = text
        elif flag == "--seed-formula":
            settings["seed_formulas"] = (*settings.get("seed_formulas", ()), f"+{text}")
        else:
            key = {"--tasks": "tasks", "--hold-out": "evidence.hold_out"}[flag]
            settings[key] = (*settings.get(key, ()), text)
    return read(preset=preset, settings=settings)


@pytest.mark.parametrize(
    "configuration",
    [
        tiny(),
        tiny(tasks=("nasbench201", "nasbench-macro"), hold_out=("nasbench101",), patience=3),
        *(read(preset=preset, settings={"seed": 7}) for preset in PRESETS),
        read(preset="paper", settings={"selection": "lexicase", "images": "a b.npz"}),
        read(settings={"seed_formulas": ["-1.0 * log(params)", "it's"]}),
        read(
            settings={
                "seed_formulas": ["+-1.0 * log(params)"],
                "statistics": ["-params", "+weight"],
            }
        ),
        read(
            settings={"statistics": "params,weight", "primitives": "-max", "complexity": {"log": 2}}
        ),
    ],
)
def test_the_command_gives_the_same_configuration(configuration):
    assert read_command(command_of(configuration)) == configuration


def test_the_command_is_as_short_as_it_can_be():
    assert command_of(read()) == "eznas evolve --seed 1"
    assert command_of(read(preset="paper")) == "eznas evolve --preset paper --seed 1"


def test_changed_lists_are_said_by_their_changes():
    changed = {
        "primitives": "-max,-min",
        "statistics": "+weight",
        "seed_formulas": ["+log(params)"],
    }
    command = "eznas evolve --seed 1 --statistics +weight --primitives -min,-max"
    assert command_of(read(settings=changed)) == f"{command} --seed-formula 'log(params)'"


@pytest.mark.usefixtures("tiny_networks_ship")
def test_a_run_ends_with_a_page(home):
    result = evolve(tiny(generations=1), name="mine", watcher=Interrupts(after=0))
    page = home / "runs" / "mine" / "README.md"
    assert "It was stopped: SIGINT." in page.read_text()
    assert "Tested on" not in page.read_text()
    result = resume("mine")
    text = page.read_text()
    assert text == page_of(RunFolder(home / "runs" / "mine"))
    assert text.startswith("# mine\n\nA search on nasbench201/ImageNet16-120, seed 1: ")
    assert f"{result.evaluations:,} formulas in {result.seconds:,.0f} s" in text
    assert f"```\n{result.formula}\n```" in text
    assert "Tested on 16 networks (held-out part), validation accuracy on ImageNet16-120" in text
    assert "| `champion` | ImageNet16-120 |" in text
    assert text.index("champion's lead [95 %]") < text.index("## In full")
    assert "| `champion` minus | data set |" in text
    assert (
        "```sh\neznas evolve --preset short --tasks nasbench201/ImageNet16-120 --seed 1 --s" in text
    )
