"""Predictors at several budgets: small studies, and what cannot be studied."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from eznas.benchmarks import Benchmark
from eznas.benchmarks.curves import Curves, store_curves
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.splits import components, split
from eznas.benchmarks.store import Origin
from eznas.errors import InputError
from eznas.predictors import measurements
from eznas.predictors.named import CHAMPION, PREDICTORS
from eznas.proxies.loading import NAMES
from eznas.proxies.measured import Scored
from eznas.spaces import SPACES
from eznas.studies import budgets as module
from eznas.studies import prices
from eznas.studies.budgets import SIZES, budgets
from eznas.studies.trials import TESTED
from eznas.system.files import plain

NAAP = SPACES["naap440"].architectures()
SMALL = {"networks": 200, "sizes": (5, 20), "trials": 2}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Nothing was imported."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch):
    """Scores without measuring: numbers that the architectures and the proxies give."""

    def score_all(proxies, benchmark, settings, phases):
        digits = [sum(map(ord, a)) % 97 for a in benchmark.architectures]
        scores = [[(d * len(p.name)) % 89 for d in digits] for p in proxies]
        by_dataset = {d: np.array([scores], dtype=float) for d in benchmark.accuracies}
        return Scored(benchmark, [p.name for p in proxies], (0,), by_dataset, np.empty((2, 0)))

    monkeypatch.setattr(measurements, "score_all", score_all)
    monkeypatch.setattr(prices, "seconds_each", lambda proxies, *_: [0.25] * len(proxies))


@pytest.fixture
def naap440(monkeypatch):
    """Made-up accuracies and curves of NAAP-440, as if they had been imported."""
    encoded = np.array([SPACES["naap440"].encode(a) for a in NAAP])
    random = np.random.default_rng(0)
    accuracies = 80 + encoded @ random.normal(size=encoded.shape[1])
    epochs = np.arange(1, 91)
    rest = 40 * epochs**-0.7 * random.uniform(0.5, 1.5, (len(NAAP), 1))
    values = {"accuracy": accuracies[:, None] - rest, "train_loss": rest / 20}
    curves = Curves("naap440", "naap440", "cifar10", NAAP, epochs, values, accuracies, 90)
    store_curves([curves], Origin("made up", "00"))
    datasets = {"cifar10": load_benchmark("nasbench201", ["cifar10"]).datasets["cifar10"]}
    groups = components(SPACES["naap440"], NAAP)
    benchmark = Benchmark(
        "naap440", NAAP, datasets, {"cifar10": accuracies}, groups, "made up", "test"
    )
    original = load_benchmark
    monkeypatch.setattr(
        module, "load_benchmark", lambda s, *d: benchmark if s == "naap440" else original(s, *d)
    )
    return curves


def test_rows_of_a_small_study():
    result = budgets(["linear", "params"], **SMALL)
    assert (result.space, result.dataset, result.accuracy) == (
        "nasbench201",
        "cifar10",
        "validation",
    )
    assert (result.unit, result.total_epochs, result.split) == ("seconds", 200, "components")
    assert result.networks == 200
    assert 60 < result.tested < 100  # 40 % are held out
    keys = [(r["predictor"], r["training"], r["regressor"]) for r in result.rows]
    assert keys == [("linear", 5, "linear"), ("linear", 20, "linear"), ("params", 0, "")]
    linear, _, params = result.rows
    assert linear["query"] == linear["predict_seconds"]
    assert params["query"] == 0.25 + params["predict_seconds"]
    assert len(linear["taus"]) == 2
    assert result.left_out == {}
    assert [m["labels"] for m in result.maps] == [[5, 20]] * 2


def test_networks_of_one_component_are_on_one_side():
    pool = module._pool("nasbench201", "cifar10", None, "all", 300, 0)
    trained, tested = module._parts(pool, "components")
    assert sorted([*trained, *tested]) == list(range(300))
    sides = [set(pool.components[part].tolist()) for part in (trained, tested)]
    assert not sides[0] & sides[1]


def test_by_lot_both_come_from_all_networks():
    result = budgets(["linear"], networks=230, sizes=(30,), trials=1, split_by="networks")
    assert (result.tested, result.split) == (TESTED, "networks")
    with pytest.raises(InputError, match="size 31: expected 1 to 30, the networks to fit to"):
        budgets(["linear"], networks=230, sizes=(31,), trials=1, split_by="networks")


def test_the_same_seed_gives_the_same_study():
    one, same, other = (
        budgets(["extra_trees"], networks=60, sizes=(8,), trials=1, seed=seed).rows[0]["tau"]
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_usual_sizes_are_those_that_there_are_networks_for():
    result = budgets(["linear"], networks=100, trials=1)
    sizes = [row["training"] for row in result.rows]
    assert sizes == [size for size in SIZES if size <= 100 - result.tested]


def test_champion_and_proxies_take_their_places():
    result = budgets(
        ["champion_residual"], **SMALL, proxies=["params", "zen"], champion="nasbench201-a"
    )
    row = result.rows[0]
    assert row["features"] == ["nasbench201-a", "proxies:params,zen"]
    assert (row["proxy_seconds"], row["champion_labels"]) == (0.75, 340)
    free, counted = result.maps
    assert free["cells"][-1]["winner"] == "champion_residual"
    assert all(cell["winner"] is None for cell in counted["cells"])


def test_networks_that_a_file_of_scores_lacks_are_left_out(tmp_path):
    pool = module._pool("nasbench201", "cifar10", None, "all", 100, 0).architectures
    lines = ["architecture,mine", *(f"{a},{i}" for i, a in enumerate(pool[:70]))]
    (tmp_path / "scores.csv").write_text("\n".join(lines))
    known = ["architecture,naswot", *lines[1:50]]
    (tmp_path / "known.csv").write_text("\n".join(known))
    names = ["linear", "proxies_linear"]
    options = {"networks": 100, "sizes": (20,), "trials": 1}
    result = budgets(names, proxies=["table:scores.csv"], **options)
    assert result.networks == 70
    assert {row["predictor"]: row["proxy_seconds"] for row in result.rows}["proxies_linear"] == 0
    assert budgets(["linear"], proxies=["table:scores.csv"], **options).networks == 100
    assert budgets(["naswot"], scores="known.csv", **options).networks == 49
    assert budgets(["zen", "linear"], scores="known.csv", **options).networks == 100


@pytest.mark.parametrize("space", ["nasbench201", "nasbench-macro"])
def test_a_users_own_networks_with_their_curves(tmp_path, space):
    networks = SPACES[space].sample(80, seed=0)
    final = dict(
        zip(networks, np.random.default_rng(0).permutation(np.arange(10.0, 90)), strict=True)
    )
    header = "architecture,accuracy," + ",".join(f"accuracy_{e}" for e in range(1, 5))
    rows = [f"{a},{y}," + ",".join(str(y * e / 4) for e in range(1, 5)) for a, y in final.items()]
    (tmp_path / "mine.csv").write_text("\n".join([header, *rows]))
    options = {"space": space, "accuracy": str(tmp_path / "mine.csv"), "sizes": (9,), "trials": 2}
    result = budgets(["last_value", "linear"], **options)
    assert (result.networks, result.accuracy, result.dataset) == (80, "given", "cifar10")
    curve, encoding = result.rows
    assert (curve["epochs"], curve["tau"]) == (3, 1)
    assert encoding["tau"] < 0.7
    assert budgets(["linear"], **options, split_by="components", networks=40).networks == 40


def test_held_out_networks_of_a_users_are_those_of_the_whole_space(tmp_path):
    whole = load_benchmark("nasbench201", ["cifar10"])
    held_out = {whole.architectures[i] for i in split(whole.components).held_out}
    networks = SPACES["nasbench201"].sample(60, seed=0)
    (tmp_path / "mine.csv").write_text(
        "\n".join(["architecture,accuracy", *(f"{a},{i}" for i, a in enumerate(networks))])
    )
    pool = module._pool("nasbench201", "", str(tmp_path / "mine.csv"), "all", None, 0)
    trained, tested = module._parts(pool, "components")
    assert {pool.architectures[i] for i in tested} == held_out & set(networks)
    assert len(trained) + len(tested) == 60
    (tmp_path / "fractions.csv").write_text(
        "\n".join(["architecture,accuracy", *(f"{a},0.{i:02}" for i, a in enumerate(networks))])
    )
    with pytest.raises(InputError, match=r"fractions.csv: expected accuracies in percent"):
        budgets(["linear"], accuracy=str(tmp_path / "fractions.csv"))


def test_all_usual_predictors_and_why_others_are_left_out(monkeypatch):
    shown = [n for n in PREDICTORS if n not in NAMES or n in ("params", "grasp", CHAMPION)]
    some = {name: PREDICTORS[name] for name in shown if "boost" not in name and "trees" not in name}
    monkeypatch.setattr(module, "PREDICTORS", some)
    result = budgets(networks=60, sizes=(8,), trials=1)
    tried = {row["predictor"] for row in result.rows}
    assert tried | set(result.left_out) == set(some)
    assert "grasp" in result.left_out
    assert "seconds" in result.left_out["gin"]
    assert result.left_out["sotl"] == (
        "it reads learning curves of the training loss, and there are none here"
    )


def test_curves_of_naap440(naap440):
    names = ["last_value", "sotl_e", "extrapolated", "lcsvr", "linear"]
    result = budgets(names, space="naap440", sizes=(20,), trials=2)
    assert (result.unit, result.total_epochs, result.epoch_seconds) == ("epochs", 90, None)
    of_curves = {(r["predictor"], r["epochs"]): r for r in result.rows}
    assert list(of_curves) == [*((n, e) for n in names[:4] for e in (3, 9, 30)), ("linear", 0)]
    assert of_curves["last_value", 3]["query"] == 3
    assert of_curves["last_value", 3]["tau"] < of_curves["last_value", 30]["tau"]
    assert of_curves["extrapolated", 9]["mae"] < of_curves["last_value", 9]["mae"]
    assert math.isnan(of_curves["sotl_e", 9]["mae"])
    cells = {(c["query"], c["labels"]): c["winner"] for c in result.maps[0]["cells"]}
    early = [query for query in result.maps[0]["queries"] if query < 3]  # too early for any curve
    assert {cells[query, 20] for query in early} == {"linear"}


def test_a_result_can_be_written_as_json(naap440):
    result = budgets(["sotl_e"], space="naap440", sizes=(20,), trials=1)
    text = json.dumps(plain(asdict(result)), allow_nan=False)
    assert json.loads(text)["rows"][0]["mae"] is None


def test_curves_of_a_single_epoch_are_read_at_that_one(naap440):
    one = replace(
        naap440,
        epochs=naap440.epochs[11:12],
        values={"accuracy": naap440.values["accuracy"][:, 11:12]},
    )
    store_curves([one], Origin("made up", "00"))
    result = budgets(["last_value"], space="naap440", trials=1)
    assert [row["epochs"] for row in result.rows] == [12]
    with pytest.raises(InputError, match="sotl: it reads learning curves of the training loss"):
        budgets(["sotl"], space="naap440", trials=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"predictors": ["linaer"]}, "unknown predictor 'linaer'; did you mean 'linear'"),
        ({"predictors": ["last_value"]}, "last_value: it reads learning curves of accuracy, and"),
        ({"predictors": ["omni"]}, "omni: it reads learning curves, and there are none here"),
        ({"space": "nasbench"}, "unknown space 'nasbench'; did you mean 'nasbench201'"),
        ({"dataset": "cifar1"}, "dataset 'cifar1'; did you mean 'cifar10'"),
        ({"set_name": "al"}, "unknown set 'al'"),
        ({"split_by": "component"}, "split 'component': expected components or networks"),
        ({"networks": 3, "sizes": (1,)}, "3 networks are too few: . to fit to and . to test on"),
        ({"networks": 150, "split_by": "networks"}, "150 networks are too few: 0 to fit to"),
        ({"set_name": "search"}, "1000 networks are too few: 1000 to fit to and 0 to test on"),
        ({"sizes": (5, 5000)}, "size 5000: expected 1 to ..., the networks to fit to"),
        ({"sizes": (0,)}, "size 0: expected 1 to"),
        ({"trials": 0}, "trials 0: expected 1 or more"),
        ({"target": "accuracy"}, "unknown target 'accuracy'"),
        ({"accuracy": "none.csv"}, "none.csv: cannot be read"),
        ({"accuracy": "none.csv", "set_name": "study"}, "set 'study': expected 'all' with an acc"),
        ({"accuracy": "none.csv", "space": "nasbench"}, "unknown space 'nasbench'"),
        ({"proxies": ["prams"], "predictors": ["proxies_linear"]}, "unknown proxy 'prams'"),
        ({"champion": "nasbench201-z", "predictors": ["champion_trees"]}, "'nasbench201-[abc]'"),
    ],
)
def test_what_cannot_be_studied(values, message):
    with pytest.raises(InputError, match=message):
        budgets(**{"predictors": ["linear"]} | values)
