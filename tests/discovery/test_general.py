"""The preset for any network, and searches that have features that are defined anywhere."""

import pytest

from eznas.discovery.config import read
from eznas.discovery.run import evolve, resume
from eznas.discovery.setup import prepare, seeds_of
from eznas.errors import InputError
from eznas.formulas.definedness import shipped
from eznas.formulas.parser import parse
from eznas.formulas.terms import weighted_terms
from eznas.predictors import randomised_trees
from tests.discovery.tiny_run import Interrupts, comparable, journal, read_json, tiny

ANYWHERE = {
    "fit": True,
    "alike": True,
    "anywhere": True,
    "statistics": ("layer_params", "data_relu_agreement", "params"),
    "seed_formulas": ("live_params",),
    "generations": 1,
    "champion_networks": 0,
}


def test_the_preset_has_seeds_and_statistics_that_are_defined_anywhere():
    evolution = read(preset="general").evolution
    assert len(seeds_of(evolution)) == len(evolution.seed_formulas) > 1
    assert evolution.features_are_listed
    assert evolution.boost
    assert not evolution.fit


def test_the_preset_needs_its_tables(home):
    """None was imported; NAS-Bench-201 comes with a package."""
    with pytest.raises(
        InputError, match="no table 'test' of nasbench101 here: `eznas data import nasbench101"
    ):
        prepare(read(preset="general"), 1, None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed_formulas": ("naswot",)}, r"seed formula 'naswot': logdet\(.*\) is not known"),
        ({"seed_formulas": ("sum_layers(norm(weight))",)}, "seed formula .* is not known"),
        ({"statistics": ("params", "weight")}, "statistic 'weight': none of its features is known"),
    ],
)
def test_what_is_not_known_to_be_defined_anywhere_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        prepare(tiny(**(ANYWHERE | settings)), 1, None)
    allowed = {"seed_formulas": ("live_params",)} | settings | {"anywhere": False}
    assert seeds_of(tiny(**(ANYWHERE | allowed)).evolution)


@pytest.mark.usefixtures("tiny_networks_ship")
def test_a_run_has_these_features_alone_and_resumes(home, monkeypatch):
    monkeypatch.setattr(randomised_trees, "FEWER_TREES", 10)
    config = tiny(**ANYWHERE)
    result = evolve(config, name="undisturbed")
    archived = read_json(home, "undisturbed", "archive.json")["formulas"]
    features = {f for entry in archived for f in parse(entry["formula"]).features()}
    assert len(features) > 5
    assert all(shipped().is_everywhere(feature) for feature in features)
    assert all(
        line["features"] == journal(home, "undisturbed")[0]["features"]
        for line in journal(home, "undisturbed")
    )
    assert result.stopped == ""
    assert evolve(config, name="cut", watcher=Interrupts(after=0)).stopped == "SIGINT"
    assert resume("cut").stopped == ""
    assert comparable(home, "cut") == comparable(home, "undisturbed")


@pytest.mark.usefixtures("tiny_networks_ship")
def test_a_boosted_run_begins_with_an_anchor_and_clamped_features(home):
    settings = {"boost": True, "fit": False, "generations": 0, "max_nodes": 60, "tuned": 0}
    evolve(tiny(**(ANYWHERE | settings)), name="boosted")
    archived = read_json(home, "boosted", "archive.json")["formulas"]
    boosted = [parse(e["formula"]) for e in archived if e["origin"] == "boosted"]
    assert boosted
    for formula in boosted:
        names = sorted(term.name for term in weighted_terms(formula)[0])
        assert names == ["log", *["min"] * (len(names) - 1)]
