"""Workers that die, hang or fail: the numbers of everything else are as they would have been."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.evaluation import evaluator as evaluator_module
from eznas.evaluation import measuring
from eznas.evaluation.contexts import Context
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.executors import SerialExecutor
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.ray_executor import RayExecutor
from eznas.evaluation.status import Status
from eznas.evaluation.workers import Workers
from eznas.spaces import SPACES
from tests.evaluation.networks import (
    ARCHITECTURES,
    CONFIGS,
    CONTEXTS,
    FEATURES,
    PARAMS,
    SHARDS,
    STATISTICS,
    WEIGHT,
    assert_equal,
    evaluate,
    in_both_contexts,
    make_evaluator,
)
from tests.evaluation.ray_marks import on_ray

KILLER, HANGER = "sum_layers(layer_params) * 1.5", "sum_layers(layer_params) * 2.5"
FAILING = ARCHITECTURES[2]
SHARD_OF_THREE = Shard(0, 0, (ARCHITECTURES[0], FAILING, ARCHITECTURES[3]))
KILLS = 6  # too few to have an innocent network or feature blamed


class FatalEvaluator(Evaluator):
    """Kills its process at a feature or a network, and never comes back from another feature."""

    fatal_network = ""

    def evaluate(self, key, architectures, texts):
        if KILLER in texts or self.fatal_network in architectures:
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGER in texts:
            time.sleep(1000)
        return super().evaluate(key, architectures, texts)

    def measure(self, key, architectures, texts):
        if self.fatal_network in architectures:
            os.kill(os.getpid(), signal.SIGKILL)
        super().measure(key, architectures, texts)


class FatalNetworkEvaluator(FatalEvaluator):
    fatal_network = ARCHITECTURES[1]


def make_fatal(evaluator_class=FatalEvaluator, folder=None, driver=None):
    """An evaluator; a worker's process leaves a file of its number in a folder."""
    if folder is not None and os.getpid() != driver:
        (folder / str(os.getpid())).touch()
    return evaluator_class(CONTEXTS, STATISTICS, lenient=True)


@pytest.fixture
def start_workers():
    """Starts lenient workers on Ray, and stops them."""
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    started = []

    def start(make_state, count=2, **options):
        started.append(Workers(RayExecutor(make_state, count, **options), lenient=True))
        return started[-1]

    yield start
    for workers in started:
        workers.close()


def kill_oldest(folder):
    """Kill the process that has been in a folder (see `make_fatal`) longest; how many that is."""
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    for file in files[:1]:
        os.kill(int(file.name), signal.SIGKILL)
        file.unlink()
    return len(files[:1])


@on_ray
def test_workers_that_are_killed_over_and_over(reference, start_workers, tmp_path):
    """From outside, while they measure and while they evaluate."""
    make_state = partial(make_fatal, folder=tmp_path, driver=os.getpid())
    workers, done = start_workers(make_state), threading.Event()
    deadline, kills = time.monotonic() + 300, 0

    def kill():
        nonlocal kills
        while not done.wait(1.5) and kills < KILLS:
            kills += kill_oldest(tmp_path)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        while kills < KILLS and time.monotonic() < deadline:
            assert_equal(workers.evaluate(SHARDS, FEATURES), reference)
    finally:
        done.set()
        killer.join()
    assert kills == KILLS
    assert_equal(workers.evaluate(SHARDS, FEATURES), reference)


@on_ray
def test_a_feature_that_kills_its_worker_gets_a_status_and_the_rest_its_numbers(
    reference, start_workers
):
    texts = [*FEATURES[:3], KILLER, *FEATURES[3:]]
    workers = start_workers(make_fatal)
    values = workers.evaluate(SHARDS, texts)
    assert_equal([v.rows([0, 1, 2, 4, 5]) for v in values], reference)
    killer = FeatureValues.beside([v.rows([3]) for v in values])
    assert (killer.status == Status.FEATURE_KILLED).all()
    assert np.isnan(killer.values).all()
    strict_workers = Workers(workers._executor, lenient=False)
    with pytest.raises(
        InputError, match=r"shard \d crashes or hangs its worker again and again; is"
    ):
        strict_workers.evaluate(SHARDS, [KILLER])


@pytest.mark.slow
@on_ray
def test_a_feature_that_hangs_is_cut_off(reference, start_workers):
    workers = start_workers(make_fatal, 1, call_timeout=25)
    (values,) = workers.evaluate(SHARDS[1:2], [FEATURES[0], HANGER])
    assert_equal([values.rows([0])], [reference[1].rows([0])])
    assert (values.status[1] == Status.FEATURE_HUNG).all()


