"""`eznas guide`: pages listed and shown; and the README's one screen."""

import io
import json
import re
import tomllib

import pytest
from rich.console import Console
from typer.main import get_command

from eznas.cli import guide as command
from eznas.cli.app import app
from tests.cli.calls import answer, call, complaint
from tests.guide.pages import GUIDE, PAGES, README, ROOT


def test_every_page_is_a_topic():
    assert sorted(f"{topic}.md" for topic in PAGES) == sorted(p.name for p in GUIDE.glob("*.md"))


def test_pages_come_with_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["eznas"]
    packaged = {path for pattern in patterns for path in (ROOT / "eznas").glob(pattern)}
    assert set(GUIDE.glob("*")) <= packaged


def test_without_a_topic_it_lists_them():
    outcome = call("guide")
    assert outcome.code == 0
    for topic, path in PAGES.items():
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert re.search(rf"^{topic} +{re.escape(title)}$", outcome.out, re.MULTILINE)
    assert [row["topic"] for row in answer("guide")["topics"]] == list(PAGES)


@pytest.mark.parametrize("topic", PAGES)
def test_a_page_is_plain_text_where_there_is_no_terminal(topic):
    text = answer("guide", topic)["text"]
    assert call("guide", topic).out == text
    assert "<!--" not in text
    lines = PAGES[topic].read_text(encoding="utf-8").splitlines()
    assert text.splitlines() == [line for line in lines if not line.startswith("<!--")]


@pytest.mark.parametrize("topic", PAGES)
def test_a_page_fits_into_a_terminal(topic, monkeypatch):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    monkeypatch.setattr(command, "out", console)
    assert call("guide", topic).code == 0
    shown = re.sub(r"\x1b(?:\[[\d;]*m|\][^\x1b]*\x1b\\)", "", screen.getvalue())
    assert "<br>" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_an_unknown_topic_is_one_line_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complaint("guide", "evolv") == "unknown guide topic 'evolv'; did you mean 'evolve'?"


def test_every_command_is_in_the_first_hour():
    text = PAGES["first-hour"].read_text(encoding="utf-8")
    names = [c.name or c.callback.__name__ for c in app.registered_commands]
    names += [group.name for group in app.registered_groups]
    assert len(names) > 10
    assert not [name for name in names if f"| `eznas {name}" not in text]


def test_the_readme_is_one_screen():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 110
    assert len(text) <= 9_000


@pytest.mark.parametrize(
    ("marker", "end"), [("evolve", "eznas evolve"), ("tests", "-m pytest -n auto")]
)
def test_its_two_commands_are_marked(marker, end):
    [block] = re.findall(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", README.read_text(), re.DOTALL)
    assert block.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert block.endswith(end)
    assert "\n" not in block


def test_json_of_a_page_is_json():
    assert json.loads(call("guide", "speed", "--json").out)["topic"] == "speed"


RUNS = (ROOT / "runs" / "README.md", *ROOT.glob("runs/*/R*.md"))
TEXTS = {str(path.relative_to(ROOT)): path for path in (README, *PAGES.values(), *RUNS)}
_IN_TEXT = re.compile(r"`eznas ([^`]*)`")
_IN_A_BLOCK = re.compile(r"^(?:\$ )?eznas ((?:[^\n#|]*\\\n)*[^\n#|]*)", re.MULTILINE)


@pytest.mark.parametrize("name", TEXTS)
def test_options_that_are_named_exist(name):
    text, unknown = TEXTS[name].read_text(encoding="utf-8"), []
    for written in (*_IN_TEXT.findall(text), *_IN_A_BLOCK.findall(text)):
        words, command = written.split(), get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        any_of = [command, *getattr(command, "commands", {}).values()]  # of `search METHOD`
        known = {"--help"}.union(*(option.opts for one in any_of for option in one.params))
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        unknown += [f"eznas {written}: {option}" for option in options if option not in known]
    assert not unknown
