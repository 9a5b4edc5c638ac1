"""`eznas compare` and `eznas calibrate`: what is printed, exit codes, bad input."""

import sys

import pytest

from eznas.proxies.aliases import ALIASES
from tests.cli.calls import CONVOLUTIONS, NOTHING, POOLS, answer, call, complaint

MODULE = """
from torch import nn

def net(width):
    print("made")
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9 * width, 4))

def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 4))
"""
SIZE = ("--input", "1,5,5")


@pytest.fixture(autouse=True)
def module(folder):
    rows = [f"widths:net({width}),{width + width % 3}" for width in range(6, 28)]
    (folder / "widths.py").write_text(MODULE)
    (folder / "widths.csv").write_text("\n".join(["model,accuracy", *rows, "widths:linear,1"]))
    yield
    sys.modules.pop("widths", None)


def test_own_models_are_calibrated_and_compared(folder):
    command = ("calibrate", "naswot", "--models", "widths.csv", *SIZE, "--workers", "1")
    outcome = call(*command, "-o", "widths.json")
    assert (outcome.code, outcome.err.count("made") > 20) == (0, True)
    assert "naswot on 22 models of widths.csv, 1 without a finite score left out" in outcome.out
    assert outcome.out.endswith("widths.json: written\n")
    assert (folder / "widths.json").exists()
    assert complaint(*command, "-o", "widths.json").startswith("widths.json: exists already")
    assert answer(*command, "-o", "widths.json", "--force")["networks"] == 22

    models = ("compare", "widths:net(7)", "widths:net(24)", "--proxy", "naswot", *SIZE)
    outcome = call(*models, "--calibration", "widths.json")
    assert outcome.code == 0
    text = " ".join(outcome.out.split())
    assert "deviations probability of being more accurate: " in text
    assert "it holds for models like those of widths.csv (given accuracy)" in text
    content = answer(*models, "--calibration", "widths.json")
    assert content["better"] == "widths:net(24)"
    assert 0.5 < content["probabilities"]["accuracy"] <= 0.99
    text = " ".join(call(*models).out.split())
    assert "not known; naswot is calibrated nowhere yet; `eznas calibrate naswot --models" in text


def test_the_usual_proxy_is_named_with_its_reason():
    outcome = call("compare", CONVOLUTIONS, POOLS, "--initialisations", "1")
    assert outcome.err == f"eznas: {ALIASES['default'].note}\n"
    assert "over 1 initialisation\n" in outcome.out
    assert "being more accurate: not known" in outcome.out
    assert f"first   {CONVOLUTIONS[:20]}" in outcome.out


@pytest.mark.usefixtures("in_full")
def test_a_calibrated_proxy_gives_a_probability():
    options = ("--initialisations", "1", "--proxy", "flops")
    outcome = call("compare", CONVOLUTIONS, POOLS, *options)
    assert outcome.err == ""
    assert "being more accurate: 0.99 on cifar10, at least 0.99 on cifar100\n" in outcome.out
    assert "it holds for networks of nasbench201 (validation accuracy)\n" in outcome.out
    assert f"first   {CONVOLUTIONS[:20]}" in outcome.out


def test_a_model_without_a_score_is_exit_code_1():
    command = ("compare", "widths:linear", "widths:net(3)", "--proxy", "naswot", *SIZE)
    outcome = call(*command)
    assert outcome.code == 1
    text = " ".join(outcome.out.split())
    assert "better: not known, the scores are equal or undefined" in text
    lowest = call("compare", NOTHING, POOLS, "--proxy", "live_naswot", "--initialisations", "1")
    assert lowest.code == 1
    assert "better: the second" in lowest.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", POOLS], ["Missing argument 'MODEL'"]),
        (["compare", POOLS, POOLS], ["two different ones"]),
        (["compare", POOLS, "nowhere:net"], ["nowhere"]),
        (["compare", POOLS, NOTHING, "--proxy", "mecco"], ["did you mean 'meco'"]),
        (["compare", POOLS, NOTHING, "--calibration", "none.json"], ["none.json"]),
        (
            ["compare", POOLS, NOTHING, "--initialisations", "0"],
            ["--initialisations", "greater than or equal to 1"],
        ),
        (["calibrate", "params"], ["Missing option", "--output"]),
        (["calibrate", "prams", "-o", "a.json"], ["did you mean 'params'"]),
        (["calibrate", "params", "-o", "a.json", "--networks", "few"], ["'few'", "a number"]),
        (["calibrate", "params", "-o", "no/a.json", "--networks", "20"], ["no/a.json"]),
        (["calibrate", "params", "-o", "a.json", "--space", "naap"], ["did you mean 'naap440'"]),
    ],
)
def test_bad_input_is_one_line(arguments, words):
    text = complaint(*arguments)
    assert all(word in text for word in words), text
