"""`eznas search`: JSON, tables, plots and bad input."""

import json
from pathlib import Path

import pytest

from eznas.cli.search import search
from eznas.proxies.loading import separated
from eznas.search import METHODS
from eznas.search.costs import Cost, Costs
from eznas.studies import search as study
from eznas.studies.saving import page_of
from tests.cli.calls import ARCHITECTURES, SMALL, answer, call, complaint

FEW = ("--queries", "6")


@pytest.fixture
def unmeasured_costs(monkeypatch):
    monkeypatch.setattr(Costs, "_measured", lambda _, a: Cost(a.count("3x3"), a.count("conv")))


@pytest.mark.usefixtures("unmeasured_costs")
@pytest.mark.parametrize("command", ["random", "evolution"])
def test_search_answers(command):
    content = answer("search", command, *FEW, "--repeats", "2", "--dataset", SMALL, "--seed", "3")
    assert (content["method"], content["dataset"]) == (command, SMALL)
    assert [len(order) for order in content["queried"]] == [6, 6]
    assert content["curve"]["queries"] == [1, 2, 3, 4, 5, 6]
    assert content["best"]["accuracy"] == max(content["networks"]["accuracy"])
    means = content["curve"]["mean"]
    assert means == sorted(means)
    assert content["front"][0]["accuracy"] <= content["best"]["accuracy"]
    assert content["plots"] == []


@pytest.mark.usefixtures("unmeasured_costs")
def test_guided_and_its_warm_start_by_a_formula_with_commas():
    options = ("--warm-start", "params,pow(params, 2.0)", "--pool", "4", "--batch", "3")
    assert separated(options[1]) == ["params", "pow(params, 2.0)"]
    content = answer(
        *("search", "guided", *FEW, "--predictor", "linear", "--acquisition", "ei"),
        *(*options[2:], "--workers", "1"),
    )
    assert len(content["networks"]["architecture"]) == 6


@pytest.mark.usefixtures("unmeasured_costs")
def test_proxies_and_a_store_of_what_was_measured(folder):
    options = ("--proxies", "params", "--pool", "3", "--dataset", SMALL, "--workers", "1")
    command = ("search", "proxies", "--queries", "3", *options, "--records", "search-store")
    first = answer(*command)
    assert Path("search-store/features.gz").is_file()
    assert answer(*command) == first


@pytest.mark.usefixtures("unmeasured_costs", "unmeasured")
def test_known_scores_guide_a_search_that_is_saved(folder):
    lines = [f"{a},{i}" for i, a in enumerate(ARCHITECTURES)]
    (folder / "known.csv").write_text("\n".join(["architecture,cifar10_nwot", *lines]))
    known = ("--proxies", "naswot", "--scores", "known.csv")
    command = ("search", "proxies", *FEW, "--repeats", "2", *known, "--pool", "9")
    printed = answer(*command, "--save", "searched/proxies.json")
    ranks = [ARCHITECTURES.index(a) for a in printed["networks"]["architecture"]]
    first = [ranks[i] for i in printed["queried"][0]]
    assert first == sorted(first, reverse=True)
    predictor = ("--predictor", "linear[encoding; proxies]", "--warm-start", "naswot")
    command = ("search", "guided", *FEW, "--repeats", "2", *known, *predictor, "--batch", "4")
    answer(*command, "--save", "searched")
    saved = json.loads(Path("searched/guided.json").read_text())
    assert saved["plots"] == ["guided.png"]
    assert saved["command"].endswith("--batch 4 --json")
    compared = answer("search", "compare", "searched/proxies.json", "searched/guided.json",
                      "--save", "searched")  # fmt: skip
    assert compared["curves"] == {
        name: json.loads(Path(f"searched/{name}.json").read_text())["curve"]["mean"]
        for name in ("proxies", "guided")
    }
    page = Path("searched/README.md").read_text()
    assert page == page_of(Path("searched"))
    assert "Guided search, nasbench201/cifar10, validation accuracy, 2 repeats, seed 0" in page
    assert "| queries | search | best so far [95 %] | ahead of `proxies` [95 %] |  |" in page
    outcome = call("search", "compare", "searched/guided.json", "searched/proxies.json")
    assert outcome.out.startswith("best validation accuracy, nasbench201/cifar10, mean of 2")
    assert max(map(len, outcome.out.splitlines())) <= 80
    others = ("rows.csv", "flipped", "searched/nothing.json", "good.json")
    for other in others:
        assert other in complaint("search", "compare", "searched/guided.json", other)


