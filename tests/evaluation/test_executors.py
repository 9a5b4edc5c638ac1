"""Executors: any work that can be pickled, on a state that each worker makes once."""

import operator
import os
import sys
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from eznas.errors import InputError
from eznas.evaluation import ray_executor as ray_module
from eznas.evaluation.executors import Call, Lost, SerialExecutor
from eznas.evaluation.ray_executor import RayExecutor, try_ray
from eznas.evaluation.workers import start
from tests.evaluation.networks import make_evaluator
from tests.evaluation.ray_marks import on_ray


@dataclass(frozen=True)
class PlainJob:
    """A call of a function of the worker's state, which is no evaluation."""

    worker: int
    function: Any
    arguments: tuple[Any, ...] = ()
    size: int = 2

    def call(self):
        return Call(self.function, self.arguments)

    def finish(self, executor, call, answer):
        return answer


def check_plain_jobs(executor):
    """With states that are lists, at first [0]."""
    progress = []
    jobs = [PlainJob(worker, operator.iadd, ([worker],)) for worker in (0, 1, 2, 3)]
    results = executor.run(jobs, lambda done, total: progress.append((done, total)))
    # Every worker goes on with its own state, in the order of its jobs.
    expected = {1: [[0, 0], [0, 0, 1], [0, 0, 1, 2], [0, 0, 1, 2, 3]]}
    expected[2] = [[0, 0], [0, 1], [0, 0, 2], [0, 1, 3]]
    assert [sorted(result) for result in results] == expected[executor.count]
    assert [len(result) for result in results] == [len(e) for e in expected[executor.count]]
    assert progress == [(done, 8) for done in (2, 4, 6, 8)]
    assert executor.run([]) == []
    assert executor.attempt(3, Call(len), 1) == len(results[3])
    with pytest.raises(IndexError):
        executor.run([PlainJob(0, operator.getitem, (9,))])


make_list = partial(list, (0,))


def test_plain_jobs_in_this_process():
    class Serial(SerialExecutor):
        """Hands out copies, as an executor does whose answers come from other processes."""

        def attempt(self, worker, call, times):
            answer = super().attempt(worker, call, times)
            return list(answer) if isinstance(answer, list) else answer

    executor = Serial(make_list)
    check_plain_jobs(executor)
    executor.close()
    assert executor.attempt(0, Call(len), 1) == 1


@on_ray
@pytest.mark.parametrize("count", [1, 2])
def test_plain_jobs_on_ray(count):
    executor = RayExecutor(make_list, count)
    try:
        check_plain_jobs(executor)
    finally:
        executor.close()


def end_process(state):
    os._exit(1)


@on_ray
def test_a_job_learns_that_its_worker_was_lost():
    """The next one finds a fresh state; other workers keep theirs."""
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    executor = RayExecutor(make_list, 2)
    try:
        executor.run([PlainJob(worker, operator.iadd, ([7],)) for worker in (0, 1)])
        (lost,) = executor.run([PlainJob(0, end_process)])
        assert isinstance(lost, Lost)
        assert (lost.cause, "died" in lost.detail) == ("killed", True)
        assert executor.run([PlainJob(worker, len) for worker in (0, 1)]) == [1, 2]
        assert executor.attempt(1, Call(end_process), 2).cause == "killed"
        assert executor.attempt(1, Call(len), 1) == 1
    finally:
        executor.close()


@on_ray
def test_the_cluster_ends_with_its_executor():
    import ray

    executor = RayExecutor(make_list, 2)
    assert ray.is_initialized()
    executor.close()
    assert not ray.is_initialized()


@on_ray
def test_ray_is_tried_and_ends_again():
    import ray

    seconds, largest = try_ray(2)
    assert 0 < seconds < 120
    assert largest > 100 << 20  # torch was imported there
    assert not ray.is_initialized()


@on_ray
def test_a_task_that_does_not_come_back_is_bad_input(monkeypatch):
    import ray

    monkeypatch.setattr(ray_module, "_TRIAL_TIMEOUT", 0)
    with pytest.raises(InputError, match="Ray: Get timed out"):
        try_ray(2)
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "error", [Exception("no\nraylet"), ConnectionError("no\nraylet"), RuntimeError("no\nraylet")]
)
def test_ray_that_does_not_start_is_bad_input(monkeypatch, error):
    def fails(count):
        raise error

    monkeypatch.setattr(ray_module, "_start_ray", fails)
    with pytest.raises(InputError, match=r"^Ray: no raylet$"):
        try_ray(2)


def test_a_fault_of_our_own_in_trying_ray_is_raised(monkeypatch):
    monkeypatch.setattr(ray_module, "_start_ray", lambda count: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        try_ray(2)


def test_a_cluster_whose_cpus_others_hold_is_refused(monkeypatch):
    cluster = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **settings: None,
        shutdown=lambda: None,
        cluster_resources=lambda: {"CPU": 4.0},
        available_resources=lambda: {"CPU": 1.0},
    )
    monkeypatch.setitem(sys.modules, "ray", cluster)
    monkeypatch.setenv(ray_module.ADDRESS, "auto")
    monkeypatch.setattr(ray_module, "_RELEASE", 0)
    expected = "^Ray cluster 'auto': 1 of its 4 CPUs can be had, expected 2, one for each worker$"
    with pytest.raises(InputError, match=expected):
        start(make_evaluator, 2)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999999"])
def test_a_cluster_at_which_nothing_listens_is_refused_at_once(monkeypatch, address):
    monkeypatch.setenv(ray_module.ADDRESS, address)
    with pytest.raises(InputError, match=f"Ray cluster '{address}': cannot be reached"):
        start(make_evaluator, 1)
