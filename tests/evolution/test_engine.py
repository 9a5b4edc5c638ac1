"""The engine on made-up features: its counts, its sample, and that it repeats and improves."""

import json
import math
from collections import Counter
from dataclasses import asdict

import pytest

from eznas.evaluation.feature_table import SHARD
from eznas.evaluation.status import Status
from eznas.evolution import constants, sample
from eznas.evolution.config import DEFAULT_PRIMITIVES, EvolutionConfig
from eznas.evolution.engine import Engine
from eznas.evolution.fitness import WORST
from eznas.evolution.grammar import Fitness
from eznas.evolution.state import State
from eznas.evolution.variation import is_within
from eznas.formulas.parser import parse
from eznas.system.files import plain
from tests.evolution import made_up
from tests.evolution.made_up import NAMES, SEEDS, MadeUp, engine, journal, planted


@pytest.fixture
def evaluated(monkeypatch):
    """(module that asked, canonical text, networks) of every formula evaluated, in order."""
    evaluations = []
    for module in (sample, constants):

        def recording(*arguments, module=module, evaluate=module.evaluate_fitness, **keywords):
            formulas, _, _, networks, *_ = arguments
            evaluations.extend((module, f.canonical.text, networks) for f in formulas)
            return evaluate(*arguments, **keywords)

        monkeypatch.setattr(module, "evaluate_fitness", recording)
    return evaluations