@pytest.mark.usefixtures("unmeasured_costs")
def test_tables_and_plot(folder):
    outcome = call("search", "random", *FEW, "--repeats", "2", "--plot", "searched.png")
    assert outcome.code == 0
    assert "random search, nasbench201/cifar10, validation accuracy, 2 repeats" in outcome.out
    assert "front of accuracy against cost, first repeat" in outcome.out
    assert max(map(len, outcome.out.splitlines()[:-1])) <= 80
    assert (folder / "searched.png").is_file()


def test_a_limit_is_kept_with_costs_as_measured(monkeypatch):
    monkeypatch.setattr(study, "TRIED", 0)
    content = answer("search", "random", "--queries", "2", "--max-seconds", "5", "--max-params=4e5")
    assert all(0 < seconds < 5 for seconds in content["networks"]["seconds"])
    assert max(content["networks"]["params"]) <= 4e5


def test_every_method_has_a_command():
    commands = {c.name or c.callback.__name__ for c in search.registered_commands}
    assert commands == {*METHODS, "compare", "latent", "latent-compare", "autoencode"}


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["randon"], ["'randon'", "'random'"]),
        (["random", "--queries", "0"], ["--queries"]),
        (["random", "--queries", "99999"], ["queries 99999", "1 to 15625"]),
        (["random", "--space", "nasbench"], ["space 'nasbench'", "nasbench201"]),
        (["random", "--space", "nats-size"], ["no ground truth of nats-size"]),
        (["random", "--dataset", "cifar"], ["dataset 'cifar'", "did you mean 'cifar10'?"]),
        (["random", "--labels", "nofile.csv"], ["nofile.csv", "No such file"]),
        (["random", "--labels", "stranger.csv"], ["stranger.csv:2", "'resnet18'"]),
        (["random", "--max-params", "0"], ["limit on params 0", "above 0"]),
        (["random", "--max-flops", "few"], ["--max-flops"]),
        (["random", "--plot", "plot.pdf"], ["plot.pdf: plots are PNG files"]),
        (["guided", "--predictor", "linaer"], ["predictor 'linaer'", "did you mean 'linear'?"]),
        (["guided", "--acquisition", "x"], ["unknown acquisition 'x'", "known: ei"]),
        (["guided", "--warm-start", "prams"], ["proxy 'prams'", "did you mean 'params'?"]),
        (["guided", "--proxies", "naswot,prams"], ["proxy 'prams'", "did you mean 'params'?"]),
        (["guided", "--scores", "nofile.csv"], ["nofile.csv", "No such file"]),
        (["proxies", "--proxies", "zen", "--scores", "text.csv"], ["text.csv:3", "'high'"]),
        (["random", "--save", "text.txt"], ["text.txt", "no folder that can be written"]),
        (["compare", "searched.json"], ["two or more files"]),
        (["compare", "nofile.json", "other.json"], ["nofile.json", "No such file"]),
        (["proxies"], ["Missing option '--proxies'"]),
        (["proxies", "--proxies", ","], ["expected one or more proxies"]),
    ],
)
def test_bad_input_to_search(arguments, expected):
    line = complaint("search", *arguments)
    assert all(part in line for part in expected), line


def test_the_study_announces_only_what_takes_long():
    names = []

    class Phases:
        def phase(self, name, networks):
            names.append(name)

    announced = study._Announced(Phases())
    announced.phase("few", 5)
    announced.phase("many", 500)
    assert names == ["many"]
