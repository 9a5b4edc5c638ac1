"""Whole runs on real networks, as small as they come: they repeat, and they end as they should."""

import json
import os
import subprocess
import sys

import pytest
from eznas.ground import grounds, held_out, searched

from eznas.benchmarks import Table
from eznas.benchmarks.store import Origin, store
from eznas.discovery.callbacks import NoCallback
from eznas.discovery.config import Config
from eznas.discovery.run import BASELINES, evolve, resume
from eznas.errors import InputError
from eznas.evaluation import evaluator as room
from eznas.formulas.parser import parse
from eznas.proxies.loading import resolve
from eznas.spaces import SPACES

TINY = {
    "tasks": ("nasbench201/ImageNet16-120",),  # the smallest images
    "statistics": ("layer_params", "data_relu_agreement", "data_conv_output_gram", "params"),
    "seeds": ("naswot", "live_params"),
    "generations": 2,
    "population": 16,
    "offspring": 16,
    "start": 8,
    "networks": 16,
    "choice": 8,
    "judged": 16,
    "replicates": 20,
    "raw_batch": 2,
    "sketch_batch": 4,
}
BOOKS = ("journal.jsonl", "archive.json")


class Interrupts(NoCallback):
    """Presses Ctrl-C after a generation."""

    def __init__(self, after):
        self.after = after

    def generation(self, report, seconds, left):
        if report.generation == self.after:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Runs go to a folder of their own, and no ground truth was imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "data"))
    return tmp_path


def books(run, home):
    """What has to be equal between equal runs, byte for byte."""
    folder = home / "runs" / run
    result = json.loads((folder / "result.json").read_text())
    found = {name: (folder / name).read_bytes() for name in BOOKS}
    kept = ("formula", "evaluations", "held_out", "difference")
    return found | {"result": json.dumps({k: result[k] for k in kept})}


