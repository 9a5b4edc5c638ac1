"""Workers: the same numbers however many there are, and whatever becomes of one of them."""

import pytest

from eznas.errors import InputError
from eznas.evaluation import workers as module
from eznas.evaluation.executors import SerialExecutor
from eznas.evaluation.ray_executor import RayExecutor
from eznas.evaluation.workers import Workers, start
from tests.evaluation.networks import (
    FEATURES,
    MACRO_SHARDS,
    SHARDS,
    assert_equal,
    in_both_contexts,
    make_evaluator,
)
from tests.evaluation.ray_marks import on_ray


@pytest.fixture
def ray_workers():
    """Starts workers on Ray, and stops them."""
    started = []

    def start_workers(count, progress=None):
        started.append(Workers(RayExecutor(make_evaluator, count), progress=progress))
        return started[-1]

    yield start_workers
    for workers in started:
        workers.close()


def test_progress_is_reported():
    progress = []
    workers = start(make_evaluator, 1, progress=lambda done, total: progress.append((done, total)))
    assert isinstance(workers._executor, SerialExecutor)
    workers.evaluate(SHARDS[1:3], ["params"])
    workers.close()
    assert (workers.count, progress) == (1, [(1, 2), (2, 2)])


def test_one_worker_runs_here_and_several_on_ray(monkeypatch):
    made = []
    monkeypatch.setattr(module, "RayExecutor", lambda *arguments: made.append(arguments))
    monkeypatch.delenv(module.ADDRESS, raising=False)
    assert isinstance(module.executor_of(dict, 1), SerialExecutor)
    module.executor_of(dict, 2, 5.0)
    monkeypatch.setenv(module.ADDRESS, "somewhere:6379")
    module.executor_of(dict, 1)
    assert made == [(dict, 2, 5.0), (dict, 1, module.HUNG)]
    with pytest.raises(InputError, match="workers"):
        module.executor_of(dict, 0)


@on_ray
@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_actors_gives_the_same_bits(reference, ray_workers, count):
    workers = ray_workers(count)
    assert workers.count == count
    assert_equal(workers.evaluate(SHARDS, FEATURES), reference)
    indices = in_both_contexts(2, 0)
    values = workers.evaluate([SHARDS[i] for i in indices], FEATURES[1:3])
    assert_equal(values, [reference[i].rows([1, 2]) for i in indices])


@on_ray
def test_contexts_of_two_spaces_on_two_actors(ray_workers):
    texts = ["sum_layers(log(layer_params))"]
    serial_workers, workers = Workers(SerialExecutor(make_evaluator)), ray_workers(2)
    workers.evaluate(SHARDS, texts)
    expected = serial_workers.evaluate(MACRO_SHARDS, texts)
    assert_equal(workers.evaluate(MACRO_SHARDS, texts), expected)
    shards = [*SHARDS[:2], *MACRO_SHARDS, *SHARDS[3:4]]
    assert_equal(workers.evaluate(shards, texts), serial_workers.evaluate(shards, texts))


@on_ray
def test_a_lost_actor_is_replaced(reference, ray_workers):
    import ray

    progress = []
    workers = ray_workers(2, lambda done, total: progress.append((done, total)))
    first_rows = [values.rows([0, 1]) for values in reference]
    assert_equal(workers.evaluate(SHARDS, FEATURES[:2]), first_rows)
    lost_actor = workers._executor._actors[0]
    ray.kill(lost_actor)
    progress.clear()
    assert_equal(workers.evaluate(SHARDS, FEATURES), reference)
    assert workers._executor._actors[0] is not lost_actor
    assert progress[-1] == (4, 4)
    assert_equal(workers.evaluate(SHARDS, FEATURES), reference)


@on_ray
def test_an_error_in_a_worker_reaches_the_driver(ray_workers):
    with pytest.raises(ValueError, match="no_such_statistic"):
        ray_workers(2).evaluate(SHARDS, ["no_such_statistic"])
