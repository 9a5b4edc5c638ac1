"""The commands behind the evidence of the shipped formulas have today's options."""

import json
import shlex

import pytest
import typer

from eznas import cli  # noqa: F401  (registers the commands)
from eznas.cli.app import app
from eznas.proxies.loading import load
from tests.studies.evidence import COMMANDS, FORMULAS, TREE

FOLDER = TREE / "runs" / "evidence"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_todays_options(name):
    words, command = shlex.split(COMMANDS[name]), typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    used = {word for word in words if word.startswith("--")}
    assert used | {"--save"} <= options


def test_the_formulas_are_those_that_ship():
    names = {load(alias).name for alias in ("default", "default_nasbench201")}
    assert names == set(FORMULAS.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_made_is_committed_and_shown(name):
    """By that command, and on the page; a comparison of searches stands on theirs."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert shlex.split(content["command"])[1:] == shlex.split(COMMANDS[name])
    assert f"\n## {name}\n" in (FOLDER / "README.md").read_text(encoding="utf-8")
