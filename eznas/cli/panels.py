"""The first screen of help: which commands stand together, in which order, each in a sentence."""

import inspect
import re

import typer
from typer.models import CommandInfo

PANELS = {
    "Score models": ("score", "compare", "proxies", "show", "explain", "export"),
    "Evolve a proxy": ("init", "evolve", "resume", "ls", "watch", "front", "report"),
    "Measure proxies": (
        *("correlate", "arena", "final", "combine", "agreement", "features"),
        *("yardsticks", "ablation", "calibrate", "speed", "vocabulary"),
    ),
    "Predict and search": (
        *("predictors", "predict", "budgets", "search", "split", "split-quality", "supernet"),
    ),
    "Help, and data": ("guide", "doctor", "data", "records"),
}


def arrange(app: typer.Typer) -> None:
    """Put the commands of an application into the panels, in their order."""
    places = {name: (panel, i) for panel, names in PANELS.items() for i, name in enumerate(names)}
    for group in app.registered_groups:
        group.rich_help_panel = places[str(group.name)][0]
    for command in app.registered_commands:
        command.rich_help_panel = places[_name(command)][0]
        text = " ".join((inspect.getdoc(command.callback) or "").split())
        command.short_help = re.split(r"(?<=\.)\s", text)[0]
    app.registered_commands.sort(key=lambda command: [*places].index(_name(command)))


def _name(command: CommandInfo) -> str:
    return str(command.name or getattr(command.callback, "__name__", ""))
