"""Fixtures of the studies: an empty current folder, nothing measured."""

import pytest

import eznas.evaluation.measuring


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
        monkeypatch.setattr(eznas.evaluation.measuring, "measure", fails)

    return forbid


@pytest.fixture
def unmeasured(forbid_measuring):
    """Nothing can be measured."""
    forbid_measuring()
