"""Runs of these tests go to a folder of their own."""

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The working folder, in which runs/ is made; no accuracies were imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture(autouse=True, scope="module")
def _cheap(cheap):
    """Runs of these tests are on networks of few cells."""
