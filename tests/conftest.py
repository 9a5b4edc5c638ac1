"""Fixtures of all folders: one thread, the usual Ctrl-C, a finished run, nothing measured; and
which examples of properties are drawn."""

import contextlib
import os
import pickle
import shutil
import signal

import pytest
import torch
from filelock import FileLock
from hypothesis import settings

import eznas.discovery.records
import eznas.evaluation.measuring
import eznas.spaces.nasbench201
from eznas.discovery.run import evolve
from eznas.evaluation import ray_executor
from eznas.predictors import least_squares
from tests.discovery.tiny_run import FinishedRun, tiny

CHEAP = (
    (eznas.spaces.nasbench201, "CELLS_PER_STAGE", 1),  # not 5: measured in a third of the time
    (least_squares, "YARDSTICK_TERMS", 6),
    (least_squares, "FACTORS", 20),
)
IN_FULL = [(module, name, getattr(module, name)) for module, name, _ in CHEAP]

# The same examples of properties in every run, so that its outcome depends on the tree alone.
# `pytest --hypothesis-profile=random` draws others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """One torch thread, as in the evaluation of a shard: with more, sums depend on their number."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def nothing_stored(tmp_path_factory):
    """The data folder begins empty, and no feature store ships: tests see what is measured, and
    neither read nor change what a user has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EZNAS_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setattr(eznas.discovery.records, "PACKAGED", tmp_path_factory.mktemp("no-store"))
        yield


@pytest.fixture(autouse=True, scope="session")
def interruptible():
    """Ctrl-C interrupts, also where a script runs the tests in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_cluster(request, monkeypatch):
    """Only a test that is marked starts a Ray cluster: it takes seconds."""
    join_or_start = ray_executor._join_or_start

    def joined(count):
        assert ray_executor.ADDRESS in os.environ, "a test without the mark `ray` starts Ray"
        return join_or_start(count)

    if not request.node.get_closest_marker("ray"):
        monkeypatch.setattr(ray_executor, "_join_or_start", joined)


@contextlib.contextmanager
def _cheaply():
    with pytest.MonkeyPatch.context() as patch:
        for setting in CHEAP:
            patch.setattr(*setting)
        yield


@pytest.fixture(scope="module")
def cheap():
    """Networks of NAS-Bench-201 have few cells, and greedy least squares few terms: for tests whose
    subject is neither. Other processes do not see it."""
    with _cheaply():
        yield


@pytest.fixture
def in_full(monkeypatch):
    """Networks and greedy least squares are as other processes have them."""
    for setting in IN_FULL:
        monkeypatch.setattr(*setting)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A tiny run that went to its end undisturbed, for tests that only read it; processes that
    share the tests share it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    home, result = root / "finished", root / "finished" / "result.pickle"
    with FileLock(root / "finished.lock"):
        if not result.exists():
            shutil.rmtree(home, ignore_errors=True)  # of a run that failed in another process
            home.mkdir()
            with contextlib.chdir(home), _cheaply(), pytest.MonkeyPatch.context() as patch:
                patch.setenv("EZNAS_DATA", str(home / "data"))
                result.write_bytes(pickle.dumps(evolve(tiny(), name="undisturbed")))
    return FinishedRun(home, pickle.loads(result.read_bytes()))


@pytest.fixture
def tiny_networks_ship(finished_run, monkeypatch):
    """Feature stores begin with what tiny runs measure: what a run makes of it is the same."""
    monkeypatch.setattr(eznas.discovery.records, "PACKAGED", finished_run.stores)


@pytest.fixture
def forbid_measuring(monkeypatch):
    """A function after whose call nothing can be measured."""

    def fails(*_):
        raise AssertionError("a network was measured")

    def forbid():
        monkeypatch.setattr(eznas.evaluation.measuring, "measure", fails)

    return forbid


@pytest.fixture
def unmeasured(forbid_measuring):
    """Nothing can be measured."""
    forbid_measuring()
