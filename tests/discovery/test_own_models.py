"""Runs on a user's own models: small data, cross-validation, a recommendation."""

import sys

import numpy as np
import pytest

import eznas
from eznas.discovery.config import Config, read
from eznas.discovery.own_models import folds, highest, not_ahead_of, shares_exceeded
from eznas.discovery.setup import BASELINES, prepare
from eznas.discovery.small_data import ENOUGH, SETTINGS, SHORT, fitted_to, short_where_few
from eznas.errors import InputError
from eznas.system.files import read_json

MODULE = """
from torch import nn

def net(width, depth=1):
    layers = []
    for index in range(depth):
        layers += [nn.Conv2d(width if index else 1, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))
"""
SETTINGS_HERE = {
    "models.file": "mine.csv",
    "models.input": ("1,6,6",),
    "statistics": ("layer_params", "params", "data_relu_agreement", "layer_channels"),
    "seed_formulas": ("params", "naswot"),
    "generations": 1,
    "population": 8,
    "offspring": 8,
    "raw_batch": 2,
    "sketch_batch": 4,
    "evidence.replicates": 20,
}
WIDTHS = [(w, d) for w in (2, 3, 4, 6, 8) for d in (1, 2, 3)]


@pytest.fixture(autouse=True)
def own_models(home):
    (home / "mine.py").write_text(MODULE)
    yield
    sys.modules.pop("mine", None)


def write_table(count: int, columns: str = "accuracy") -> None:
    """Accuracies that grow with depth first, then width."""
    accuracies = [(10 * d + w, d) for w, d in WIDTHS[:count]]
    rows = [
        f'"mine:net({w}, {d})",{",".join(map(str, a[: columns.count(",") + 1]))}'
        for (w, d), a in zip(WIDTHS, accuracies, strict=False)
    ]
    with open("mine.csv", "w") as file:
        file.write("\n".join([f"model,{columns}", *rows]))


def test_folds_are_a_partition():
    parts = folds(13, seed=3)
    assert sorted(map(len, parts)) == [2, 2, 3, 3, 3]
    assert sorted(np.concatenate(parts).tolist()) == list(range(13))
    assert not np.array_equal(parts[0], folds(13, seed=4)[0])


def test_the_share_of_scores_that_a_score_exceeds():
    searched = np.array([3.0, 1.0, 2.0, -np.inf, np.nan])
    scores = np.array([1.0, 2.5, 3.0, 100.0, -np.inf, np.nan, 4.0])
    shares = shares_exceeded(scores, searched)
    expected = [1 / 6, 2 / 3, 5 / 6, 1, 0, np.nan, 11 / 12]
    np.testing.assert_allclose(shares, expected)
    assert np.isnan(shares_exceeded(scores, np.array([np.nan]))).all()


def test_small_data_makes_a_small_search():
    small = fitted_to(Config(), 40).evolution
    for key, value in SETTINGS.items():
        assert getattr(small, key) == value
    assert (small.first_networks, small.networks, small.champion_networks) == (40, 40, 0)
    large = fitted_to(Config(), 60).evolution
    assert (large.networks, large.generations) == (60, SHORT["generations"])
    assert {key: getattr(large, key) for key in SHORT} == SHORT
    set_by_user = fitted_to(read(settings={"generations": 20, "population": 30}), 40).evolution
    assert (set_by_user.generations, set_by_user.population) == (20, 30)
    assert fitted_to(Config(), 5) == Config()
    with pytest.raises(InputError, match=r"'evolution\.networks': not with models of your own"):
        fitted_to(read(settings={"networks": 500}), 40)


def test_few_networks_make_short_formulas():
    few, set_by_user = Config(), read(settings={"fit": True, "max_nodes": 70})
    evolution = short_where_few(few, ENOUGH - 1).evolution
    assert {key: getattr(evolution, key) for key in SHORT} == SHORT
    assert short_where_few(few, ENOUGH) == few
    general = read(preset="general")  # sums of as many terms as the preset says
    assert short_where_few(general, 220) == general
    kept = short_where_few(set_by_user, 20).evolution
    assert (kept.fit, kept.max_nodes, kept.generations) == (True, 70, SHORT["generations"])


def test_a_run_on_own_models_is_cross_validated_and_repeatable(home):
    write_table(15, "accuracy,accuracy_other")
    config = read(settings=SETTINGS_HERE)
    result = eznas.evolve(config, name="first")
    assert {(r["proxy"], r["dataset"]) for r in result.held_out} == {
        (p, d) for p in ("champion", *BASELINES, "greedy") for d in ("accuracy", "other")
    }
    for row in result.held_out:
        assert (row["networks"], row["set"]) == (15, "5-fold cross-validation")
    assert result.recommended in ("", *BASELINES)
    assert read_json(home / "runs/first/config.json")["evolution"]["networks"] == 15
    assert read_json(home / "runs/first/champion.json")["labels"] == {"models": 15}
    page = (home / "runs" / "first" / "README.md").read_text()
    assert "A search on mine.csv, seed 1" in page
    assert "--models mine.csv --input 1,6,6" in page
    again = eznas.evolve(config, save=False)
    assert (again.formula, again.held_out) == (result.formula, result.held_out)
    resumed = eznas.resume("first", generations=2)
    assert resumed.held_out
    assert eznas.load("first").formula.text == resumed.formula


@pytest.mark.parametrize("save", [True, False])
def test_few_models_get_a_published_proxy(save):
    write_table(6)
    result = eznas.evolve(read(settings=SETTINGS_HERE), save=save, name="few" if save else None)
    assert result.recommended in BASELINES
    assert result.stopped == "too few networks"
    assert result.formula == eznas.load(result.recommended).formula.text
    taus = {row["proxy"]: row["tau"] for row in result.held_out}
    assert taus[result.recommended] == max(t for t in taus.values() if t is not None)
    if save:
        assert eznas.load("few").formula.text == result.formula


def test_which_proxy_is_recommended():
    taus = {"champion": 0.5, "params": 0.6, "naswot": None}
    rows = [{"proxy": name, "tau": taus.get(name, 0.1)} for name in ("champion", *BASELINES)]
    assert not_ahead_of(rows) == "params"
    rows[0]["tau"] = 0.7
    assert not_ahead_of(rows) == ""
    assert highest(rows, ["naswot", "depth"]) == "depth"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tasks": ("naap440",)}, "'tasks': not with models of your own"),
        ({"evidence.hold_out": ("naap440",)}, "hold_out': not with models of your own"),
        ({"models.input": ("3,6,6",)}, r"model mine:net\(2, 1\): .*forward failed"),
        ({"models.file": "none.csv"}, r"none\.csv: cannot be read"),
        ({"models.init": "best"}, "models.init"),
    ],
)
def test_bad_settings(settings, problem):
    write_table(15)
    with pytest.raises(InputError, match=problem):
        prepare(read(settings=SETTINGS_HERE | settings), 1, None)
