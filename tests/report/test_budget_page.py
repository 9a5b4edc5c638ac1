"""The page of a study of predictors."""

from eznas.report.study_page import study_page
from eznas.studies.budgets import SIZES
from eznas.system.files import plain
from tests.report.made_up_budgets import content

COMMAND = {"command": "eznas budgets --trials 30"}


def page(**keywords):
    return study_page("study", {"budgets.json": plain(COMMAND | content(**keywords))})


def table_below(text, heading):
    """The cells of the first table with this heading in its first cell."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    end = next(i for i in range(start, len(lines)) if not lines[i].startswith("|"))
    return [[c.strip() for c in line.strip("|").split(" | ")] for line in lines[start:end]]


def test_what_was_studied_and_how():
    text = page()
    assert (
        "8 predictors of validation accuracy on cifar10, nasbench201: tested on 200 of 1,000 "
        "networks, 30 trials, split by components, fitted to normal scores." in text
    )
    assert "```sh\neznas budgets --trials 30\n```" in text
    assert "`gin` (a fit takes seconds: name it to have it tried)" in text


def test_rows_by_number_of_networks_the_best_first():
    heading, _, *rows = table_below(page(), "predictor")
    assert heading[:4] == ["predictor", "fitted to", "epoch", "tau"]
    assert [row[0] for row in rows[:4]] == ["`last_value`", "`last_value`", "`zen`", "`zico`"]
    by_key = {(row[0], row[1], row[2]): row for row in rows}
    assert len(by_key) == len(rows) == len(content()["rows"])
    assert by_key["`zico`", "0", ""][3] == "-"
    assert by_key["`linear`", "5", ""][3] == ".200 ± .012"
    of_champion = by_key["`champion_residual`", "5", ""]
    assert of_champion[heading.index("labels")] == "345"
    assert by_key["`unknown_labels`", "5", ""][heading.index("labels")] == "not known"
    assert by_key["`last_value`", "0", "3"][heading.index("query [seconds]")] == "27.4"


def test_both_maps_of_winners():
    text = page()
    for champions in ("free", "counted"):
        assert f"**Who wins**, labels of champions {champions}:" in text
    heading, _, *rows = table_below(text, "query [seconds]")
    assert heading == ["query [seconds]", *map(str, SIZES)]
    assert len(rows) == 14
    assert rows[0][1] == "-"  # nothing is as cheap
    assert rows[-1][1] == "last_value .950"
