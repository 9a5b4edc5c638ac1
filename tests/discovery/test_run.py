"""Whole runs on real networks, as small as they come: they repeat, and they end as they should."""

import os
import subprocess
import sys

import pytest

from eznas.benchmarks.loading import load_tasks
from eznas.benchmarks.subsets import held_out, search_networks
from eznas.discovery import search
from eznas.discovery.callbacks import NoCallback
from eznas.discovery.config import Config
from eznas.discovery.front import front
from eznas.discovery.run import evolve, resume
from eznas.discovery.setup import BASELINES
from eznas.discovery.small_data import short_where_few
from eznas.errors import InputError
from eznas.evaluation import measuring
from eznas.evolution.constants import with_constants
from eznas.formulas.parser import parse
from eznas.proxies.loading import load
from tests.benchmarks.made_up import store_macro
from tests.discovery.tiny_run import FEW, TINY, Interrupts, comparable, journal, read_json, tiny

pytestmark = pytest.mark.usefixtures("tiny_networks_ship")


@pytest.fixture(autouse=True)
def _in_home(home):
    """Every run here goes to a folder of its own."""


def test_an_interrupted_run_ends_with_the_best_so_far(home):
    result = evolve(tiny(), watcher=Interrupts(after=1))
    assert result.held_out == result.difference == []
    lines = journal(home, result.run)
    assert [line["generation"] for line in lines] == [0, 1]
    written = read_json(home, result.run, "result.json")
    assert written["held_out"] == written["difference"] == []
    assert written["formula"] == result.formula
    archive = read_json(home, result.run, "archive.json")["formulas"]
    assert result.formula == archive[0]["formula"]
    best = parse(lines[-1]["best"]["formula"])  # the same, before its constants were rounded
    assert with_constants(parse(result.formula), best.constants()) == best
    assert archive[0]["fitness"] == lines[-1]["best"]["fitness"]
    assert load(result.run).formula == parse(result.formula)


def test_a_run_cut_off_after_every_generation_comes_to_the_same_end(home, finished_run):
    assert evolve(tiny(), name="cut", watcher=Interrupts(after=0)).stopped == "SIGINT"
    assert resume("cut", watcher=Interrupts(after=1)).held_out == []
    assert resume("cut", watcher=Interrupts(after=2)).stopped == "SIGINT"  # before it is tested
    assert resume("cut").stopped == ""
    assert comparable(home, "cut") == comparable(finished_run.home, "undisturbed")
    with pytest.raises(InputError, match="run cut: finished after generation 2"):
        resume("cut")


def test_a_run_without_a_generation_starts_again(home, finished_run):
    undisturbed, folder = (path / "runs" for path in (finished_run.home, home))
    (folder / "bare").mkdir(parents=True)
    for name in ("config.json", "environment.json"):
        (folder / "bare" / name).write_bytes((undisturbed / "undisturbed" / name).read_bytes())
    resume("bare")
    assert comparable(home, "bare") == comparable(finished_run.home, "undisturbed")


def test_patience_ends_a_search(home):
    result = evolve(tiny(generations=30, patience=1, first_networks=16))
    assert result.stopped == "patience"
    lines = journal(home, result.run)
    assert len(lines) < 30
    assert lines[-1]["best"]["fitness"] == lines[-2]["best"]["fitness"]
    with pytest.raises(InputError, match="finished after generation"):
        resume(result.run)


