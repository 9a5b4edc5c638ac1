"""Tables of predictors: complete, and within 80 columns."""

import pytest

from eznas.predictors.named import PREDICTORS, list_predictors
from eznas.proxies.loading import NAMES as NAMES_OF_PROXIES
from eznas.report.predictor_tables import LETTERS, OTHERS, two_digits, winner_names
from eznas.report.tables import budget_table, prediction_table, predictor_table, winner_table
from eznas.studies.budgets import SIZES
from tests.report.made_up_budgets import NAMES, content
from tests.report.test_tables import ARCHITECTURE, column, rendered


def line_of(text, name):
    [line] = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return line.split()[1:]


def test_all_predictors_with_their_sources():
    text = rendered(predictor_table(list_predictors()))
    assert all(name in text for name in PREDICTORS)
    names = column(text, "predictor")
    assert all(name in names for name in PREDICTORS if name not in NAMES_OF_PROXIES)
    assert "residualofextra_trees" in column(text, "regressor")
    assert "thechampionhasseenlabels" in column(text, "source and note")


def test_predictions_are_ranked_whole_and_undefined_ones_dashes():
    rows = [{"architecture": ARCHITECTURE, "prediction": p} for p in (91.23456789, 0.5, None, None)]
    text = rendered(prediction_table(rows, "4 networks by [bold]", 3))
    assert column(text, "prediction") == "91.23460.5-"
    assert column(text, "rank") == "123"
    assert column(text, "architecture") == ARCHITECTURE * 3
    assert "4 networks by [bold]" in text


@pytest.mark.parametrize("unit", ["seconds", "epochs"])
@pytest.mark.parametrize("sizes", [SIZES, (5, 1000, 4000), (5, 8, 12, 18, 28, 43, 67), (5,)])
def test_taus_by_size_the_best_first(sizes, unit):
    """A name that is too long is cut, numbers never are."""
    long_name = "extra_trees[encoding; proxies:naswot,zen,params; curve; paths]"
    made_up = content((*NAMES, long_name), sizes=sizes, unit=unit)
    text = rendered(budget_table(made_up, 80), shortened=True)
    heading = text.splitlines()[0]
    shown = [int(part[2:]) for part in heading.split() if part.startswith("n=")]
    assert shown[0] == sizes[0]
    assert shown[-1] == sizes[-1]
    assert len(shown) == min(len(sizes), 6)
    assert f"query [{unit}]" in heading
    names = [line.split()[0] for line in text.splitlines()[2:]]
    assert names[:2] == ["last_value", "last_value"]
    assert names[-1] == "zico"


def test_cells_of_taus():
    text = rendered(budget_table(content(NAMES[:3]), 80))
    assert line_of(text, "linear") == [".200", ".300", ".400", ".500", ".600", ".700", "0.01"]
    assert line_of(text, "zen") == [*[".000"] * 6, "0.3"]
    assert line_of(text, "zico") == [*["-"] * 6, "0.2"]
    assert line_of(text, "unknown_labels") == [".100", *["-"] * 5, "0.01"]
    epochs = [line.split()[1] for line in text.splitlines() if line.startswith("last_value")]
    assert epochs == ["30", "3"]


@pytest.mark.parametrize("number", [0, 1])
def test_winners_of_all_154_cells(number):
    """Also where taus are negative, which are wider."""
    made_up = content(wins=NAMES)
    text = rendered(winner_table(made_up["maps"][number]))
    lines = text.splitlines()
    assert made_up["maps"][number]["champions"] in " ".join(lines[:2])
    [heading] = [i for i, line in enumerate(lines) if line.split()[:1] == ["query"]]
    assert lines[heading].split()[1:] == list(map(str, SIZES))
    body = [line.split() for line in lines[heading + 2 : heading + 16]]
    assert len(body) == 14
    for row in body:
        assert sum(cell[0].isalpha() for cell in row[1:]) + row[1:].count("-") == len(SIZES)
    assert ["A-.50" in row for row in body] == [number == 0] * 14
    names = winner_names(made_up["maps"][number])
    assert lines[heading + 16 :] == [f"{LETTERS[i]} {name}" for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.001, "0.001"),
        (0.00917, "0.0092"),
        (27.4, "27"),
        (90.0, "90"),
        (1828.3, "1800"),
    ],
)
def test_budgets_have_two_digits(value, text):
    assert two_digits(value) == text


def test_more_winners_than_letters_share_a_mark():
    names = [f"predictor_{i}" for i in range(60)]
    text = rendered(winner_table(content(wins=names)["maps"][0]))
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith(f"{OTHERS} predictor_")]) == 8
    assert f"{LETTERS[51]} predictor_51" in lines
    assert all(name in text for name in names)


def test_where_nothing_wins_there_is_a_dash():
    made_up = content(names=("champion_residual",), sizes=(5,))
    made_up["rows"] = []
    empty = made_up["maps"][1] | {
        "cells": [c | {"winner": None} for c in made_up["maps"][1]["cells"]]
    }
    text = rendered(winner_table(empty))
    assert winner_names(empty) == []
    assert text.count("-\n") >= 14
