"""Searches by folds: what each sees, what it ranks, and how rows compare."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from eznas.benchmarks.benchmark import Benchmark, Dataset
from eznas.discovery.config import PRESETS, read
from eznas.discovery.search import SearchResult
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.formulas.parser import parse
from eznas.metrics import component_folds, kendall
from eznas.predictors import greedy_by_folds
from eznas.report.study_page import study_page
from eznas.report.yardstick_tables import ablation_table
from eznas.spaces import SPACES
from eznas.studies import ablation as study
from eznas.studies import by_folds
from eznas.studies.ablation import ablation
from eznas.studies.variants import AS_IT_IS, VARIANTS, YARDSTICKS, variant_of
from tests.evaluation.ray_marks import on_ray
from tests.evolution.made_up import MadeUp, drawn

NETWORKS, SEEDS = 48, 2
NAMES = tuple(SPACES["nasbench201"].architectures())[:: 15_625 // NETWORKS][:NETWORKS]
UNDEFINED = "max_layers(layer_flops)"
COMPONENTS = np.arange(NETWORKS) // 2
BEST = "sum_layers(layer_params)"
ACCURACIES = np.array([drawn(0, BEST, name) for name in NAMES])
SETTINGS = {
    "statistics": ("layer_params", "layer_flops"),
    "seed_formulas": ("mean_layers(layer_flops)",),
    "generations": 2,
    "population": 8,
    "offspring": 8,
    "networks": 16,
    "champion_networks": 4,
    "max_nodes": 20,
    "fit": False,
}


class PartlyUndefined(MadeUp):
    """Made-up features, of which one has no value."""

    def _value(self, context, text, name):
        return math.nan if text == UNDEFINED else super()._value(context, text, name)


@pytest.fixture(autouse=True)
def made_up(request, monkeypatch):
    """Made-up features and accuracies, of two data sets: on the other one all is reversed."""
    accuracies = {"one": ACCURACIES.copy(), "two": -ACCURACIES}
    datasets = dict.fromkeys(accuracies, Dataset(32, 10))
    benchmark = Benchmark("nasbench201", NAMES, datasets, accuracies, COMPONENTS)

    def table(sample, config, features, *_):
        made = FeatureTable([NAMES], PartlyUndefined(faults=False))
        made.fill(features, NETWORKS)
        return made

    monkeypatch.setattr(by_folds, "REPLICATES", 20)
    if not request.node.get_closest_marker("ray"):  # other processes do not see it
        monkeypatch.setattr(greedy_by_folds, "YARDSTICK_TERMS", 3)
    monkeypatch.setattr(study, "load_benchmark", lambda _: benchmark)
    monkeypatch.setattr(study, "networks_of", lambda sample, part, networks: sample)
    monkeypatch.setattr(study, "search_part_table", table)


@pytest.fixture
def rows_of():
    return partial(ablation, settings=SETTINGS, seeds=SEEDS)


def test_a_search_sees_other_components_than_its_champion_ranks(rows_of, monkeypatch):
    seen = []

    def evolved(setup, table, *rest):
        [sample] = setup.samples
        evolution = setup.config.evolution
        seen.append((sample.architectures, evolution.seed, evolution.networks))
        return study_evolved(setup, table, *rest)

    study_evolved = study.evolved
    monkeypatch.setattr(study, "evolved", evolved)
    [row, *_] = rows_of({})
    places = component_folds(COMPONENTS, SEEDS)
    assert [seed for _, seed, _ in seen] == [1, 2]
    for fold, (names, _, networks) in enumerate(seen):
        assert networks == 16
        tested = names[20:]
        assert sorted(tested) == sorted(np.array(NAMES)[places == fold])
        component_of = dict(zip(NAMES, COMPONENTS.tolist(), strict=True))
        assert not {component_of[n] for n in tested} & {component_of[n] for n in names[:20]}
    assert row["labels"] == 20
    assert row["networks"] == NETWORKS
    assert row["folds"] == SEEDS


def test_rows_are_compared_with_the_search_as_it_is(rows_of):
    rows = rows_of({"no crossover": {"crossover": 0.0}, "few": {"generations": 0}})
    assert [row["variant"] for row in rows] == [AS_IT_IS, *YARDSTICKS, "no crossover", "few"]
    for row in rows:
        # On the two data sets every formula has opposite taus.
        assert row["mean"][0] == pytest.approx(0)
        assert row["tau"]["one"][0] == pytest.approx(-row["tau"]["two"][0])
        assert len(row["by_fold"]) == SEEDS
        assert row["minus"][0] == pytest.approx(row["mean"][0] - rows[0]["mean"][0])
        assert row["nodes"] > 0
        for fold, (difference, low, high) in enumerate(row["minus_by_fold"]):
            assert difference == pytest.approx(row["by_fold"][fold] - rows[0]["by_fold"][fold])
            assert low <= high
    assert rows[0]["minus"] == [0, 0, 0]
    assert rows[1]["evaluations"] is None
    assert rows[0]["evaluations"] > rows[-1]["evaluations"] > 0


def test_the_scores_of_a_row_are_those_of_its_champions(rows_of, monkeypatch):
    """A planted feature alone decides accuracy, and a search that returns it ranks all."""
    found = SearchResult(parse(BEST), None, "", 7)
    monkeypatch.setattr(study, "evolved", lambda *_: found)
    row, *_ = rows_of({})
    assert row["tau"]["one"][0] == kendall(ACCURACIES, ACCURACIES) == 1
    assert row["nodes"] == 2
    assert row["evaluations"] == 7


def test_where_folds_have_fewer_networks_a_search_has_all(rows_of):
    row, greedy, *_ = rows_of({}, settings={**SETTINGS, "networks": 800, "champion_networks": 4})
    sizes = np.bincount(component_folds(COMPONENTS, SEEDS))
    assert row["labels"] == greedy["labels"] == NETWORKS - sizes.max()


def test_what_is_ranked_has_no_part_in_what_is_found(rows_of, monkeypatch):
    found = []
    monkeypatch.setattr(study, "_rows", lambda by_name, *_: found.append(by_name) or [])
    places = component_folds(COMPONENTS, SEEDS)
    for shuffled in (False, True):
        benchmark = study.load_benchmark("")
        if shuffled:  # the accuracies of the fold that seed 1 does not see
            values = {d: a.copy() for d, a in benchmark.accuracies.items()}
            for accuracies in values.values():
                accuracies[places == 0] = accuracies[places == 0][::-1]
            benchmark = replace(benchmark, accuracies=values)
        monkeypatch.setattr(study, "load_benchmark", lambda _, b=benchmark: b)
        rows_of({})
    (first, second) = (by_name[AS_IT_IS][0] for by_name in found)
    for name, scores in first.scores.items():
        np.testing.assert_array_equal(scores, second.scores[name])


def test_variants_evaluate_equally_many_formulas(rows_of):
    base = read(settings={"tasks": ["nasbench201"]})
    counts = set()
    for name, other in VARIANTS.items():
        own = variant_of(base, other).evolution
        counts.add(own.population + own.generations * own.offspring)
        assert own.max_nodes == other.get("evolution.max_nodes", 300), name
    assert counts == {150 + 40 * 160}
    scheme = variant_of(base, VARIANTS["EZNAS's scheme"])
    assert scheme.evolution.population == PRESETS["paper"]["evolution.population"]


def test_a_table_and_a_section_show_all_rows(rows_of):
    rows = rows_of({"no crossover": {"crossover": 0.0}})
    [title, table, *notes] = ablation_table(rows, 100).renderables
    assert "Searches by 2 folds of 48 networks of the search part of nasbench201" in str(title)
    assert table.row_count == 1 + len(rows)
    assert "won, lost: folds whose interval excludes zero" in str(notes[0])
    page = study_page("folder", {"ablation.json": {"command": "eznas ablation", "variants": rows}})
    assert page.count("\n| ") == 2 + len(rows)
    assert "| greedy least squares |  | 20 |" in page
    assert "| no crossover | `crossover=0.0` | 20 |" in page
    assert "Seed s searches without fold s" in page


def test_champions_without_scores_are_counted(rows_of, monkeypatch):
    found = SearchResult(parse(UNDEFINED), None, "", 7)
    monkeypatch.setattr(study, "evolved", lambda *_: found)
    rows = rows_of({"other": {"crossover": 0.0}})
    assert rows[0]["undefined"] == {"one": NETWORKS, "two": NETWORKS}
    assert rows[0]["mean"] == [None] * 3
    page = study_page("folder", {"ablation.json": {"command": "", "variants": rows}})
    assert "as it is: no score for 48 networks" in page
    ablation_table(rows, 100)


@pytest.mark.slow
@pytest.mark.usefixtures("in_full")
@on_ray
def test_searches_at_once_find_what_they_find_one_by_one(rows_of):
    one, two = ([{**r, "seconds": 0} for r in rows_of({}, workers=n)] for n in (1, 2))
    assert one == two


@pytest.mark.parametrize(
    ("variants", "keywords", "expected"),
    [
        ({"a": {"new_features": True}}, {}, "evolution.new_features: expected false"),
        ({"a": {"measurement.sketch_batch": 8}}, {}, "one of evolution, termination, and not"),
        ({"a": {"seed": 3}}, {}, "evolution.seed: expected one of"),
        ({"a": {"statistics": ["nosuch"]}}, {}, "nosuch"),
        ({"a": {"primitives": ["nosuch"]}}, {}, "nosuch"),
        ({"as it is": {}}, {}, "has this name already"),
        ("x", {}, "variants: expected texts with what"),
        ({"a": "crossover"}, {}, "variant 'a': expected texts"),
        ({}, {"settings": {"evidence.networks": 9}}, "evidence.networks: expected one of"),
        ({}, {"seeds": 45}, "seeds 45: too many folds for 48 networks"),
        ({"a": {"crossver": 0.1}}, {}, "crossover"),
        ({"a": {"crossover": 2}}, {}, "evolution.crossover"),
        ({}, {"seeds": 1}, "seeds"),
        ({}, {"workers": 0}, "workers"),
        ({}, {"settings": {"new_features": True}}, "new_features"),
        ({}, {"preset": "quik"}, "quick"),
    ],
)
def test_bad_arguments(variants, keywords, expected):
    with pytest.raises(InputError, match=expected):
        ablation(variants, **{"settings": SETTINGS, "seeds": 2} | keywords)
