"""`eznas speed`, as small as it goes: its keys, and that its figures are those of a run."""

import pytest

from eznas.statistics.catalogue import CATALOGUE
from eznas.studies import speed as module
from eznas.studies.speed import bandwidth, measuring, speed

KEYS = {"formulas", "networks", "rates", "floor_ratio", "peak_mb", "measure_seconds", "device"}
RATES = {"disk_loop", "memory_loop", "plan_cold", "plan_evolving"}


@pytest.fixture
def few(monkeypatch):
    """Twelve formulas of three generations, one core."""
    generations = [generation[:12] for generation in module.recorded()[:3]]
    monkeypatch.setattr(module, "recorded", lambda: generations)
    monkeypatch.setattr(module, "cores", lambda: 1)
    monkeypatch.setattr(module, "measuring", lambda device: {"data": 0.1})


@pytest.mark.usefixtures("few")
def test_a_small_study_of_speed():
    steps = []

    class Steps(module.NoCallback):
        def phase(self, name, networks):
            return lambda done, total: steps.append((done, total))

    content = speed(2, watcher=Steps())
    assert content.keys() >= KEYS
    assert content["rates"].keys() == RATES
    assert all(rate > 0 for rate in content["rates"].values())
    assert (content["formulas"], content["networks"], content["device"]) == (12, 2, "cpu")
    assert content["recorded"] == {"formulas": 36, "distinct": 36}
    assert content["slopes"].keys() == {"networks", "formulas", "batch"}
    seconds = content["formulas"] * content["networks"] / content["rates"]["plan_cold"]
    floor = content["touched_mb"] * 2**20 / (content["bandwidth_gb_s"] * 1e9)
    assert content["floor_ratio"] == pytest.approx(seconds / floor, rel=0.3)
    assert steps == [(i, 5) for i in range(1, 6)]


def test_bandwidth_is_that_of_memory():
    assert 1e8 < bandwidth() < 1e13


@pytest.mark.slow
def test_every_probe_is_timed():
    seconds = measuring(networks=1)
    assert seconds.keys() == {row.probe for row in CATALOGUE.values()}
    assert all(of_probe > 0 for of_probe in seconds.values())
