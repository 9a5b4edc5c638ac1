"""The front of a run: on which networks it is evaluated, what is recommended, what is kept."""

import contextlib
import json
import shutil
from functools import partial

import numpy as np
import pytest

import eznas
from eznas.benchmarks.loading import load_tasks
from eznas.benchmarks.splits import sample
from eznas.benchmarks.subsets import held_out, not_searched, search_networks, search_sample
from eznas.discovery import front as front_module
from eznas.discovery.callbacks import NoCallback
from eznas.discovery.front import SAVED, front, front_in, front_of, other_networks, saved_front
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases
from eznas.evolution.config import EvolutionConfig
from eznas.formulas.parser import parse
from eznas.metrics import kendall
from eznas.proxies.measured import ScoringSettings, score_all
from eznas.system.folder import RunFolder
from tests.discovery.tiny_run import TINY, read_json, tiny


@pytest.fixture(scope="module")
def benchmark():
    [benchmark], _ = load_tasks(TINY["tasks"])
    return benchmark


@pytest.fixture(scope="module")
def measured(finished_run, tmp_path_factory):
    """A copy of a finished run with its front, and the front."""
    home = tmp_path_factory.mktemp("front")
    shutil.copytree(finished_run.home / "runs", home / "runs")
    with contextlib.chdir(home):
        return home, front(finished_run.result.run, networks=20)


@pytest.fixture
def run(measured, home):
    """A copy of that run in the working folder."""
    shutil.copytree(measured[0] / "runs", home / "runs")
    return measured[1].run


def test_the_front_is_strictly_better_with_size():
    entries = [(3, 0.5), (1, 0.2), (2, 0.2), (3, 0.6), (5, 0.6), (7, 0.8)]
    rows = [{"formula": str(i), "size": s, "fitness": f} for i, (s, f) in enumerate(entries)]
    found = [(row["number"], row["size"], row["searched"]) for row in front_of(rows)]
    assert found == [(2, 1, 0.2), (4, 3, 0.6), (6, 7, 0.8)]


def test_it_is_evaluated_on_networks_that_the_search_did_not_use(benchmark, measured, run):
    _, result = measured
    others = not_searched(benchmark, 16, 8, 20)
    assert result.sets == [
        {
            "space": "nasbench201",
            "networks": 20,
            "set": "search part, not searched",
            "accuracy": "validation",
        }
    ]
    proxies = [eznas.load(f"{run}#{row['number']}") for row in result.rows]
    assert [row["formula"] for row in result.rows] == [p.formula.text for p in proxies]
    scored = score_all(proxies, others, ScoringSettings(), NoPhases()).means()["ImageNet16-120"]
    taus = [kendall(scores, others.accuracies["ImageNet16-120"]) for scores in scored]
    assert [row["fitness"] for row in result.rows] == pytest.approx(taus)
    assert all(row["low"] <= row["fitness"] <= row["high"] for row in result.rows)
    assert [row["tau"]["ImageNet16-120"] for row in result.rows] == pytest.approx(taus)


def test_one_is_recommended_and_the_champion_is_among_them(measured, run):
    _, result = measured
    [recommended] = [row for row in result.rows if row["recommended"]]
    best = max(row["fitness"] for row in result.rows)
    able = [row for row in result.rows if row["fitness"] >= best - result.error]
    assert recommended["size"] == min(row["size"] for row in able)
    [champion] = [row for row in result.rows if row["champion"]]
    assert champion["formula"] == eznas.load(run).formula.text
    sizes = [row["size"] for row in result.rows]
    assert sizes == sorted(sizes)


def test_it_is_kept_until_the_archive_changes(home, measured, run, forbid_measuring):
    _, first = measured
    assert read_json(home, run, SAVED)["rows"] == json.loads(json.dumps(first.rows))
    forbid_measuring()
    assert front(run, networks=20) == first
    for changed in ({"networks": 21}, {"networks": 20, "again": True}):
        with pytest.raises(AssertionError, match="was measured"):
            front(run, **changed)
    archive = home / "runs" / run / "archive.json"
    content = json.loads(archive.read_text())
    content["formulas"] = content["formulas"][1:]
    archive.write_text(json.dumps(content))
    with pytest.raises(AssertionError, match="was measured"):
        front(run, networks=20)


