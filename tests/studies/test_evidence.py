"""The commands behind the evidence of the shipped formulas have today's options."""

import shlex

import pytest
import typer

from eznas import cli  # noqa: F401  (registers the commands)
from eznas.cli.app import app
from eznas.proxies.loading import load
from tests.studies.evidence import COMMANDS, FORMULAS


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
