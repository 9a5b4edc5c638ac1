"""Every discovered proxy: loaded by its name anywhere, with evidence, and usable."""

import math

import pytest

from eznas.discovery.run import evolve
from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.predictors.named import CHAMPION
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.loading import NAMES, describe, load
from eznas.report.exporting import export
from eznas.spaces import SPACES
from eznas.system.folder import RunFolder
from tests.discovery.tiny_run import tiny
from tests.proxies.models import one

MODELS = {
    "own": one,
    "nasbench-macro": lambda: SPACES["nasbench-macro"].build("10210210"),
    "naap440": lambda: SPACES["naap440"].build("3x12s2-3x16s2-1x16s1r"),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A current folder with no runs in it."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=DISCOVERED)
def name(request):
    return request.param


def test_it_is_found_by_its_name(name):
    proxy, content = load(f" {name} "), describe(name)
    assert proxy.name == content.name == name
    assert proxy.formula == parse(content.formula)
    assert (proxy.raw_batch, proxy.sketch_batch) == (content.raw_batch, content.sketch_batch)
    assert name not in CLASSICS
    assert name in NAMES


def test_it_says_what_it_was_tested_on_and_what_its_search_has_seen(name):
    content = describe(name)
    assert content.evidence
    assert all(-1 < row["tau"] < 1 and row["networks"] > 100 for row in content.evidence)
    assert content.labels
    assert all(space in SPACES and count > 0 for space, count in content.labels.items())


@pytest.mark.parametrize("model", MODELS)
def test_it_scores_models_of_other_spaces(name, model):
    proxy = load(name)
    score = proxy.score(MODELS[model](), batch=4, init="kaiming")
    assert math.isfinite(score)
    assert score == proxy.score(MODELS[model](), batch=4, init="kaiming")


def test_it_is_exported_as_it_is(name):
    content = export(name, "mine.json")
    assert content["formula"] == describe("mine.json").formula
    assert load("mine.json") == load(name)


def test_no_run_takes_its_name(name):
    with pytest.raises(InputError, match=name):
        RunFolder.create(name, "stem", reserved=NAMES)
    with pytest.raises(InputError, match=name):
        evolve(tiny(), name=name)


def test_the_usual_champion_is_one():
    assert CHAMPION in DISCOVERED


def test_a_name_that_is_nearly_one_is_corrected():
    with pytest.raises(InputError, match=f"unknown proxy .*; did you mean '{CHAMPION}'"):
        load(CHAMPION + "x")