@on_ray
def test_a_network_that_kills_its_worker_is_left_out(reference, start_workers):
    """In every context; what was learnt in one says nothing of another."""
    workers = start_workers(partial(make_fatal, FatalNetworkEvaluator), 1)
    indices = in_both_contexts(0)
    shards = [SHARDS[i] for i in indices]
    values = workers.evaluate(shards, FEATURES)
    fatal = {(context, 0, 1): "network killed" for context in (0, 1)}
    assert workers._crashing_networks.networks == fatal
    for shard_values, i in zip(values, indices, strict=True):
        assert (shard_values.status[:, 1] == Status.NETWORK_KILLED).all()
        assert np.isnan(shard_values.values[:, 1]).all()
        # The last bits depend on what is stacked: without the other it stands alone.
        np.testing.assert_allclose(shard_values.values[:, 0], reference[i].values[:, 0], rtol=1e-12)
    actors = list(workers._executor._actors)
    assert_equal(workers.evaluate(shards, FEATURES), values)
    assert workers._executor._actors == actors  # it is not touched again
    with pytest.raises(
        InputError, match=r"shard 7 crashes or hangs its worker with each .*eznas doctor"
    ):
        workers.evaluate([Shard(0, 7, (ARCHITECTURES[1],) * 2)], FEATURES)


def build_failing(architecture, classes=10):
    """A network of NAS-Bench-201, one of which fails in its forward pass."""
    model = SPACES["nasbench201"].build(architecture, classes)
    if architecture == FAILING:
        model.append(torch.nn.Linear(3, 3))
    return model


def make_with_failing(lenient=True):
    space = replace(SPACES["nasbench201"], name="broken", build=build_failing)
    contexts = tuple(Context(space, config) for config in CONFIGS)
    return Evaluator(contexts, STATISTICS, lenient=lenient)


@pytest.mark.parametrize("context", [0, 1])
def test_a_network_that_fails_in_forward_is_left_out(context):
    shard = SHARD_OF_THREE._replace(context=context)
    values = evaluate(make_with_failing(), shard, FEATURES)
    assert (values.status[:, 1] == Status.FORWARD_FAILED).all()
    assert np.isnan(values.values[:, 1]).all()
    others = shard._replace(architectures=(ARCHITECTURES[0], ARCHITECTURES[3]))
    assert_equal([values.columns([0, 2])], [evaluate(make_evaluator(), others, FEATURES)])
    alone = shard._replace(architectures=(FAILING,))
    assert (evaluate(make_with_failing(), alone, FEATURES).status == Status.FORWARD_FAILED).all()
    with pytest.raises(InputError, match="forward failed"):
        evaluate(make_with_failing(lenient=False), shard, FEATURES)


@pytest.mark.parametrize("context", [0, 1])
def test_a_network_that_fails_at_one_statistic_fails_for_what_needs_it(monkeypatch, context):
    """The rest keeps its numbers to the bit, whatever was evaluated before."""
    measure, weight_measurements = measuring.measure, 0

    def failing_measure(model, config, rows):
        nonlocal weight_measurements
        rows = list(rows)
        if any(row.name == "weight" for row in rows):
            weight_measurements += 1
            if weight_measurements % 3 == 2:  # the second of three networks
                raise InputError("no weight")
        return measure(model, config, rows)

    shard = SHARD_OF_THREE._replace(context=context)
    sound_values = evaluate(make_evaluator(), shard, FEATURES)
    monkeypatch.setattr(measuring, "measure", failing_measure)
    used, fresh = make_evaluator(lenient=True), make_evaluator(lenient=True)
    evaluate(used, shard, FEATURES[:2])
    values = evaluate(used, shard, FEATURES)
    assert_equal([evaluate(fresh, shard, FEATURES)], [values])
    assert values.status[WEIGHT].tolist() == [0, Status.FORWARD_FAILED, 0]
    assert np.isfinite(values.values[WEIGHT, [0, 2]]).all()
    others = [row for row in range(len(FEATURES)) if row != WEIGHT]
    assert_equal([values.rows(others)], [sound_values.rows(others)])


def test_a_feature_without_memory_gets_a_status_and_the_rest_its_numbers(reference, monkeypatch):
    evaluate_plan = evaluator_module.evaluate

    def without_memory(plan, bank, cache):
        if any("weight" in root.text for root in plan.roots):
            torch.empty(1 << 60)
        return evaluate_plan(plan, bank, cache)

    monkeypatch.setattr(evaluator_module, "evaluate", without_memory)
    values = Workers(SerialExecutor(make_evaluator)).evaluate(SHARDS, FEATURES)
    others = [0, 1, 2, PARAMS]
    assert_equal([v.rows(others) for v in values], [v.rows(others) for v in reference])
    assert all((v.status[WEIGHT] == Status.OUT_OF_MEMORY).all() for v in values)


def test_other_errors_keep_their_traceback(monkeypatch):
    def wrong(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(evaluator_module, "evaluate", wrong)
    with pytest.raises(RuntimeError, match="a bug"):
        evaluate(make_evaluator(), SHARDS[0], FEATURES)