def test_networks_that_fail_are_left_out_and_counted(home, monkeypatch):
    """In the search and in its test; the rest goes on."""
    [benchmark], _ = load_tasks(TINY["tasks"])
    sample, tested = search_networks(benchmark, 8), held_out(benchmark, 8)
    failing = {sample.architectures[3], tested.architectures[5]}
    measured_network = measuring._measured_network

    def measured_unless_failing(context, architecture, rows):
        if architecture in failing:
            raise InputError("forward failed")
        return measured_network(context, architecture, rows)

    monkeypatch.setattr(measuring, "_measured_network", measured_unless_failing)
    result = evolve(tiny(**FEW), records="none")
    lines = journal(home, result.run)
    assert [line["failed"] for line in lines] == [{"forward": 1}] * 3
    assert all(line["best"]["fitness"] > 0 for line in lines)
    for row in result.held_out:
        reasons = {"the network could not be run": [tested.architectures[5]]}
        assert row["undefined"] == {"networks": 1, "reasons": reasons}
        assert row["networks"] == 8
        assert row["tau"] is not None
        assert row["proxy"] != "naswot" or row["partial_rho"] is not None
    assert all(row["tau"] is not None for row in result.difference)
    page = (home / "runs" / result.run / "README.md").read_text()
    assert "undefined on 1 of 8 networks, figures are over the others: the network could" in page


def test_a_run_that_is_out_of_time_is_tested(home):
    calls = []

    class Records(NoCallback):
        def phase(self, name, networks):
            calls.append((name, networks))

        def generation(self, report, seconds, left):
            calls.append(report.generation)
            assert left <= 0 < seconds

    config = tiny(seed=2, **FEW)
    result = evolve(config, seconds=0.0, watcher=Records(), name="short", records="none")
    assert calls == [
        ("measuring 8 networks to search on", 8),
        0,
        ("testing on 8 networks of nasbench201", 8),
    ]
    assert result.run == "short"
    assert result.evaluations >= 16
    rows = {(row["proxy"], row["networks"], row["dataset"]) for row in result.held_out}
    without = {row["proxy"] for row in result.held_out if row["partial_rho"] is None}
    assert {"live_params", "flops"} <= without  # which it holds fixed
    assert not without & {"champion", "hybrid", "naswot"}
    proxies = {"champion", "greedy", *BASELINES}
    assert rows == {(proxy, 8, "ImageNet16-120") for proxy in proxies}
    assert {row["against"] for row in result.difference} == proxies - {"champion"}
    assert Config(**read_json(home, "short", "config.json")) == short_where_few(config, 8)
    environment = read_json(home, "short", "environment.json")
    assert len(environment["fingerprint"]) == len(environment["measurement"]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statistics": ("layer_param",)}, "did you mean 'layer_params'"),
        ({"seed_formulas": ("naswott",)}, "did you mean 'naswot'"),
        ({"tasks": ("nasbench201/cifar11",)}, "dataset 'cifar11'"),
        ({"tasks": ("nasbench202",)}, "did you mean 'nasbench201'"),
        ({"hold_out": ("nasbench201",)}, "it cannot be held out"),
        ({"hold_out": ("nasbench-macro",)}, "no ground truth of nasbench-macro here"),
        ({"networks": 100_000}, "at most "),
        ({"evidence.networks": 1501}, "at most 1500 in space nasbench201, got 1501"),
        ({"images": "nowhere.npz"}, "nowhere.npz"),
    ],
)
@pytest.mark.parametrize("save", [True, False])
def test_bad_input_leaves_no_folder(home, change, message, save):
    with pytest.raises(InputError, match=message):
        evolve(tiny(**change), save=save)
    assert not (home / "runs").exists()


def test_tasks_of_two_spaces(home):
    store_macro()
    tasks = ("nasbench201/ImageNet16-120", "nasbench-macro")
    result = evolve(tiny(tasks=tasks, selection="lexicase", generations=1, **FEW))
    assert result.run == "2-spaces-seed1-1"
    datasets = ["nasbench201/ImageNet16-120", "nasbench-macro/cifar10"]
    assert list(dict.fromkeys(row["dataset"] for row in result.held_out)) == datasets
    assert {row["dataset"] for row in result.difference} == set(datasets)
    kinds = {row["dataset"]: row["accuracy"] for row in result.held_out}
    assert kinds == dict(zip(datasets, ("validation", "test"), strict=True))
    for line in journal(home, result.run):
        assert len(line["best"]["taus"]) == 2


