"""How exactly autoencoders of architectures decode: a table for a terminal, and as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.report import markdown
from eznas.report.cells import new_table

Row = Mapping[str, Any]

_COLUMNS = (  # heading, key, format
    ("seed", "seed", "d"),
    ("latent", "latent", "d"),
    ("width", "width", "d"),
    ("trained on", "trained", ",d"),
    ("held out", "held_out", ",d"),
    ("exact", "exact", ".4f"),
    ("valid", "valid", ".3f"),
    ("unique", "unique", ".3f"),
    ("new", "new", ".3f"),
    ("seconds", "seconds", ".0f"),
)
_SHOWN = ("seed", "exact", "valid", "unique", "new", "seconds")  # in a terminal
_MEANING = (
    "exact: the share of held-out architectures that are encoded and decoded to exactly "
    "themselves; valid: the share of latents\ndrawn from the prior that are decoded to an "
    "architecture; unique: how many of these differ; new: the share of the different\nones that "
    "were not trained on; seconds: of training, on one thread."
)


def autoencoding_table(rows: Sequence[Row]) -> Table:
    """`rows` as `eznas.studies.autoencoding.autoencoding` returns them."""
    table = new_table("autoencoders of architectures")
    for heading in ("space", "encoder"):
        table.add_column(heading, no_wrap=True)
    shown = [column for column in _COLUMNS if column[1] in _SHOWN]
    for heading, _, _ in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        numbers = (markdown.formatted(row[key], form) for _, key, form in shown)
        table.add_row(Text(row["space"]), row["encoder"], *numbers)
    return table


def described_autoencoding(content: Row) -> str:
    """The first sentence of the section."""
    spaces = dict.fromkeys(row["space"] for row in content["rows"])
    return f"Autoencoders of the architectures of {', '.join(spaces)}"


def tables_of_autoencoding(content: Row) -> Iterator[str]:
    """The rows, and what the columns mean."""
    columns: list[markdown.Column] = [
        ("space", markdown.text("space")),
        ("encoder", markdown.text("encoder")),
        *((heading, markdown.number(key, form)) for heading, key, form in _COLUMNS),
    ]
    yield markdown.table(columns, content["rows"])
    yield _MEANING
