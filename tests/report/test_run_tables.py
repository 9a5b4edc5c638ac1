"""The short result of a run: which proxies it shows, and when the champion is said to be ahead."""

import pytest
from rich.console import Console

from eznas.report.run_tables import outcome_lines, short_rows, short_table

TAUS = {"champion": 0.7, "params": 0.4, "depth": None, "flops": 0.6, "hybrid": 0.2, "greedy": 0.65}
INTERVALS = {  # of the champion's lead
    "params": (0.1, 0.5),
    "depth": (None, None),
    "flops": (-0.1, 0.3),
    "hybrid": (0.3, 0.7),
    "greedy": (-0.2, -0.01),
}


def result(datasets=("a",), taus=TAUS):
    """What `eznas.Result` has of proxies with these taus, the same on every data set."""
    labels = {"networks": 60, "set": "held-out part", "accuracy": "validation", "seeds": [0]}
    rows = [
        {"proxy": proxy, "dataset": dataset, "tau": tau, **labels}
        | {"tau_low": tau and tau - 0.1, "tau_high": tau and tau + 0.1}
        for proxy, tau in taus.items()
        for dataset in datasets
    ]
    differences = [
        {"against": proxy, "dataset": dataset, "low": low, "high": high}
        | {"tau": None if low is None else round((low + high) / 2, 3)}
        for proxy, (low, high) in INTERVALS.items()
        for dataset in datasets
    ]
    return {"held_out": rows, "difference": differences if "champion" in taus else []}


def rendered(content, width=80):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(short_table(content, width))
    return capture.get()


def test_the_champion_the_yardsticks_and_the_strongest_others():
    rows = short_rows(result())
    assert [(r["proxy"], r["outcome"]) for r in rows] == [
        ("champion", ""),
        ("greedy", "behind"),
        ("hybrid", "ahead"),
        ("flops", "even"),
        ("params", "ahead"),
    ]
    assert (rows[2]["lead"], rows[2]["low"], rows[2]["high"]) == (0.5, 0.3, 0.7)
    assert [r["dataset"] for r in short_rows(result(("b", "a")))] == ["b"] * 5 + ["a"] * 5


def test_the_mean_over_data_sets_is_the_last():
    of_means = result(("a", "b"))
    of_means["difference"] += [
        row | {"dataset": "mean"} for row in of_means["difference"] if row["dataset"] == "a"
    ]
    rows = [row for row in short_rows(of_means) if row["dataset"] == "mean"]
    assert rows == short_rows(of_means)[-5:]
    assert [(r["proxy"], r["tau"], r["tau_low"], r["outcome"]) for r in rows][:2] == [
        ("champion", pytest.approx(0.7), None, ""),
        ("greedy", pytest.approx(0.65), None, "behind"),
    ]
    assert ["champion", ".700"] in [line.split() for line in rendered(of_means).splitlines()]
    lines = outcome_lines([row | {"low": 1.0} for row in of_means["difference"]][-5:])
    assert lines == []  # they say what the data sets say


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_of_a_terminal(width):
    lines = [line.split() for line in rendered(result(), width).splitlines()]
    assert ["greedy", ".650", "[.550,", ".750]", "-.105", "[-.200,", "-.010]", "behind"] in lines
    assert ["champion", ".700", "[.600,", ".800]"] in lines
    assert max(map(len, rendered(result(), width).splitlines())) <= width


def test_without_a_champion_there_is_no_lead():
    """As where networks are too few to search on."""
    content = result(taus={name: tau for name, tau in TAUS.items() if name != "champion"})
    assert "lead" not in rendered(content)
    assert [r["outcome"] for r in short_rows(content)] == [""] * 4


def test_outcomes_are_said_in_words():
    assert outcome_lines(result()["difference"]) == [
        "ahead of params, hybrid",
        "even with depth, flops",
        "behind greedy",
    ]
    several = result(("a", "b"))["difference"]
    several[1] |= {"low": -0.1}  # params on b
    assert outcome_lines(several)[:2] == [
        "ahead of (on every data set) hybrid",
        "ahead, on some data sets, of params",
    ]
    [greedy] = [row for row in several if (row["against"], row["dataset"]) == ("greedy", "b")]
    assert outcome_lines(several)[-1] == "behind (on every data set) greedy"
    greedy |= {"low": -0.1, "high": 0.1}
    assert outcome_lines(several)[-1] == "behind, on some data sets, greedy"
    greedy |= {"low": 0.1, "high": 0.2}
    assert "ahead on some data sets and behind on others: greedy" in outcome_lines(several)
    assert outcome_lines([]) == []
