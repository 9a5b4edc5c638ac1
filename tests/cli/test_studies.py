"""Published scores, combinations and features on the command line."""

import gzip
import json
from functools import partial
from pathlib import Path

import pytest

import eznas
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import named_set
from eznas.formulas.parser import parse
from eznas.predictors import randomised_trees as trees
from eznas.predictors.randomised_trees import randomised_trees
from eznas.studies import features, yardsticks
from tests.cli.calls import ARCHITECTURES, BATCH, FEW, SMALL, answer, call, complaint

ONE = (*BATCH, "--workers", "1", "--dataset", SMALL)
SAMPLE = ARCHITECTURES[300:15_600:2_200]


@pytest.fixture(scope="module")
def published(folder):
    """Scores as others may have published them: one column for all data sets, one for one."""
    lines = ["index,architecture,flops,cifar10_synflow"]
    lines += [f"{i},{a},{(3 * i) % 7},-1e8" for i, a in enumerate(SAMPLE)]
    (folder / "published.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return "published.csv.gz"


def test_agreement_answers(published):
    [row] = answer("agreement", published, *ONE, "--networks", "all")["rows"]
    assert list(row) == ["proxy", "dataset", "published", "networks", "rho", "between_seeds"]
    expected = ("operations", SMALL, "flops", 7, None)
    names = ("proxy", "dataset", "published", "networks", "between_seeds")
    assert tuple(row[n] for n in names) == expected
    assert -1 < row["rho"] < 1
    command = (
        "agreement",
        published,
        "operations",
        *ONE,
        "--networks",
        "4",
        "--initialisations",
        "2",
    )
    [few] = answer(*command, "--records", "agreement-store")["rows"]
    assert (few["networks"], few["between_seeds"]) == (4, 1)
    assert Path("agreement-store/features.gz").is_file()


def test_agreement_takes_the_data_sets_of_the_file_and_gives_null_for_failures(published):
    command = ("agreement", published, "synflow", *BATCH, "--workers", "1", "--networks", "2")
    [row] = answer(*command)["rows"]
    assert (row["dataset"], row["published"], row["networks"]) == ("cifar10", "cifar10_synflow", 0)
    assert row["rho"] is None
    outcome = call(*command)
    assert outcome.code == 0
    assert " - " in outcome.out
    assert "agreement with published scores" in outcome.out


def test_combine_answers(folder):
    sample = ("naswot", "params", *FEW, "--dataset", SMALL, "--set", "connected")
    sample = (*sample, "--records", "combine-store")
    content = answer("combine", *sample, "--steps", "4", "--plot", "combination.png")
    assert list(content) == ["first", "second", "weights", "tau", "undefined", "plots"]
    assert (content["first"], content["second"]) == ("naswot", "params")
    assert content["weights"] == [0, 0.25, 0.5, 0.75, 1]
    assert content["plots"] == ["combination.png"]
    assert (folder / "combination.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    naswot, params = (r["tau"] for r in answer("correlate", *sample)["rows"])
    assert naswot != params
    assert content["tau"][SMALL][0] == pytest.approx(params)
    assert content["tau"][SMALL][-1] == pytest.approx(naswot)


def test_combine_shows_a_row_for_each_weight():
    outcome = call("combine", "depth", "2.0 * exp(exp(params))", *FEW, "--dataset", SMALL,
                   "--steps", "2")  # fmt: skip
    assert outcome.code == 0
    title = "tau of w times depth plus 1 - w times 2.0 * exp(exp(params))"
    assert title in " ".join(outcome.out.split())
    assert [w for w in ("0.000", "0.500", "1.000") if w in outcome.out] == [
        "0.000",
        "0.500",
        "1.000",
    ]
    assert outcome.out.count(" - │") == 3
    assert "nan" not in outcome.out


@pytest.fixture
def tiny(monkeypatch):
    """A study of few features on few networks."""
    benchmark = load_benchmark("nasbench201", [SMALL])
    parts = (named_set(benchmark, "search", 16, 0), named_set(benchmark, "held-out", 8, 0))
    monkeypatch.setattr(features, "study", lambda _: parts)
    monkeypatch.setattr(features, "TENSORS", ())
    monkeypatch.setattr(features, "SIZES", ("params", "layer_flops"))
    monkeypatch.setattr(features, "PATHS", ("paths_params_mean",))
    monkeypatch.setattr(trees, "TREES", 10)


@pytest.mark.usefixtures("tiny")
def test_features_answers_and_shows():
    command = ("features", *BATCH, "--workers", "1", "--records", "features-store")
    content = answer(*command)
    assert list(content) == ["features", "yardsticks"]
    rows = content["features"]
    assert [list(row) for row in rows] == [["feature", "tau", "coverage"]] * len(rows)
    assert {"params", "log(params)", "paths_params_mean"} <= {row["feature"] for row in rows}
    assert len(content["yardsticks"]) == 18
    for row in content["yardsticks"]:
        assert row["networks"] == 8
        assert [len(tau) for tau in row["tau"].values()] == [3]
    outcome = call(*command, "--top", "2")
    assert outcome.code == 0
    assert f"{len(rows)} features by tau on 500 networks, the first 2" in outcome.out
    assert "tested on 1000 other networks" in outcome.out
    cells = [[c.strip() for c in line.split("│")[1:-1]] for line in outcome.out.splitlines()]
    assert [c[0] for c in cells if c and c[0].isdecimal()] == ["1", "2"]
    assert sum(len(c) == 6 and c[4] == "8" for c in cells) == 18
    models = "".join(c[0].replace(" ", "") for c in cells if len(c) == 6)
    assert models.count("randomisedtrees") == 6


YARDSTICKS = ("yardsticks", "--networks", "12", "--folds", "2", "--workers", "1")


def test_yardsticks_answers_shows_and_saves(monkeypatch):
    listed = [parse(text) for text in ("params", "log(params)", "sum_layers(layer_flops)")]
    monkeypatch.setattr(yardsticks, "candidate_features", lambda _: listed)
    monkeypatch.setitem(yardsticks.OTHERS, "randomised trees", partial(randomised_trees, trees=5))
    command = (*YARDSTICKS, "--records", "yardsticks-store", "--labels", "4", "--labels", "all")
    rows = answer(*command, "--save", "saved-yardsticks")["by_folds"]
    assert {row["labels"] for row in rows} == {4, 6}
    assert Path("yardsticks-store/nasbench201/features.gz").is_file()
    saved = json.loads(Path("saved-yardsticks/yardsticks.json").read_text())
    assert saved == {"command": " ".join(["eznas", *command, "--json"]), "by_folds": rows}
    page = Path("saved-yardsticks/README.md").read_text()
    assert "Models of short features by 2 folds of 12 networks of the search part" in page
    outcome = call(*command)
    assert outcome.code == 0
    assert outcome.out.count("kernel ridge") == 4
    assert "sizes and paths (3): tau by 2 folds" in outcome.out


def test_ablation_passes_settings_on_shows_and_saves(monkeypatch):
    tau = [0.5, 0.4, 0.6]
    row = {"space": "nasbench201", "accuracy": "validation", "networks": 40, "folds": 2}
    row |= {"labels": 16, "nodes": 9.0, "evaluations": 24, "seconds": 3.0, "tau": {SMALL: tau}}
    row |= {"mean": tau, "by_fold": [0.4, 0.6], "minus": [0.0, 0.0, 0.0]}
    row |= {"minus_by_fold": [[0.1, 0.05, 0.2], [0.0, -0.1, 0.1]]}
    settings = {"evolution.crossover": 0.8, "evolution.exchange": 0}
    rows = [row | {"variant": "as it is", "settings": {}}]
    rows += [row | {"variant": "crossover=0.8 exchange=0", "settings": settings}]
    calls = []
    monkeypatch.setattr(eznas, "ablation", lambda *a, **k: calls.append((a, k)) or rows)
    command = ("ablation", "crossover=0.8 exchange=0", "--set", "networks=16", "--seeds", "2")
    assert answer(*command, "--save", "saved-ablation") == {"variants": rows}
    [[[variants], keywords]] = calls
    assert variants == {"crossover=0.8 exchange=0": {"crossover": 0.8, "exchange": 0}}
    assert keywords["settings"] == {"networks": 16}
    assert (keywords["seeds"], keywords["space"], keywords["preset"]) == (2, "nasbench201", None)
    assert "by 2 folds of 40 networks" in Path("saved-ablation/README.md").read_text()
    shown = call(*command).out
    assert "crossover=0.8" in shown
    assert "1, 0 of 2" in shown
    assert call("ablation").code == 0
    assert calls[-1][0] == (None,)
    assert call("ablation", "--alone").code == 0
    assert calls[-1][0] == ({},)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["crossover"], ["crossover", "key=value"]),
        (["crossover=0.8", "--alone"], ["--alone", "crossover=0.8"]),
        (["statistics=nosuch"], ["nosuch"]),
        (["--set", "statistics=nosuch"], ["nosuch"]),
        (["--preset", "paper"], ["new_features"]),
        (["crossver=0.1"], ["crossver", "crossover"]),
        (["--space", "nasbench2"], ["nasbench2", "nasbench201"]),
    ],
)
def test_bad_input_to_ablation(arguments, expected):
    line = complaint("ablation", *arguments)
    assert all(part in line for part in expected), line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--labels", "al"], ["--labels 'al'", "a number or all"]),
        (["--labels", "1"], ["labels 1", "2"]),
        (["--folds", "9"], ["folds 9", "each needs 2"]),
        (["--space", "nasbench2"], ["nasbench2"]),
    ],
)
def test_bad_input_to_yardsticks(options, expected):
    line = complaint(*YARDSTICKS, *options)
    assert all(part in line for part in expected), line