def test_a_space_that_is_held_out_changes_nothing_but_the_evidence(home, finished_run):
    store_macro()
    result = evolve(tiny(hold_out=("nasbench-macro",)), name="held")
    without = finished_run.result
    assert result.formula == without.formula
    assert journal(home, "held") == journal(finished_run.home, "undisturbed")
    rows = {row["dataset"]: row for row in result.held_out if row["proxy"] == "champion"}
    assert list(rows) == ["nasbench201/ImageNet16-120", "nasbench-macro/cifar10"]
    unseen = rows["nasbench-macro/cifar10"]
    assert (unseen["networks"], unseen["set"]) == (16, "space not searched")
    assert [row["tau"] for row in without.held_out] == [
        row["tau"] for row in result.held_out if row["dataset"].startswith("nasbench201/")
    ]


def test_a_run_without_a_test_looks_at_no_held_out_network(home, finished_run, monkeypatch):
    monkeypatch.setattr("eznas.discovery.setup.held_out", None)  # a call fails
    monkeypatch.setattr("eznas.discovery.run.gather_evidence", None)
    config = tiny(**{"evidence.networks": 0})
    assert evolve(config, name="bare", watcher=Interrupts(after=2)).untested is False
    result = resume("bare")
    assert result.formula == finished_run.result.formula
    assert result.untested is True
    assert result.held_out == result.difference == []
    assert read_json(home, "bare", "environment.json")["held_out"] == []
    champion = read_json(home, "bare", "champion.json")
    assert (champion["untested"], champion["evidence"]) == (True, [])
    page = (home / "runs" / "bare" / "README.md").read_text()
    assert "Not tested: the run was to end without a test (evidence.networks 0)." in page
    assert "--set evidence.networks=0" in page
    assert "##" not in page
    with pytest.raises(InputError, match="run bare: finished after generation 2"):
        resume("bare")
    unsaved = tiny(generations=0, **FEW | {"evidence.networks": 0})
    assert evolve(unsaved, save=False).untested is True
    assert len(front("bare", networks=8).rows) > 0


@pytest.mark.parametrize("most", [None, 1])
def test_refined_weights_stay_within_the_limits(monkeypatch, most):
    """However well they rank: weights that were 1 are further constants."""
    refined = parse("2.5 * params + 0.5 * sum_layers(layer_params)")
    monkeypatch.setattr(search, "refined", lambda *_: refined)
    monkeypatch.setattr(search, "_fittest", lambda formulas, *_: formulas[-1])
    settings = {"generations": 0, "max_constants": most, "evidence.networks": 0}
    found = evolve(tiny(**FEW | settings), save=False).formula
    assert (parse(found) == refined) is (most is None)


def test_a_name_that_exists_costs_nothing(home):
    folder = home / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match="run 'mine' exists already"):
        evolve(tiny(), name="mine")
    assert [path.name for path in folder.iterdir()] == ["config.json"]


PROGRAM = f"""
from eznas.discovery.config import read
from eznas.discovery.run import evolve
evolve(read(settings={TINY | FEW | {"seed": 3}!r}), name="elsewhere", records="none")
"""


@pytest.mark.slow
@pytest.mark.usefixtures("in_full")
def test_equal_seeds_equal_runs_in_every_process(home):
    config = tiny(seed=3, **FEW)
    runs = [evolve(config, records="none").run for _ in range(2)]
    assert len(set(runs)) == 2
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=home, env=environment, check=True)
    first, second, third = (comparable(home, run) for run in [*runs, "elsewhere"])
    assert first == second == third
    other_seed = evolve(tiny(seed=4, **FEW)).run
    assert comparable(home, other_seed)["journal.jsonl"] != first["journal.jsonl"]


@pytest.mark.ray
@pytest.mark.usefixtures("in_full")
def test_any_number_of_workers_gives_the_same_run(home):
    config = tiny(seed=3, **FEW)
    runs = [evolve(config, workers=count, records="none").run for count in (1, 2, 3)]
    first, second, third = (comparable(home, run) for run in runs)
    assert first == second == third
