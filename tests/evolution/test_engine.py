"""The engine on made-up measures: its books, its sample, and that it repeats and improves."""

import json
import math
from collections import Counter
from dataclasses import asdict

import pytest

from eznas.evaluation.feature_table import SHARD
from eznas.evaluation.status import OF_FORMULAS, OF_NETWORKS
from eznas.evolution import constants, randomness
from eznas.evolution import engine as module
from eznas.evolution.engine import Engine, Search
from eznas.evolution.fitness import WORST
from eznas.evolution.grammar import Fitness
from eznas.evolution.state import State
from eznas.evolution.variation import Limits
from eznas.formulas.parser import parse
from eznas.system.files import plain
from tests.evolution import made_up
from tests.evolution.made_up import NAMES, MadeUp, engine, journal, planted


@pytest.fixture
def judged(monkeypatch):
    """(by the engine or by tuning, canonical text, networks) of every formula judged, in order."""
    found = []
    for by, home in (("engine", module), ("tuning", constants)):

        def spied(formulas, table, tasks, networks, by=by, judge=home.judge):
            found.extend((by, f.canonical.text, networks) for f in formulas)
            return judge(formulas, table, tasks, networks)

        monkeypatch.setattr(home, "judge", spied)
    return found


class Watched(Engine):
    """Tells how many fresh trees it asked for, and what it admitted."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.fresh, self.asked, self.found = [], [], {}

    def _fresh(self, count):
        self.fresh.append(count)
        return super()._fresh(count)

    def _tell(self, individuals):
        self.asked += individuals
        pairs = super()._tell(individuals)
        self.found |= {i.text: self._judged[i.text] for i in individuals}
        return pairs


def test_the_best_never_gets_worse_on_one_sample():
    for seed in range(2):
        fitness = [g.best.fitness for g in engine(seed, start=32).run()]
        assert fitness == sorted(fitness)


def test_evolution_finds_more_than_the_planted_measure():
    for seed in range(2):
        *_, last = engine(seed, start=32, greedy=0).run()
        first = next(iter(engine(seed, start=32, greedy=0, population=3).run()))
        assert last.best.fitness > first.best.fitness
        assert last.best.fitness > 0.5


def test_the_best_is_what_the_archive_has_first_and_its_numbers_hold():
    run = engine(1)
    for report in run.run():
        best = run.archive.ranked()[0]
        assert report.best == best
        assert best.networks == report.networks
        assert parse(best.formula).canonical.text == best.canonical
        assert parse(best.formula).size == best.size
        assert best.fitness == pytest.approx((sum(best.taus) / 2 + min(best.taus)) / 2)


def test_equal_texts_are_judged_once_per_sample(judged):
    list(engine(1).run())
    told = Counter((text, networks) for by, text, networks in judged if by == "engine")
    assert len(told) > 100
    assert set(told.values()) == {1}


def test_every_evaluation_is_counted(judged):
    run, seen = engine(1), 0
    for report in run.run():
        # What was judged before is judged again as the start of a local search, and not counted.
        distinct = {(parse(text).canonical.text, networks) for _, text, networks in judged}
        assert report.evaluations == len(distinct) - seen
        seen = len(distinct)
    assert run.evaluations == seen


def test_measures_and_pairs_are_counted():
    evaluate = MadeUp(planted())
    pairs = 0
    for report in engine(1, evaluate, greedy=0).run():
        pairs += report.pairs
        assert report.measures == len({text for _, text in evaluate.asked})
    assert pairs == SHARD * evaluate.asked.total()  # 32 networks: every shard is whole
    assert set(evaluate.asked.values()) == {1}


def test_what_is_beyond_the_language_stays_in_the_measures_of_seeds(judged):
    list(engine(1, generations=8).run())
    foreign = {
        m.text
        for _, text, _ in judged
        for m in parse(text).features()
        if not set(m.statistics()) <= set(made_up.STATISTICS)
    }
    assert foreign == {parse(made_up.SEEDS[1]).canonical.text}


def test_seeds_are_judged_in_generation_0(judged):
    next(iter(engine(1).run()))
    texts = {text for _, text, _ in judged}
    assert {parse(s).canonical.text for s in made_up.SEEDS} <= texts


@pytest.mark.parametrize("greedy", [4, 0])
def test_greedy_formulas_join_where_asked(greedy):
    run = engine(1, greedy=greedy, make=Watched)
    next(iter(run.run()))
    assert len({i.text for i in run.asked if i.origin == "greedy"}) == greedy
    assert sum(i.origin == "seed" for i in run.asked) == len(made_up.SEEDS)
    assert len([i for i in run.asked if i.origin != "tuned"]) == 20


def test_a_seed_of_no_equal_stays_in_the_archive():
    secret = made_up.SEEDS[1]  # beyond the language: only the seed can say it
    text = parse(secret).canonical.text
    run = engine(1, MadeUp({text: made_up.accuracies()}), greedy=0)
    *_, last = run.run()
    assert text in last.best.canonical
    assert last.best.fitness == 1.0


def test_the_sample_grows_after_a_third_of_the_generations():
    search = Search(generations=10, start=16, networks=32)
    assert [search.sample(g) for g in range(11)] == [*[16] * 4, *[32] * 7]
    assert [Search(generations=0, start=8, networks=32).sample(g) for g in (0,)] == [8]
    assert [g.networks for g in engine(1).run()] == [16, 16, 32, 32, 32]


def test_the_archive_never_mixes_samples():
    run = engine(1)
    for report in run.run():
        assert {e.networks for e in run.archive.ranked()} == {report.networks}


def test_growth_judges_survivors_again(judged):
    run = engine(1)
    reports = run.run()
    first = report = next(reports)
    while report.networks == first.networks:
        before = {e.canonical for e in run.archive.ranked()}
        report = next(reports)
    again = {text for by, text, networks in judged if by == "engine" and networks > first.networks}
    assert before <= again


def test_equal_seeds_equal_journals():
    assert journal(1) == journal(1)
    assert journal(1) != journal(2)


def test_a_seed_gives_the_same_journal_in_every_process(elsewhere):
    assert elsewhere["journal"] == journal()


def test_what_was_measured_before_changes_nothing():
    run = engine(1)
    run._table.fill([parse("max_layers(square(layer_flops))")], len(NAMES))
    fitness = [(g.best, g.median, g.evaluations) for g in run.run()]
    assert fitness == [(g.best, g.median, g.evaluations) for g in engine(1).run()]


def test_fresh_blood_comes_when_progress_stops():
    # Every measure says the same of every network: no formula is ever better than another.
    flat = MadeUp(faults=False)
    flat._value = lambda *_: 0.25
    run = engine(1, flat, make=Watched, start=32, unrest=2, greedy=0)
    list(run.run())
    first, *later = run.fresh
    assert first == 20 - len(made_up.SEEDS)
    assert later == [1, 1, 8, 8]  # of 20 offspring: 5 %, then 40 %


def test_little_fresh_blood_while_there_is_progress():
    run = engine(1, make=Watched, start=32, unrest=99)
    list(run.run())
    assert run.fresh[1:] == [1] * 4


def test_deap_never_sees_nan(monkeypatch):
    seen = []

    def checked(self, values):
        seen.extend(values)
        self.setValues(values)

    monkeypatch.setattr(Fitness, "values", property(Fitness.getValues, checked))
    reasons = Counter()
    for report in engine(1).run():
        reasons.update(report.reasons)
    assert len(seen) > 100
    assert all(math.isfinite(v) and WORST <= v <= 1 for v in seen)
    assert {"coverage", "infinite", "undefined"} <= set(reasons)  # there was what to avoid


def test_undefined_formulas_are_the_worst_and_counted():
    run = engine(1, make=Watched)
    report = next(iter(run.run()))
    undefined = [j for j in run.found.values() if j.reason]
    assert report.reasons == dict(Counter(j.reason for j in undefined))
    assert report.valid == pytest.approx(1 - len(undefined) / run._search.population)
    assert 0 < report.valid < 1
    assert {j.fitness for j in undefined} == {WORST}


def test_children_keep_within_the_limits():
    limits = Limits(nodes=12, depth=5)
    run = engine(1, make=Watched, limits=limits)
    list(run.run())
    bred = [i for i in run.asked if i.origin not in ("seed", "greedy", "tuned")]
    assert len(bred) > 50
    assert all(limits.admit(i) for i in bred)
    assert {i.origin for i in bred} > {"random", "crossover", "extend"}


def test_the_population_keeps_its_size_and_its_best():
    run = engine(1, start=32)
    for report in run.run():
        assert sum(report.origins.values()) == len(run._population) == 20
        texts = [i.text for i in run._population]
        assert len(set(texts)) == len(texts)
        assert report.best.canonical in texts


def test_the_median_is_that_of_the_population():
    run = engine(1)
    for report in run.run():
        fitness = sorted(i.fitness.values[0] for i in run._population)
        assert report.median == (fitness[9] + fitness[10]) / 2


def test_disconnected_networks_are_counted_within_the_sample():
    run = engine(1)
    run._dead = [int(i % 4 == 0) for i in range(len(NAMES))]
    assert [g.disconnected for g in run.run()] == [4, 4, 8, 8, 8]


def test_a_language_too_small_for_its_population_ends_all_the_same():
    run = engine(1, library=False, limits=Limits(nodes=1, depth=2), greedy=0, generations=1)
    first, last = run.run()
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
            "measures",
            "pairs",
            "reasons",
            "origins",
            "disconnected",
            "failed",
        }


def test_a_search_that_is_put_down_and_taken_up_is_the_same():
    expected = made_up.journal(3)
    for stop in range(5):
        first, told = made_up.engine(3), []
        for report in first.run():
            told.append(json.dumps(plain(asdict(report))))
            if report.generation == stop:
                break
        state = State.model_validate_json(first.state().model_dump_json())
        randomness.seed(99)
        second = made_up.engine(4)
        second.resume(state)
        assert second.state() == state
        told += [json.dumps(plain(asdict(report))) for report in second.run()]
        assert told == expected


class Poisoned(MadeUp):
    """One network cannot be measured, and two measures cannot be evaluated."""

    KILLED = ("sum_layers(layer_params)", "max_layers(log(layer_flops))")

    def __call__(self, shards, texts):
        values, coverage = super().__call__(shards, texts)
        own = [a for _, architectures in shards for a in architectures]
        if NAMES[5] in own:
            values[..., own.index(NAMES[5])] = math.nan
            coverage[..., own.index(NAMES[5])] = OF_NETWORKS["network killed"]
        for row in (i for i, t in enumerate(texts) if t in self.KILLED):
            values[:, row] = math.nan
            coverage[:, row] = OF_FORMULAS["hung"]
        return values, coverage


def test_poison_leaves_a_reason_and_the_search_goes_on():
    evaluate = Poisoned(planted())
    run = engine(1, evaluate)
    reports = list(run.run())
    assert len(reports) == 5
    assert all(r.failed == {"network killed": 1} for r in reports)
    assert sum(r.reasons.get("hung", 0) for r in reports) >= 1  # a seed is one of them
    assert reports[-1].best.fitness > 0.3
    asked = Counter(text for _, text in evaluate.asked.elements())
    assert {asked[t] for t in Poisoned.KILLED} == {2}  # the shards of the first sample, once
    again = engine(1, Poisoned(planted()))
    again.resume(run.state())
    assert again.state() == run.state()
    assert not set(again._table._evaluate.asked) & {(0, t) for t in Poisoned.KILLED}
