"""Workers that die, hang or fail: the numbers of everything else are as they would have been."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.evaluation import evaluator as room
from eznas.evaluation.evaluator import Evaluator, Place
from eznas.evaluation.executors import RayWorkers, Serial
from eznas.evaluation.status import OF_FORMULAS, OF_NETWORKS
from eznas.spaces import SPACES
from tests.evaluation.test_executors import (
    KEPT,
    SETTINGS,
    SHARDS,
    STRINGS,
    TEXTS,
    evaluator,
    from_ray,
    same,
)

KILLER, HANGER = "sum_layers(layer_params) * 1.5", "sum_layers(layer_params) * 2.5"
FAILING = STRINGS[2]


class Deadly(Evaluator):
    """Dies of a text or of a network, and never comes back from another."""

    network = ""

    def evaluate(self, shard, texts, place=0):
        if KILLER in texts or self.network in shard[1]:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGER in texts:
            time.sleep(1000)
        return super().evaluate(shard, texts, place)

    def measured(self, shard, texts, place=0):
        if self.network in shard[1]:
            os.kill(os.getpid(), signal.SIGKILL)
        super().measured(shard, texts, place)


class Dooming(Deadly):
    network = STRINGS[1]


def deadly(kind=Deadly, lenient=True):
    return kind((Place(SPACES["nasbench201"], SETTINGS),), KEPT, lenient=lenient)


@pytest.fixture(scope="module")
def reference():
    return Serial(evaluator).evaluate(SHARDS, TEXTS)


@pytest.fixture
def team():
    """Makes workers of a kind, and stops them."""
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    made = []

    def make(kind, count=2, lenient=True, **more):
        made.append(RayWorkers(lambda: deadly(kind, lenient), count, **more))
        return made[-1]

    yield make
    for workers in made:
        workers.close()


def pids():
    """Processes of Ray's that hold an evaluator."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ray::" in (line := path.read_bytes()) and b"Deadly" in line:
                found.append(int(path.parent.name))
        except OSError:  # it has ended meanwhile
            continue
    return found


@pytest.mark.ray
@from_ray
def test_workers_that_are_killed_over_and_over(reference, team):
    """From outside, while they measure and while they evaluate."""
    workers, done, kills = team(Deadly), threading.Event(), list[int]()
    deadline = time.monotonic() + 300

    def kill():
        while not done.wait(1.5) and len(kills) < 6:
            for pid in pids()[:1]:
                os.kill(pid, signal.SIGKILL)
                kills.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        while len(kills) < 6 and time.monotonic() < deadline:
            same(workers.evaluate(SHARDS, TEXTS), reference)
    finally:
        done.set()
        killer.join()
    assert len(kills) == 6
    same(workers.evaluate(SHARDS, TEXTS), reference)


@pytest.mark.ray
@from_ray
def test_a_formula_that_kills_its_worker_gets_a_code_and_the_rest_its_numbers(reference, team):
    texts = [*TEXTS[:3], KILLER, *TEXTS[3:]]
    workers = team(Deadly)
    values, coverage = workers.evaluate(SHARDS, texts)
    others = [0, 1, 2, 4, 5]
    same((values[:, others].copy(), coverage[:, others].copy()), reference)
    assert (coverage[:, 3] == OF_FORMULAS["killed"]).all()
    assert np.isnan(values[:, 3]).all()
    workers.made.lenient = False
    with pytest.raises(
        InputError, match=r"shard \d again and again takes its worker down; is ther"
    ):
        workers.evaluate(SHARDS, [KILLER])


@pytest.mark.slow
@pytest.mark.ray
@from_ray
def test_a_formula_that_hangs_is_cut_off(reference, team):
    shards = SHARDS[1:2]
    values, coverage = team(Deadly, 1, limit=25).evaluate(shards, [TEXTS[0], HANGER])
    assert values[:, 0, 0].tolist() == reference[0][:, 0, 2].tolist()
    assert (coverage[:, 1] == OF_FORMULAS["hung"]).all()


