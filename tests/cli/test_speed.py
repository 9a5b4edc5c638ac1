"""`eznas speed`: one thing is measured at a time."""

import pytest

from eznas.cli import speed
from tests.cli.calls import answer, call, complaint

ROW = {"way": "offered", "per_second": 8000.0, "formulas": 600, "nodes": 24.0}


def test_the_speed_of_a_search_alone(monkeypatch):
    measured = []

    def search_speed(networks, watcher):
        measured.append(networks)
        return [ROW | {"networks": networks, "datasets": 3}]

    monkeypatch.setattr(speed, "search_speed", search_speed)
    monkeypatch.setattr(speed, "measure_speed", pytest.fail)
    assert answer("speed", "--search", "40")["search_speed"][0]["networks"] == 40
    assert "8,000" in call("speed", "--search", "900").out
    assert measured == [40, 900]


def test_scores_alone(monkeypatch):
    row = {"proxy": "params", "model": "resnet18", "seconds": 0.2, "passes": 0.1, "ratio": 2.0}
    monkeypatch.setattr(speed, "scoring_times", lambda names, watcher: [row])
    assert answer("speed", "--scores", "params")["scoring_times"] == [row]
    assert "2.00" in call("speed", "--scores", "params").out


def test_scores_and_search_are_not_measured_together(monkeypatch):
    monkeypatch.setattr(speed, "scoring_times", pytest.fail)
    text = complaint("speed", "--scores", "params", "--search", "40")
    assert "expected one of them" in text
    monkeypatch.setattr(speed, "search_speed", pytest.fail)
    assert "not with --search" in complaint("speed", "--search", "40", "--device", "cpu")
