"""Fixtures of the studies: an empty current folder, one torch thread, nothing measured."""

import pytest
import torch

import eznas.evaluation.evaluator


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def forbid_measuring(monkeypatch):
    """A function after whose call nothing can be measured."""

    def fails(*_):
        raise AssertionError("a network was measured")

    def forbid():
        monkeypatch.setattr(eznas.evaluation.evaluator, "measure", fails)

    return forbid


@pytest.fixture
def unmeasured(forbid_measuring):
    """Nothing can be measured."""
    forbid_measuring()
