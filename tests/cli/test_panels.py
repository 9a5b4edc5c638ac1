"""The first screen of help: every command in one panel, in a sentence."""

from eznas.cli.app import app
from eznas.cli.panels import PANELS
from tests.cli.calls import call


def test_every_command_stands_in_one_panel():
    named = [name for names in PANELS.values() for name in names]
    commands = {c.name or c.callback.__name__ for c in app.registered_commands}
    assert sorted(named) == sorted(commands | {group.name for group in app.registered_groups})


def test_help_shows_the_panels_in_order_with_whole_sentences():
    text = call("--help").out
    places = [text.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert "New here: `eznas guide first-hour`." in text
    for names in PANELS.values():
        assert [n for n in names if f"│ {n} " in text] == list(names)
    for command in app.registered_commands:
        assert command.short_help.endswith(".")
        assert "\n" not in command.short_help