@pytest.mark.ray
@from_ray
def test_a_network_that_kills_its_worker_is_left_out(reference, team):
    workers = team(Dooming, 1)
    values, coverage = workers.evaluate(SHARDS[:1], TEXTS)
    assert (coverage[..., 1] == OF_NETWORKS["network killed"]).all()
    assert np.isnan(values[..., 1]).all()
    # The last bits depend on what is stacked: without the other it stands alone.
    np.testing.assert_allclose(values[..., 0], reference[0][..., 0], rtol=1e-12)
    actors = list(workers._actors)
    same(workers.evaluate(SHARDS[:1], TEXTS), (values, coverage))
    assert workers._actors == actors  # it is not touched again
    with pytest.raises(InputError, match=r"shard 7 takes its worker down with each .*eznas doctor"):
        workers.evaluate([(7, (STRINGS[1], STRINGS[1]))], TEXTS)


def fails(architecture, classes=10):
    """A space one of whose networks fails in its forward pass."""
    model = SPACES["nasbench201"].build(architecture, classes)
    if architecture == FAILING:
        model.append(torch.nn.Linear(3, 3))
    return model


def lenient(statistics=KEPT):
    broken = replace(SPACES["nasbench201"], name="broken", build=fails)
    return Evaluator((Place(broken, SETTINGS),), statistics, lenient=True)


def test_a_network_that_fails_in_forward_is_left_out():
    shard = (0, (STRINGS[0], FAILING, STRINGS[3]))
    values, coverage = lenient().evaluate(shard, TEXTS)
    assert (coverage[..., 1] == OF_NETWORKS["forward"]).all()
    assert np.isnan(values[..., 1]).all()
    rest = [0, 2]
    alone = evaluator().evaluate((0, (STRINGS[0], STRINGS[3])), TEXTS)
    same((values[..., rest].copy(), coverage[..., rest].copy()), alone)
    everything = lenient().evaluate((0, (FAILING,)), TEXTS)
    assert (everything[1] == OF_NETWORKS["forward"]).all()
    strict = lenient()
    strict.lenient = False
    with pytest.raises(InputError, match="forward failed"):
        strict.evaluate(shard, TEXTS)


def test_a_network_that_fails_at_one_statistic_fails_for_what_needs_it(monkeypatch):
    """The rest keeps its numbers to the bit, whatever was asked before."""
    measure = room.measure

    def picky(model, conditions, rows):
        rows = list(rows)
        if any(r.name == "weight" for r in rows):
            picky.count += 1
            if picky.count % 3 == 2:  # the second of three networks
                raise InputError("no weight")
        return measure(model, conditions, rows)

    shard = (0, (STRINGS[0], FAILING, STRINGS[3]))
    whole = evaluator().evaluate(shard, TEXTS)
    picky.count = 0
    monkeypatch.setattr(room, "measure", picky)
    made, fresh = evaluator(), evaluator()
    made.lenient = fresh.lenient = True
    made.evaluate(shard, TEXTS[:2])
    values, coverage = made.evaluate(shard, TEXTS)
    same(fresh.evaluate(shard, TEXTS), (values, coverage))
    needs = 3
    others = [i for i in range(len(TEXTS)) if i != needs]
    assert (coverage[:, needs, 1] == OF_NETWORKS["forward"]).all()
    assert np.isfinite(values[:, needs][:, [0, 2]]).all()
    same(
        (values[:, others].copy(), coverage[:, others].copy()),
        (whole[0][:, others], whole[1][:, others]),
    )


def test_a_formula_without_memory_gets_a_code_and_the_rest_its_numbers(reference, monkeypatch):
    real = room.evaluate

    def greedy(plan, shard, cache):
        if any("weight" in root.text for root in plan.roots):
            torch.empty(1 << 60)
        return real(plan, shard, cache)

    monkeypatch.setattr(room, "evaluate", greedy)
    values, coverage = Serial(evaluator).evaluate(SHARDS, TEXTS)
    others = [0, 1, 2, 4]
    same(
        (values[:, others].copy(), coverage[:, others].copy()),
        (reference[0][:, others], reference[1][:, others]),
    )
    assert (coverage[:, 3] == OF_FORMULAS["memory"]).all()


def test_other_errors_keep_their_traceback(monkeypatch):
    def wrong(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(room, "evaluate", wrong)
    with pytest.raises(RuntimeError, match="a bug"):
        evaluator().evaluate(SHARDS[0], TEXTS)
