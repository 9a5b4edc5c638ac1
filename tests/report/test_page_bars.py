"""Where correlations lie on the bars of an HTML page."""

import pytest

from eznas.report.page_bars import Bar, baseline_bars, grouped, part_bars, size_bars
from tests.report.made_up_report import DATASET, NAME, PART, result, row


def test_an_axis_has_zero_and_all_numbers_on_it():
    first, second = grouped([("a", Bar("x", 0.5, 0.2, 0.6)), ("b", Bar("y", -0.2, -0.4, None))])
    assert (first.start, first.end) == (second.start, second.end) == (-0.4, 0.6)
    assert [first.at(x) for x in (-0.4, 0.0, 0.1, 0.6)] == [0, 40, 50, 100]
    [alone] = grouped([("a", Bar("x", None, None, None))])
    assert alone.at(0.0) == 0
    assert alone.rows[0].text == "-"


def test_baselines_come_by_tau_with_what_the_champion_is_ahead():
    [bars] = baseline_bars(result())
    assert bars.title == DATASET
    assert [bar.name for bar in bars.rows] == ["champion", NAME, "params", "flops"]
    assert [bar.is_champion for bar in bars.rows] == [True, False, False, False]
    assert bars.rows[1].note == "champion ahead +.112 [+.051, +.200]"
    assert (bars.rows[1].value, bars.rows[1].low) == (0.6, 0.5)
    assert bars.rows[0].note == bars.rows[3].note == ""


def test_data_sets_keep_their_order():
    rows = [row("a", tau, dataset=name) for tau, name in ((0.1, "z"), (0.5, "b"), (0.3, "z"))]
    groups = baseline_bars(result(held_out=rows, difference=[]))
    assert [(g.title, [bar.value for bar in g.rows]) for g in groups] == [
        ("z", [0.3, 0.1]),
        ("b", [0.5]),
    ]


def test_partial_rho_beside_rho():
    [bars] = size_bars(result())
    [champion] = bars.rows
    assert (champion.value, champion.before) == (0.4321, pytest.approx(0.7623))
    assert champion.note == "rho .762"
    assert size_bars(result(held_out=[])) == []


def test_parts_that_lose_may_be_undefined():
    bars = part_bars([PART, PART | {"lost": None, "low": None, "high": None}])
    assert [bar.text for bar in bars.rows] == [".234 [.100, .300]", "-"]