class Recording(Engine):
    """Records how many random trees were asked for, and all individuals and their results."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.random_tree_counts, self.individuals, self.results = [], [], {}
        self._random_trees, self._evaluate = self._breeder.random_trees, self._sample.evaluate
        self._breeder.random_trees, self._sample.evaluate = self._counted, self._recorded

    def _counted(self, count):
        self.random_tree_counts.append(count)
        return self._random_trees(count)

    def _recorded(self, individuals):
        self.individuals += individuals
        pairs = self._evaluate(individuals)
        self.results |= {i.text: self._sample.results[i.text] for i in individuals}
        return pairs


def test_the_best_never_gets_worse_on_one_sample():
    for seed in range(2):
        fitness = [g.best.fitness for g in engine(seed, first_networks=32).run()]
        assert fitness == sorted(fitness)


def test_evolution_finds_more_than_the_planted_feature():
    for seed in range(2):
        *_, last = engine(seed, first_networks=32, greedy_terms=0).run()
        small = engine(seed, first_networks=32, greedy_terms=0, population=3)
        first = next(iter(small.run()))
        assert last.best.fitness > first.best.fitness
        assert last.best.fitness > 0.5


def test_the_best_is_the_first_of_the_archive_and_its_numbers_are_right():
    search = engine(1)
    for report in search.run():
        best = search.archive.ranked()[0]
        assert report.best == best
        assert best.networks == report.networks
        assert parse(best.formula).canonical.text == best.canonical
        assert parse(best.formula).size == best.size
        assert best.fitness == pytest.approx((sum(best.taus) / 2 + min(best.taus)) / 2)


def test_equal_texts_are_evaluated_once_per_sample(evaluated):
    list(engine(1).run())
    counts = Counter((text, networks) for by, text, networks in evaluated if by is sample)
    assert len(counts) > 100
    assert set(counts.values()) == {1}


def test_every_evaluation_is_counted(evaluated):
    search, count = engine(1), 0
    for report in search.run():
        # The start of a local search is evaluated a second time, which is not counted.
        distinct = {(parse(text).canonical.text, networks) for _, text, networks in evaluated}
        assert report.evaluations == len(distinct) - count
        count = len(distinct)
    assert search.evaluations == count


def test_features_and_pairs_are_counted():
    evaluate = MadeUp(planted())
    pairs = 0
    for report in engine(1, evaluate, greedy_terms=0).run():
        pairs += report.pairs
        assert report.features == len({text for _, _, text in evaluate.evaluated})
    assert pairs == SHARD * evaluate.evaluated.total()  # 32 networks: every shard is full
    assert set(evaluate.evaluated.values()) == {1}


def test_statistics_beyond_the_grammar_stay_in_the_features_of_seeds(evaluated):
    list(engine(1, generations=8).run())
    beyond_grammar = {
        feature.text
        for _, text, _ in evaluated
        for feature in parse(text).features()
        if not set(feature.statistics()) <= set(made_up.STATISTICS)
    }
    assert beyond_grammar == {parse(made_up.SEEDS[1]).canonical.text}


def test_seeds_are_evaluated_in_generation_0(evaluated):
    next(iter(engine(1).run()))
    texts = {text for _, text, _ in evaluated}
    assert {parse(s).canonical.text for s in made_up.SEEDS} <= texts


@pytest.mark.parametrize("greedy_terms", [4, 0])
def test_greedy_formulas_join_generation_0_if_configured(greedy_terms):
    search = engine(1, greedy_terms=greedy_terms, make=Recording)
    next(iter(search.run()))
    individuals = search.individuals
    assert len({i.text for i in individuals if i.origin == "greedy"}) == greedy_terms
    assert sum(i.origin == "seed" for i in individuals) == len(made_up.SEEDS)
    assert len([i for i in individuals if i.origin != "tuned"]) == 20


def test_an_unbeaten_seed_stays_in_the_archive():
    text = parse(made_up.SEEDS[1]).canonical.text  # beyond the grammar: only the seed has it
    search = engine(1, MadeUp({text: made_up.accuracies()}), greedy_terms=0)
    *_, last = search.run()
    assert text in last.best.canonical
    assert last.best.fitness == 1.0


def test_the_sample_grows_after_a_third_of_the_generations():
    config = EvolutionConfig(generations=10, first_networks=16, networks=32)
    assert [config.sample_size(g) for g in range(11)] == [*[16] * 4, *[32] * 7]
    assert EvolutionConfig(generations=0, first_networks=8, networks=32).sample_size(0) == 8
    assert [g.networks for g in engine(1).run()] == [16, 16, 32, 32, 32]


def test_the_archive_never_mixes_samples():
    search = engine(1)
    for report in search.run():
        assert {e.networks for e in search.archive.ranked()} == {report.networks}


def test_the_archive_is_evaluated_again_when_the_sample_grows(evaluated):
    search = engine(1)
    reports = search.run()
    first = report = next(reports)
    while report.networks == first.networks:
        archived = {e.canonical for e in search.archive.ranked()}
        report = next(reports)
    evaluated_again = {
        text for by, text, networks in evaluated if by is sample and networks > first.networks
    }
    assert archived <= evaluated_again


def test_equal_seeds_equal_journals():
    assert journal(1) == journal(1)
    assert journal(1) != journal(2)


def test_a_seed_gives_the_same_journal_in_every_process(other_process):
    assert other_process["journal"] == journal()


def test_features_filled_earlier_change_nothing():
    search = engine(1)
    search._sample.table.fill([parse("max_layers(square(layer_flops))")], len(NAMES))
    progress = [(g.best, g.median, g.evaluations) for g in search.run()]
    assert progress == [(g.best, g.median, g.evaluations) for g in engine(1).run()]


def test_fresh_blood_comes_when_progress_stops():
    # Every feature is the same for all networks: no formula is ever better than another.
    evaluate = MadeUp(faults=False)
    evaluate._value = lambda *_: 0.25
    settings = {"first_networks": 32, "fresh_blood_after": 2, "greedy_terms": 0}
    search = engine(1, evaluate, make=Recording, **settings)
    list(search.run())
    first, *later = search.random_tree_counts
    assert first == 20 - len(made_up.SEEDS)
    assert later == [1, 1, 8, 8]  # of 20 offspring: 5 %, then 40 %


def test_little_fresh_blood_while_there_is_progress():
    search = engine(1, make=Recording, first_networks=32, fresh_blood_after=99)
    list(search.run())
    assert search.random_tree_counts[1:] == [1] * 4


def test_deap_never_sees_nan(monkeypatch):
    fitness_values = []

    def recording(self, values):
        fitness_values.extend(values)
        self.setValues(values)

    monkeypatch.setattr(Fitness, "values", property(Fitness.getValues, recording))
    reasons = Counter()
    for report in engine(1).run():
        reasons.update(report.reasons)
    assert len(fitness_values) > 100
    assert all(math.isfinite(v) and WORST <= v <= 1 for v in fitness_values)
    assert {"coverage", "infinite", "undefined"} <= set(reasons)  # so NaN could have come


def test_undefined_formulas_are_the_worst_and_counted():
    search = engine(1, make=Recording)
    report = next(iter(search.run()))
    undefined = [result for result in search.results.values() if result.reason]
    assert report.reasons == dict(Counter(result.reason for result in undefined))
    assert report.valid == pytest.approx(1 - len(undefined) / 20)
    assert 0 < report.valid < 1
    assert {result.fitness for result in undefined} == {WORST}


def test_children_keep_within_the_limits():
    limits = {"max_nodes": 12, "max_depth": 5, "max_terms": 3, "max_constants": 2}
    search = engine(1, make=Recording, **limits)
    list(search.run())
    bred = [i for i in search.individuals if i.origin not in ("seed", "greedy", "tuned")]
    assert len(bred) > 50
    assert all(is_within(i.expression, search._config) for i in bred)
    assert {i.origin for i in bred} > {"random", "crossover", "extend"}


def test_children_have_the_primitives_of_the_grammar_and_of_the_seeds():
    without = [p for p in DEFAULT_PRIMITIVES if p not in ("max", "min", "log", "mean_layers")]
    search = engine(1, make=Recording, primitives=without)
    list(search.run())
    bred = [i for i in search.individuals if i.origin != "seed"]
    of_seeds = set[str]().union(*(parse(seed).primitives() for seed in SEEDS))
    assert len(bred) > 50
    assert all(i.expression.primitives() <= of_seeds.union(without) for i in bred)


def test_the_population_keeps_its_size_and_its_best():
    search = engine(1, first_networks=32)
    for report in search.run():
        assert sum(report.origins.values()) == len(search._population) == 20
        texts = [i.text for i in search._population]
        assert len(set(texts)) == len(texts)
        assert report.best.canonical in texts


def test_the_median_is_that_of_the_population():
    search = engine(1)
    for report in search.run():
        fitness = sorted(i.fitness.values[0] for i in search._population)
        assert report.median == (fitness[9] + fitness[10]) / 2


def test_disconnected_networks_are_counted_within_the_sample():
    search = engine(1, disconnected=[int(i % 4 == 0) for i in range(len(NAMES))])
    assert [g.disconnected for g in search.run()] == [4, 4, 8, 8, 8]


def test_a_grammar_too_small_for_its_population_ends_all_the_same():
    settings = {"max_nodes": 1, "max_depth": 2, "greedy_terms": 0, "generations": 1}
    first, last = engine(1, known_features=False, **settings).run()
    assert first.origins == last.origins == {"random": 1, "seed": 2}  # only `params` is so short


def test_a_search_without_generations_is_generation_0():
    (only,) = engine(1, generations=0).run()
    assert only.generation == 0


def test_reports_are_plain_data():
    for line in journal(1):
        assert set(json.loads(line)) == {
            "generation",
            "networks",
            "best",
            "median",
            "valid",
            "evaluations",
            "features",
            "pairs",
            "reasons",
            "origins",
            "disconnected",
            "failed",
        }


def test_a_resumed_search_goes_on_as_if_it_had_never_stopped():
    expected = journal(3)
    for stop in range(5):
        first, lines = engine(3), []
        for report in first.run():
            lines.append(json.dumps(plain(asdict(report))))
            if report.generation == stop:
                break
        state = State.model_validate_json(first.state().model_dump_json())
        second = engine(4)
        second.resume(state)
        assert second.state() == state
        lines += [json.dumps(plain(asdict(report))) for report in second.run()]
        assert lines == expected


class Poisoned(MadeUp):
    """One network cannot be measured, and two features cannot be evaluated."""

    UNUSABLE = ("sum_layers(layer_params)", "max_layers(log(layer_flops))")

    def __call__(self, shards, texts):
        answers = super().__call__(shards, texts)
        unusable = [row for row, text in enumerate(texts) if text in self.UNUSABLE]
        for shard, answer in zip(shards, answers, strict=True):
            killed = [name == NAMES[5] for name in shard.architectures]
            answer.values[:, killed] = math.nan
            answer.status[:, killed] = Status.NETWORK_KILLED
            answer.values[unusable] = math.nan
            answer.status[unusable] = Status.FEATURE_HUNG
        return answers


def test_networks_and_features_that_fail_leave_a_reason_and_the_search_goes_on():
    evaluate = Poisoned(planted())
    search = engine(1, evaluate)
    reports = list(search.run())
    assert len(reports) == 5
    assert all(r.failed == {"network killed": 1} for r in reports)
    assert sum(r.reasons.get("hung", 0) for r in reports) >= 1  # a seed is one of them
    assert reports[-1].best.fitness > 0.3
    attempts = Counter(text for _, _, text in evaluate.evaluated.elements())
    assert {attempts[t] for t in Poisoned.UNUSABLE} == {2}  # the shards of the first sample, once
    resumed_evaluate = Poisoned(planted())
    resumed = engine(1, resumed_evaluate)
    resumed.resume(search.state())
    assert resumed.state() == search.state()
    assert not {text for _, _, text in resumed_evaluate.evaluated} & set(Poisoned.UNUSABLE)


def test_what_is_shipped_has_the_archive_s_fitness_and_order():
    search = engine(generations=3)
    for _ in search.run():
        pass
    entries, shipped = search.archive.ranked(), search.shipped()
    assert [e.fitness for e in shipped] == sorted((e.fitness for e in shipped), reverse=True)
    assert len({e.canonical for e in shipped}) == len(shipped) <= len(entries)
    by_fitness = {e.fitness: e.taus for e in entries}
    assert all(by_fitness[e.fitness] == e.taus for e in shipped)
    digits = [len(e.formula) for e in shipped]
    assert sum(digits) < sum(len(e.formula) for e in entries[: len(shipped)])
    assert search.shipped() == shipped
