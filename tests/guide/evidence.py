"""Tables of the guide's evidence pages, read from Markdown and compared with a study's JSON."""

import json
import re

from tests.guide.pages import GUIDE, ROOT

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
NOTHING = "–"  # noqa: RUF001
_NUMBER = re.compile(r"[-+]?\d*\.?\d+")


def content(file):
    """The content of a JSON file of the committed runs."""
    return json.loads((ROOT / "runs" / file).read_text(encoding="utf-8"))


def rows_of(*files, part="rows", name="proxy"):
    """Rows of files by proxy (or what else names them) and data set; what is nested is beside."""
    return {
        (row[name], row["dataset"]): row | row.get("variation", {})
        for file in files
        for row in content(file)[part]
    }


def tables(topic, heading):
    """`tables_in` a page of the guide."""
    return tables_in(GUIDE / f"{topic}.md", heading)


def tables_in(path, heading):
    """The tables below a heading of a file: lists of rows, each a dict by heading."""
    text = path.read_text(encoding="utf-8")
    _, found, below = text.partition(f"# {heading}\n")
    assert found, heading
    section = re.split(r"^#+ ", below, flags=re.MULTILINE)[0]
    return [_rows(block) for block in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)]


def _rows(block):
    lines = [line.strip().removeprefix("| ").removesuffix("|") for line in block.splitlines()]
    headings, _, *rows = ([cell.strip() for cell in re.split(r" \| ?", ln)] for ln in lines)
    return [dict(zip(headings, row, strict=False)) for row in rows]


def by_dataset(cell):
    """The parts of a cell that has the three data sets, below or beside one another."""
    parts = re.split(r"<br>| / ", cell)
    assert len(parts) == len(DATASETS), cell
    return dict(zip(DATASETS, parts, strict=True))


def interval(name):
    """The keys of a metric and its interval."""
    return (name, f"{name}_low", f"{name}_high")


def difference(text, row, keys):
    """What a printed text has that the values of these keys are not, to the printed digits; ""
    for nothing."""
    values = [row[key] for key in keys]
    if text == NOTHING:
        return "" if values[0] is None else f"{values[0]} is shown as undefined"
    numbers = _NUMBER.findall(re.sub(r" \(\d+\)$", "", text))
    alike = len(numbers) == len(values) and all(map(_rounds_to, numbers, values))
    return "" if alike else f"{text}: the study has {values}"


def _rounds_to(text, value):
    """Whether a printed number is this value, rounded."""
    digits = len(text.partition(".")[2])
    return value is not None and abs(float(text) - value) <= 0.5 * 10.0**-digits + 1e-9
