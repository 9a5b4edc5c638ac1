"""The engine with fitted weights on made-up features: what it rates by, keeps, and saves."""

import json
import math
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from eznas.evaluation.status import Status
from eznas.evolution import moves
from eznas.evolution.config import DEFAULT_PRIMITIVES
from eznas.evolution.engine import Engine
from eznas.evolution.fitness import WORST, evaluate_fitness, fitness_of
from eznas.evolution.state import State
from eznas.evolution.variation import is_within
from eznas.formulas.parser import parse
from eznas.formulas.terms import terms, weighted_terms
from eznas.system.files import plain
from tests.evolution import made_up
from tests.evolution.made_up import NAMES, SEEDS, MadeUp, planted


@pytest.fixture(autouse=True)
def few_offered(monkeypatch):
    """Few random terms for each that is added: these tests are to be fast."""
    monkeypatch.setattr(moves, "OFFERED", 25)


def engine(seed=1, evaluate=None, **settings):
    return made_up.engine(seed, evaluate, **({"fit": True, "price": 1e-3} | settings))


class Recording(Engine):
    """Records all fitted individuals, and their results."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.individuals, self.results = [], {}
        self._fitted, self._sample.fitted = self._sample.fitted, self._recorded

    def _recorded(self, individuals):
        fitted = self._fitted(individuals)
        self.individuals += fitted
        self.results |= {i.text: self._sample.results[i.text] for i in fitted}
        return fitted


def line(report):
    return json.dumps(plain(asdict(report)))


def journal(seed=1, **settings):
    return [line(report) for report in engine(seed, **settings).run()]


SMALL = {"generations": 3, "population": 14, "offspring": 14}


def test_equal_seeds_equal_journals():
    assert journal(1, **SMALL) == journal(1, **SMALL)
    assert journal(1, **SMALL) != journal(2, **SMALL)


def test_a_resumed_search_goes_on_as_if_it_had_never_stopped():
    search = engine(3, **SMALL)
    expected = [line(report) for report in search.run()]
    archive, shipped = search.archive.ranked(), search.shipped()
    for stop in range(4):
        first, lines = engine(3, **SMALL), []
        for report in first.run():
            lines.append(line(report))
            if report.generation == stop:
                break
        state = State.model_validate_json(first.state().model_dump_json())
        second = engine(4, **SMALL)
        second.resume(state)
        assert second.state() == state
        assert second.archive.ranked() == first.archive.ranked()
        lines += [line(report) for report in second.run()]
        assert lines == expected
        assert second.archive.ranked() == archive
        assert second.shipped() == shipped


def test_formulas_are_rated_by_the_fit_on_the_present_sample():
    search = engine(1)
    for report in search.run():
        sample = search._sample
        assert sample.sums.networks == report.networks
        for individual in search._population:
            result = sample.results[individual.text]
            summands = terms(individual.expression)
            rows = [sample.sums.row(term) for term in summands]
            if result.reason:
                continue
            fit = sample.sums.fit(rows)
            correlations = fit.correlations.numpy()
            assert result.taus == pytest.approx(correlations.tolist())
            assert result.fitness == pytest.approx(fitness_of(correlations))
            refitted = sample.sums.formula(summands, fit.weights).canonical.constants()
            assert individual.expression.canonical.constants() == pytest.approx(refitted, rel=2e-3)


def test_all_weights_are_fitted_again_when_the_sample_grows():
    search = engine(1)
    weights = {}
    for report in search.run():
        for entry in search.archive.ranked():
            assert entry.networks == report.networks
            key = tuple(sorted(term.text for term in terms(parse(entry.formula))))
            weights.setdefault(key, {})[report.networks] = entry.formula
    in_both = [formulas for formulas in weights.values() if len(formulas) == 2]
    assert len(in_both) > 3
    assert all(len(set(formulas.values())) == 2 for formulas in in_both)


def test_the_archive_has_the_taus_of_its_formulas():
    search = engine(1)
    for report in search.run():
        entries, sample = search.archive.ranked(), search._sample
        exact = evaluate_fitness(
            [parse(e.formula) for e in entries], sample.table, sample.tasks, report.networks
        )
        assert [e.taus for e in entries] == [result.taus for result in exact]
        assert report.best == entries[0]
        assert all(math.isfinite(tau) for e in entries for tau in e.taus)
        assert [e.fitness for e in entries] == sorted((e.fitness for e in entries), reverse=True)


def test_undefined_formulas_are_the_worst_and_counted():
    search = engine(1, make=Recording)
    report = next(iter(search.run()))
    undefined = [result for result in search.results.values() if result.reason]
    assert report.reasons == dict(Counter(result.reason for result in undefined))
    assert 0 < report.valid < 1
    assert {result.fitness for result in undefined} == {WORST}
    assert all(math.isnan(tau) for result in undefined for tau in result.taus)
    assert {"coverage", "infinite", "undefined"} & set(report.reasons)
    assert all(-1 <= r.fitness <= 1 for r in search.results.values())


@pytest.mark.parametrize(
    "limits",
    [
        {"max_nodes": 12, "max_depth": 5},
        {"max_terms": 3, "max_constants": 3},
        {"max_nodes": 25, "complexity": {"mul": 4, "add": 2}},
    ],
)
def test_formulas_with_their_weights_keep_within_the_limits(limits):
    search = engine(1, make=Recording, **limits)
    list(search.run())
    bred = [i for i in search.individuals if i.origin != "seed" and i.text in search.results]
    assert len(bred) > 50
    assert all(is_within(i.expression, search._config) for i in bred)
    origins = {i.origin for i in bred}
    assert origins > {"random", "crossover", "exchange"}
    assert not origins & {"stepwise", "tuned"}
    assert "merge" in origins or limits["max_nodes"] == 12  # too few for two sums


def test_children_have_the_primitives_of_the_grammar_and_of_the_seeds():
    without = [p for p in DEFAULT_PRIMITIVES if p not in ("max", "min", "log", "sigmoid")]
    search = engine(1, make=Recording, primitives=without)
    list(search.run())
    of_seeds = set[str]().union(*(parse(seed).primitives() for seed in SEEDS))
    assert len(search.individuals) > 50
    assert all(i.expression.primitives() <= of_seeds.union(without) for i in search.individuals)


def test_without_new_features_formulas_have_the_listed_ones_alone():
    for new_features in (True, False):
        search = engine(1, make=Recording, new_features=new_features)
        reports = list(search.run())
        features = {f for i in search.individuals for f in i.expression.features()}
        assert (features <= set(search.candidates)) != new_features
        assert (len({report.features for report in reports}) == 1) != new_features


@pytest.mark.parametrize("seed", range(3))
def test_the_best_never_gets_worse_on_one_sample_and_planted_data_are_found(seed):
    reports = list(engine(seed, first_networks=32, greedy_terms=0).run())
    fitness = [report.best.fitness for report in reports]
    assert fitness == sorted(fitness)
    assert fitness[-1] > 0.7
    assert min(reports[-1].best.taus) > 0.5
    assert reports[-1].median > reports[0].median


@pytest.mark.parametrize("seed", [1, 2])
def test_a_planted_product_is_found_with_its_weight(seed, monkeypatch):
    """Accuracies of a sum in which a product counts, which no feature alone says."""
    monkeypatch.setattr(moves, "OFFERED", 150)
    first, second = np.random.default_rng(0).normal(size=(2, len(NAMES)))
    scores = first - 2 * first * second
    ranked = np.sort(made_up.accuracies())[np.argsort(np.argsort(scores))]
    names = ("max_layers(layer_params)", "max_layers(layer_flops)")
    evaluate = MadeUp(dict(zip(names, (first, second), strict=True)), faults=False)
    settings = {"first_networks": 32, "greedy_terms": 0, "generations": 3, "price": 5e-3}
    search = engine(seed, evaluate, **settings)
    search._sample.tasks = [replace(task, accuracies=ranked) for task in search._sample.tasks]
    *_, last = search.run()
    assert last.best.fitness > 0.95
    weights, _ = weighted_terms(parse(last.best.formula))
    product, feature = (parse(text).canonical for text in ("{1} * {0}".format(*names), names[0]))
    assert weights[product] / weights[feature] == pytest.approx(-2, rel=0.1)


def test_components_decide_the_folds():
    together = [np.arange(32) // 16 * np.ones(32, np.int64)] * 2
    fitness = [
        next(iter(engine(1, components=components).run())).best.fitness
        for components in ((), [np.arange(32)] * 2, [c.astype(np.int64) for c in together])
    ]
    assert fitness[0] == fitness[1]
    assert fitness[0] != fitness[2]


def test_the_population_keeps_its_size_and_its_best():
    search = engine(1, first_networks=32)
    for report in search.run():
        assert sum(report.origins.values()) == len(search._population) == 20
        texts = [i.text for i in search._population]
        assert len(set(texts)) == len(texts)
        assert report.best.canonical in texts


def test_a_search_where_nothing_can_be_fitted_ends_all_the_same():
    """Every feature is the same for all networks."""
    evaluate = MadeUp(faults=False)
    evaluate._value = lambda *_: 0.25
    *_, last = engine(1, evaluate).run()
    assert last.best.fitness == WORST
    assert last.valid == 0


class Failing(MadeUp):
    """Some networks cannot be measured, and some have nothing to aggregate."""

    FAILED, EMPTY = (NAMES[5],), (NAMES[9],)

    def __call__(self, shards, texts):
        answers = super().__call__(shards, texts)
        for shard, answer in zip(shards, answers, strict=True):
            for names, status in ((self.FAILED, Status.NETWORK_KILLED), (self.EMPTY, Status.EMPTY)):
                at = [name in names for name in shard.architectures]
                answer.values[:, at] = math.nan
                answer.status[:, at] = status
                answer.coverage[:, at] = 1.0 if status == Status.EMPTY else 0.0
        return answers


def test_networks_that_fail_or_have_nothing_to_aggregate_do_no_harm():
    search = engine(1, Failing(planted()))
    reports = list(search.run())
    assert all(r.failed == {"network killed": 1} for r in reports)
    best = reports[-1].best
    assert best.fitness > 0.5
    assert best.coverage == 1
    assert min(best.taus) > 0.3
    assert len(search._sample.sums.y) == 2 * 30


@pytest.mark.parametrize("failed", [NAMES, NAMES[:8]])
def test_formulas_are_undefined_where_too_few_networks_could_be_measured(failed):
    """As they are without fits: where it is more than a fifth."""
    evaluate = Failing(planted())
    evaluate.FAILED = failed
    *_, last = engine(1, evaluate).run()
    assert last.best.fitness == WORST
    assert last.valid == 0