def lines(run, home):
    text = (home / "runs" / run / "journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_an_interrupted_run_ends_with_the_best_so_far(home):
    result = evolve(Config(**TINY), watcher=Interrupts(after=1))
    assert result.held_out == result.difference == []
    assert [g["generation"] for g in lines(result.run, home)] == [0, 1]
    written = json.loads((home / "runs" / result.run / "result.json").read_text())
    assert written["held_out"] == written["difference"] == []
    assert written["formula"] == result.formula
    archive = json.loads((home / "runs" / result.run / "archive.json").read_text())
    assert result.formula == archive[0]["formula"] == lines(result.run, home)[-1]["best"]["formula"]
    assert resolve(result.run).formula == parse(result.formula)


def test_a_run_cut_off_after_every_generation_comes_to_the_same_end(home):
    evolve(Config(**TINY), name="whole")
    assert evolve(Config(**TINY), name="cut", watcher=Interrupts(after=0)).stopped == "SIGINT"
    assert resume("cut", watcher=Interrupts(after=1)).held_out == []
    assert resume("cut", watcher=Interrupts(after=2)).stopped == "SIGINT"  # before it is judged
    assert resume("cut").stopped == ""
    assert books("cut", home) == books("whole", home)
    with pytest.raises(InputError, match="run cut: finished after generation 2"):
        resume("cut")


def test_a_run_without_a_generation_begins_anew(home):
    evolve(Config(**TINY), name="whole")
    folder = home / "runs" / "bare"
    folder.mkdir()
    for name in ("config.json", "environment.json"):
        (folder / name).write_bytes((home / "runs" / "whole" / name).read_bytes())
    resume("bare")
    assert books("bare", home) == books("whole", home)


def test_patience_ends_a_search(home):
    result = evolve(Config(**TINY | {"generations": 30, "patience": 1, "start": 16}))
    assert result.stopped == "patience"
    told = lines(result.run, home)
    assert len(told) < 30
    assert told[-1]["best"]["fitness"] == told[-2]["best"]["fitness"]
    with pytest.raises(InputError, match="finished after generation"):
        resume(result.run)


def test_networks_that_fail_are_left_out_and_told(home, monkeypatch):
    """Of the search and of its judges; the rest goes on."""
    (whole,), _ = grounds(TINY["tasks"])
    sample, judges = searched(whole, 24, seed=1), held_out(whole, 16)
    failing = {sample.architectures[3], judges.architectures[5]}
    measurement = room._measurement

    def picky(space, architecture, *rest):
        if architecture in failing:
            raise InputError("forward failed")
        return measurement(space, architecture, *rest)

    monkeypatch.setattr(room, "_measurement", picky)
    result = evolve(Config(**TINY))
    told = lines(result.run, home)
    assert [line["failed"] for line in told] == [{"forward": 1}] * 3
    assert all(line["best"]["fitness"] > 0 for line in told)
    assert {r["networks"] for r in result.held_out} == {15}


def test_a_run_that_is_out_of_time_is_judged(home):
    told = []

    class Tells(NoCallback):
        def phase(self, name, networks):
            told.append((name, networks))

        def generation(self, report, seconds, left):
            told.append(report.generation)
            assert left <= 0 < seconds

    result = evolve(Config(**TINY, seed=2), seconds=0.0, watcher=Tells(), name="short")
    assert told == [("search", 24), 0, ("judging on nasbench201", 16)]
    assert result.run == "short"
    assert result.evaluations >= 16
    rows = {(r["proxy"], r["networks"], r["dataset"]) for r in result.held_out}
    expected = {"champion", "greedy", *BASELINES}
    assert rows == {(p, 16, "ImageNet16-120") for p in expected}
    assert {d["against"] for d in result.difference} == expected - {"champion"}
    config = json.loads((home / "runs" / "short" / "config.json").read_text())
    assert Config(**config) == Config(**TINY, seed=2)
    environment = json.loads((home / "runs" / "short" / "environment.json").read_text())
    assert len(environment["fingerprints"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statistics": ("layer_param",)}, "did you mean 'layer_params'"),
        ({"seeds": ("naswott",)}, "did you mean 'naswot'"),
        ({"tasks": ("nasbench201/cifar11",)}, "dataset 'cifar11'"),
        ({"tasks": ("nasbench202",)}, "did you mean 'nasbench201'"),
        ({"hold_out": ("nasbench201",)}, "it cannot be held out"),
        ({"hold_out": ("nasbench-macro",)}, "no ground truth of nasbench-macro here"),
        ({"networks": 100_000}, "at most "),
        ({"images": "nowhere.npz"}, "nowhere.npz"),
    ],
)
def test_bad_input_leaves_no_folder(home, change, message):
    with pytest.raises(InputError, match=message):
        evolve(Config(**(TINY | change)))
    assert not (home / "runs").exists()


@pytest.fixture
def macro():
    """Made-up ground truth of another space, imported."""
    networks = SPACES["nasbench-macro"].sample(60, seed=0)
    rows = {a: (50.0 + sum(map(int, a)) + i / 100,) for i, a in enumerate(networks)}
    store(Table("nasbench-macro", "test", {"cifar10": rows}), Origin("made.json", ""))


@pytest.mark.usefixtures("macro")
def test_tasks_of_two_spaces(home):
    two = ("nasbench201/ImageNet16-120", "nasbench-macro")
    result = evolve(Config(**(TINY | {"tasks": two, "selection": "lexicase", "generations": 1})))
    assert result.run == "2-spaces-seed1-1"
    labels = ["nasbench201/ImageNet16-120", "nasbench-macro/cifar10"]
    assert list(dict.fromkeys(r["dataset"] for r in result.held_out)) == labels
    assert {d["dataset"] for d in result.difference} == set(labels)
    kinds = {r["dataset"]: r["accuracy"] for r in result.held_out}
    assert kinds == dict(zip(labels, ("validation", "test"), strict=True))
    for line in lines(result.run, home):
        assert len(line["best"]["taus"]) == 2


@pytest.mark.usefixtures("macro")
def test_a_space_that_is_held_out_only_judges(home):
    held = Config(**(TINY | {"hold_out": ("nasbench-macro",), "generations": 1}))
    result = evolve(held, name="held")
    alone = evolve(Config(**(TINY | {"generations": 1})), name="alone")
    assert result.formula == alone.formula
    assert books("held", home)["journal.jsonl"] == books("alone", home)["journal.jsonl"]
    rows = {r["dataset"]: r for r in result.held_out if r["proxy"] == "champion"}
    assert list(rows) == ["nasbench201/ImageNet16-120", "nasbench-macro/cifar10"]
    last = rows["nasbench-macro/cifar10"]
    assert (last["networks"], last["set"]) == (16, "space held out, all")
    assert [r["tau"] for r in alone.held_out] == [
        r["tau"] for r in result.held_out if r["dataset"].startswith("nasbench201/")
    ]


def test_a_name_that_exists_costs_nothing(home):
    mine = home / "runs" / "mine"
    mine.mkdir(parents=True)
    (mine / "config.json").write_text("{}")
    with pytest.raises(InputError, match="run 'mine' exists already"):
        evolve(Config(**TINY), name="mine")
    assert [p.name for p in mine.iterdir()] == ["config.json"]


PROGRAM = f"""
from eznas.discovery.config import Config
from eznas.discovery.run import evolve
evolve(Config(**{TINY!r}, seed=3), name="elsewhere")
"""


@pytest.mark.slow
def test_equal_seeds_equal_runs_in_every_process(home):
    runs = [evolve(Config(**TINY, seed=3)).run for _ in range(2)]
    assert len(set(runs)) == 2
    other = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = os.environ | {"PYTHONHASHSEED": other}
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=home, env=environment, check=True)
    first, second, third = (books(r, home) for r in [*runs, "elsewhere"])
    assert first == second == third
    different = evolve(Config(**TINY, seed=4)).run
    assert books(different, home)["journal.jsonl"] != first["journal.jsonl"]


@pytest.mark.ray
def test_any_number_of_workers_gives_the_same_run(home):
    found = [books(evolve(Config(**TINY, seed=3), workers=w).run, home) for w in (1, 2, 3)]
    assert found[0] == found[1] == found[2]