def test_sizes_are_those_of_the_search(home, run):
    config = home / "runs" / run / "config.json"
    content = json.loads(config.read_text())
    before = {row["formula"]: row["size"] for row in front_in(RunFolder.find(run))}
    content["evolution"]["complexity"] = {"params": 7, "mul": 3}
    config.write_text(json.dumps(content))
    rows = front_in(RunFolder.find(run))
    size_of = EvolutionConfig(complexity={"params": 7, "mul": 3}).size_of
    assert [row["size"] for row in rows] == [size_of(parse(row["formula"])) for row in rows]
    assert {row["formula"]: row["size"] for row in rows} != before
    assert saved_front(RunFolder.find(run)) is None  # that one has other sizes


def test_networks_not_searched_share_no_component_with_the_sample(benchmark):
    others = not_searched(benchmark, 100, 40, 200)
    used, tested = search_networks(benchmark, 140), held_out(benchmark, 10**6)
    assert len(others.architectures) == 200
    assert not set(others.components) & set(used.components)
    assert not set(others.components) & set(tested.components)
    again = not_searched(benchmark, 100, 40, 150)
    assert again.architectures == others.architectures[:150]


def test_networks_searched_in_another_table_are_left_out(benchmark):
    """Whatever networks that table has, and in whatever order."""
    other = benchmark.subset(np.arange(3_000)[::-1], "other")
    others = not_searched(benchmark, 100, 40, 300, others=[other])
    for used in (search_networks(benchmark, 140), search_networks(other, 140)):
        assert not set(others.components) & set(used.components)


@pytest.mark.parametrize(
    "order", [search_sample, partial(search_sample, seed=1)], ids=["random", "of the run's seed"]
)
def test_a_run_of_an_earlier_version_drew_its_networks_at_random(benchmark, home, run, order):
    folder = RunFolder.find(run)
    [now] = other_networks(folder, 20)
    assert now.architectures == not_searched(benchmark, 16, 8, 20).architectures
    content = json.loads((folder.path / "environment.json").read_text())
    content["samples"] = [order(benchmark, 24).digest()]
    folder.write("environment.json", content)
    [earlier] = other_networks(folder, 20)
    assert earlier.architectures == not_searched(benchmark, 16, 8, 20, order).architectures
    assert earlier.architectures != now.architectures


def test_where_the_data_have_changed_what_a_run_searched_is_not_known(home, run):
    folder = RunFolder.find(run)
    content = json.loads((folder.path / "environment.json").read_text())
    for samples in (["0" * 64], None):
        folder.write("environment.json", content | {"samples": samples})
        with pytest.raises(InputError, match="which networks it searched on is not known"):
            other_networks(folder, 20)


def test_where_the_search_used_most_networks_those_of_the_champion_join(benchmark):
    part = benchmark.subset(sample(np.arange(len(benchmark.architectures)), 400, 0), "part")
    available = len(part.split.search)
    others = not_searched(part, available - 120, 115, 500)
    assert others.name == "helped to choose the champion"
    searched = search_networks(part, available - 120)
    assert not set(others.components) & set(searched.components)
    with pytest.raises(InputError, match=f"all but 0 of the {available} networks"):
        not_searched(part, available, 0, 500)


def test_runs_without_a_front(home, run):
    with pytest.raises(InputError, match="did you mean"):
        front(f"{run}x")
    archive = home / "runs" / run / "archive.json"
    content = json.loads(archive.read_text())
    content["formulas"] = [{"formula": "params"}]
    archive.write_text(json.dumps(content))
    with pytest.raises(InputError, match="evolved no formula"):
        front(run)
    archive.unlink()
    with pytest.raises(InputError, match="ended before it had a formula"):
        front(run)


def test_a_network_without_a_score_is_counted_and_costs_no_formula(benchmark, monkeypatch):
    networks = benchmark.subset(np.arange(30), "some")
    entries = [
        {"formula": text, "size": size, "number": size, "searched": 0.5}
        for size, text in ((1, "params"), (9, "2.0 * params"))
    ]

    def evaluated_with(lacking):
        accuracies = networks.accuracies["ImageNet16-120"]
        scores = np.stack([-accuracies, accuracies])
        scores[1, :lacking] = np.nan
        made_up = {"ImageNet16-120": scores}
        monkeypatch.setattr(front_module, "network_scores", lambda *arguments: made_up)
        return front_module.evaluated(entries, [networks], tiny(), 1, NoCallback())[0]

    first, second = evaluated_with(1)
    assert (first["undefined"], second["undefined"]) == (0, 1)
    assert second["fitness"] == second["tau"]["ImageNet16-120"] == pytest.approx(1)
    assert second["recommended"]
    first, second = evaluated_with(7)  # more than a fifth
    assert second["undefined"] == 7
    assert second["fitness"] is second["low"] is second["tau"]["ImageNet16-120"] is None
    assert first["recommended"]
