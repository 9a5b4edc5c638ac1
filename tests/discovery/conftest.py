"""Runs of these tests go to a folder of their own."""

import shutil

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The working folder, in which runs/ is made; no accuracies were imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def measured_before(home, finished_run):
    """The networks of tiny runs have been measured: what a run makes of them is the same."""
    shutil.copytree(finished_run.home / "data", home / "data")
