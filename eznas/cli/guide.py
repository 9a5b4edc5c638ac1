"""The command that shows the user guide: Markdown pages that come with the package."""

import re
from importlib.resources import files
from typing import Annotated, Any

import typer
from rich.markdown import Markdown

from eznas.cli.app import app, emit, line, out
from eznas.cli.options import AsJson
from eznas.errors import unknown

TOPICS = (  # in the order in which a newcomer reads them
    "concepts",
    "first-hour",
    "evolve",
    "score",
    "formulas",
    "own-models",
    "spaces-and-data",
    "predict",
    "search",
    "latent",
    "supernets",
    "extend",
    "evidence",
    "evidence-runs",
    "evidence-nasbench201",
    "evidence-spaces",
    "evidence-features",
    "evidence-published",
    "speed",
    "reliability",
    "architecture",
)
_MARKER = re.compile(r"^<!--.*-->\n", re.MULTILINE)  # what the tests of the guide read


def page(topic: str) -> str:
    """The Markdown of a page; `InputError` for an unknown topic names the nearest."""
    if topic not in TOPICS:
        raise unknown("guide topic", topic, TOPICS)
    text = files("eznas").joinpath("guide", f"{topic}.md").read_text(encoding="utf-8")
    return _MARKER.sub("", text)


@app.command()
def guide(
    topic: Annotated[str | None, typer.Argument(metavar="[TOPIC]")] = None, as_json: AsJson = False
) -> None:
    """Show a page of the user guide; without a topic, list them."""
    if topic is not None:
        emit({"topic": topic, "text": page(topic)}, as_json, lambda c: _show_page(c["text"]))
    else:
        titles = [{"topic": t, "title": _title(page(t))} for t in TOPICS]
        emit({"topics": titles}, as_json, _show_topics)


def _show_page(text: str) -> None:
    if out.is_terminal:
        # A cell of several lines is one line here: Markdown in a terminal knows no line breaks.
        out.print(Markdown(text.replace("<br>", " / ")))
    else:
        line(text.rstrip())


def _show_topics(content: dict[str, Any]) -> None:
    width = max(len(topic) for topic in TOPICS)
    for row in content["topics"]:
        line(f"{row['topic']:{width}}  {row['title']}")
    line("\n`eznas guide TOPIC` shows a page.")


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ")
