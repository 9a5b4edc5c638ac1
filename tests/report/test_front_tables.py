"""The front of a run, as it is printed."""

import io

import pytest
from rich.console import Console

from eznas.report.front_tables import formula_front_lines, formula_front_table

LONG = " + ".join(f"{i}.0 * sum_layers(norm(weight))" for i in range(1, 9))
ROWS = [
    {"number": 9, "formula": "params", "size": 1, "searched": 0.5, "fitness": 0.45,
     "low": 0.4, "high": 0.5, "champion": False, "recommended": False},
    {"number": 4, "formula": "0.0123456789 * log(params)", "size": 3, "searched": 0.7,
     "fitness": 0.69, "low": 0.6, "high": 0.75, "champion": False, "recommended": True},
    {"number": 1, "formula": LONG, "size": 40, "searched": 0.8, "fitness": None,
     "low": None, "high": None, "champion": True, "recommended": False},
]  # fmt: skip
SETS = [{"space": "nasbench201", "networks": 200, "set": "search part", "accuracy": "validation"}]
CONTENT = {"run": "first", "rows": ROWS, "sets": SETS, "error": 0.021}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_row_is_one_line_within_the_width(width):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(formula_front_table(CONTENT, width))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if "#" in line]
    assert [line.split()[:2] for line in rows] == [["#9", "1"], ["*", "#4"], ["#1", "40"]]
    assert "0.0123 * log(params)"[: 10 if width < 80 else None] in rows[1]
    assert rows[2].rstrip().endswith("…")
    assert " -  " in rows[2]  # undefined


@pytest.mark.parametrize("width", [80, 120])
def test_networks_without_a_score_are_counted_where_there_are_some(width):
    rows = [ROWS[0] | {"undefined": 0}, ROWS[1] | {"undefined": 3}, ROWS[2]]  # the last is old
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(formula_front_table(CONTENT | {"rows": rows}, width))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= width
    assert "undefined" in text
    assert " .700          3  0.0123 * log" in text
    assert any(
        line.startswith("undefined: ") for line in formula_front_lines({**CONTENT, "rows": rows})
    )
    none = CONTENT | {"rows": [row | {"undefined": 0} for row in ROWS]}
    console.print(formula_front_table(none, width))
    assert "undefined" not in console.export_text() + "".join(formula_front_lines(none))


def test_what_is_said_of_it():
    lines = formula_front_lines(CONTENT)
    assert (
        lines[0] == "fitness: tau on 200 networks of nasbench201 (search part), validation accuracy"
    )
    assert "first#4, the smallest formula within one standard error (.021) of the best" in lines[2]
    assert lines[2].endswith("; champion: #1")
    own = [{"space": "models", "networks": 40, "set": "all", "accuracy": "given"}]
    lines = formula_front_lines(CONTENT | {"sets": own})
    assert "all 40 models" in lines[0]
    assert not any(line.startswith("searched") for line in lines)
