"""`eznas predictors`, `predict` and `budgets`: JSON, tables, plots and bad input.

Predictors without proxies are fitted in no time; one proxy is measured on a few networks.
"""

import json
from pathlib import Path

import pytest

from eznas.cli import predictors as module
from eznas.predictors.named import PREDICTORS
from eznas.report.cells import WIDTH
from eznas.spaces import SPACES
from tests.cli.calls import ARCHITECTURES, HEADER, NOTHING, POOLS, SMALL, answer, call, complaint

MACRO = SPACES["nasbench-macro"].sample(30, seed=0)
FITTED, OTHERS = ARCHITECTURES[5:15_000:700], ARCHITECTURES[9:15_000:5_000]
STUDY = ("--networks", "60", "--sizes", "8,20", "--trials", "2", "--workers", "1")
FEW = ("--batch", "2", "--workers", "1", "--dataset", SMALL)


@pytest.fixture(scope="module", autouse=True)
def files(folder):
    """Networks with made-up accuracies, and networks to predict."""
    for name, networks in (("train", FITTED), ("macro", MACRO)):
        rows = [f"{a},{50 + sum(map(ord, a)) % 40}" for a in networks]
        (folder / f"{name}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "others.txt").write_text("\n".join(OTHERS) + "\n")
    (folder / "train-with-curves.csv").write_text(f"{HEADER},accuracy_1\n{FITTED[0]},50,20\n")


def fits(text):
    return all(len(line) <= WIDTH for line in text.splitlines())


def test_the_list_of_predictors():
    rows = answer("predictors")["predictors"]
    assert [row["name"] for row in rows] == [*PREDICTORS, "supernet:FOLDER"]
    assert all({"name", "features", "regressor", "source"} <= row.keys() for row in rows)
    outcome = call("predictors")
    assert outcome.code == 0
    assert "champion_residual" in outcome.out
    assert fits(outcome.out)


def test_predictions():
    content = answer("predict", "linear", "train.csv", "others.txt")
    assert list(content) == ["predictions"]
    assert {row["architecture"] for row in content["predictions"]} == set(OTHERS)
    values = [row["prediction"] for row in content["predictions"]]
    assert values == sorted(values, reverse=True)
    outcome = call("predict", "linear", "train.csv", "others.txt")
    assert (outcome.code, outcome.err) == (0, "")
    assert "3 networks by linear, fitted to train.csv" in outcome.out
    assert f"{values[0]:.6g}" in outcome.out
    assert fits(outcome.out)


def test_a_sample_of_another_space_and_how_many_are_shown():
    options = ("macro.csv", "--space", "nasbench-macro", "--sample", "30")
    content = answer("predict", "nusvr", *options)
    names = {row["architecture"] for row in content["predictions"]}
    assert len(names) == 30
    assert not names & set(MACRO)
    outcome = call("predict", "nusvr", *options)
    assert "the first 20; --json gives all" in outcome.out
    assert answer("predict", "nusvr", *options, "--seed", "1") != content


def test_proxies_and_a_champion_are_measured():
    options = ("--proxies", "params,max(params, params)", "--champion", "params", *FEW)
    content = answer("predict", "champion_residual", "train.csv", "others.txt", *options)
    assert len(content["predictions"]) == 3
    alone = answer("predict", "params", "train.csv", "others.txt", *FEW)["predictions"]
    sizes = [row["prediction"] for row in alone]
    assert sizes == sorted(sizes, reverse=True)


def test_lowest_scores_are_null():
    """The mean over no layers is the lowest score: nothing leads from input to output."""
    Path("nothing.txt").write_text(f"{NOTHING}\n{POOLS}\n{OTHERS[1]}\n")
    command = ("predict", "mean_layers(layer_params)", "train.csv", "nothing.txt", *FEW)
    values = [row["prediction"] for row in answer(*command)["predictions"]]
    assert values[-1] is None
    assert None not in values[:-1]
    assert " - │" in call(*command).out


def test_what_looks_like_a_result_and_is_none_is_said():
    Path("alike.csv").write_text(
        "architecture,naswot\n" + "".join(f"{a},nan\n" for a in (*FITTED, *OTHERS))
    )
    options = ("train.csv", "others.txt", "--scores", "alike.csv")
    assert "all predictions are equal" in call("predict", "linear[naswot]", *options).out
    assert "without a prediction: 3, whose score" in call("predict", "naswot", *options).out
    assert "all predictions" not in call("predict", "linear", *options[:2]).out


def test_budgets_answer():
    content = answer("budgets", "linear", "nusvr", *STUDY)
    assert (content["space"], content["dataset"], content["networks"]) == (
        *("nasbench201", "cifar10"),
        60,
    )
    assert [(row["predictor"], row["training"]) for row in content["rows"]] == [
        (name, size) for name in ("linear", "nusvr") for size in (8, 20)
    ]
    assert {len(row["taus"]) for row in content["rows"]} == {2}
    assert [m["champions"] for m in content["maps"]] == ["free", "counted"]
    assert content["plots"] == []
    single = answer("budgets", "linear", *STUDY, "--trials", "1", "--dataset", SMALL)
    assert single["rows"][0]["tau_error"] is None
    assert single["dataset"] == SMALL


def test_budgets_tables_plot_and_page(folder):
    options = (*STUDY, "--plot", "winners.png", "--save", "budgets-study")
    outcome = call("budgets", "linear", *options)
    assert outcome.code == 0, outcome.err
    first, *tables = outcome.out.splitlines()
    assert first == (
        "tau on 22 networks of nasbench201 (cifar10), mean of 2 trials, split by components"
    )
    assert fits("\n".join(tables))
    assert "A linear" in tables
    for picture in ("winners.png", "budgets-study/budgets.png"):
        assert Path(picture).read_bytes().startswith(b"\x89PNG")
    saved = json.loads(Path("budgets-study/budgets.json").read_text())
    assert saved["command"] == f"eznas budgets linear {' '.join(options[:-2])}"
    assert saved["plots"] == ["budgets.png"]
    page = Path("budgets-study/README.md").read_text()
    assert "1 predictor of validation accuracy on cifar10, nasbench201" in page
    assert "![budgets](budgets.png)" in page


def test_predictors_that_are_left_out_are_said(monkeypatch):
    from eznas.studies import budgets

    some = {name: PREDICTORS[name] for name in ("linear", "gin", "last_value")}
    monkeypatch.setattr(budgets, "PREDICTORS", some)
    outcome = call("budgets", *STUDY)
    assert "left out: gin: a fit takes seconds" in outcome.out
    assert "left out: last_value: it reads learning curves of accuracy" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("predictors extra", "extra"),
        ("predict linaer train.csv", "unknown predictor 'linaer'; did you mean 'linear'?"),
        ("predict sum_layers(wieght) train.csv", "did you mean 'weight'?"),
        ("predict tree[encoding] train.csv", "unknown regressor 'tree'"),
        (
            "predict linear[zenn] train.csv --sample 2",
            "unknown feature 'zenn'; did you mean",
        ),
        ("predict linear none.csv", "none.csv: cannot be read"),
        ("predict linear header.csv", "header.csv:1: no column architecture"),
        ("predict linear letters.csv", "letters.csv:2: expected a finite number"),
        ("predict linear stranger.csv", "stranger.csv:2"),
        ("predict linear train.csv text.txt", "text.txt:1"),
        ("predict linear train.csv none.txt", "none.txt: cannot be read"),
        ("predict linear train.csv others.txt --sample 3", "expected one of the two"),
        ("predict linear train.csv --space nasbench", "unknown space 'nasbench'"),
        ("predict linear train.csv --dataset cifar1", "did you mean 'cifar10'?"),
        ("predict linear train.csv --space naap440", "train.csv:2: NAAP-440 architecture"),
        ("predict linear train.csv --sample 0", "--sample"),
        ("predict linear train.csv --sample 20000", "space nasbench201 has 15603 networks"),
        ("predict proxies_linear train.csv --proxies ,", "proxies ',': expected one or more"),
        ("predict champion_trees train.csv --champion prams", "unknown proxy 'prams'"),
        ("predict champion_trees train.csv --proxies params,prams", "unknown proxy 'prams'"),
        ("predict last_value train.csv", "train.csv: expected columns accuracy_1"),
        ("predict last_value train-with-curves.csv others.txt", "has none: expected a file"),
        ("predict last_value train-with-curves.csv --epochs 0", "--epochs"),
        ("predict linear[encodin] train.csv", "unknown feature 'encodin'; did you mean 'encoding'"),
        ("predict linear[encoding;] train.csv", "expected linear[FEATURE; FEATURE; ...]"),
        ("predict linear train.csv --epochs 3", "linear: reads no learning curves"),
        ("predict linear train.csv --proxies params", "linear: has no feature proxies"),
        ("predict proxies_linear train.csv --champion params", "has no feature champion"),
        ("budgets linear --target accuracy", "unknown target 'accuracy'"),
        ("budgets linear --accuracy none.csv", "none.csv: cannot be read"),
        ("budgets linaer", "unknown predictor 'linaer'"),
        ("budgets linear --sizes 5,x", "sizes '5,x': expected numbers of networks"),
        ("budgets linear --sizes 0", "sizes '0': expected numbers"),
        ("budgets linear --sizes 5000", "size 5000: expected 1 to"),
        ("budgets linear --trials 0", "--trials"),
        ("budgets linear --split lot", "split 'lot': expected components or networks"),
        ("budgets linear --dataset cifar10 --dataset cifar100", "expected one"),
        ("budgets linear --dataset cifar1", "did you mean 'cifar10'?"),
        ("budgets linear --networks 1", "networks 1: expected 2 to 15625"),
        ("budgets linear --networks 4", "4 networks are too few"),
        ("budgets linear --set al", "unknown set 'al'"),
        ("budgets linear --plot map.pdf", "expected a name that ends in .png"),
        ("budgets linear --plot none/map.png", "none/map.png: cannot write"),
        ("budgets linear --save text.txt", "text.txt"),
        ("budgets linear --space naap440", "naap440"),
        ("budgets omni", "omni: it reads learning curves"),
    ],
)
def test_bad_input_is_one_line(arguments, expected):
    assert expected in complaint(*arguments.split())


def test_progress_is_shown(monkeypatch):
    phases = []
    monkeypatch.setattr(
        "eznas.cli.progress.LiveProgress.phase", lambda _, *phase: phases.append(phase)
    )
    assert call("budgets", "linear", *STUDY).code == 0
    assert phases == [("fitting 1 predictor, 2 times", 2)]
    assert module.SHOWN == 20
