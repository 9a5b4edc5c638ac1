"""The arena: formulas on search parts, from stored features."""

import numpy as np
import pytest

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.store import Origin, store
from eznas.benchmarks.subsets import search_networks
from eznas.discovery.callbacks import NoCallback
from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.metrics import kendall
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings, score_all
from eznas.proxies.proxy import Proxy
from eznas.report.arena_tables import arena_table
from eznas.studies import arena as study
from eznas.studies import records
from eznas.studies.arena import KEPT, arena, with_accuracies
from eznas.studies.records import build_records, networks_of
from tests.benchmarks.made_up import store_macro

FORMULA = "log(params)"


@pytest.fixture(autouse=True)
def little_to_measure(tmp_path, monkeypatch):
    """Stores are empty, and nothing that is measured takes long."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    usual = [load(name).formula for name in ("params", "flops")]
    monkeypatch.setattr(study, "YARDSTICKS", ("params", "flops"))
    monkeypatch.setattr(records, "usual_formulas", lambda _: usual)
    monkeypatch.setattr(study, "usual_formulas", records.usual_formulas)


def test_tau_is_that_of_the_networks_of_the_search_part():
    rows = arena([FORMULA], spaces=["nasbench201"], measured=10)
    assert [(r["formula"], r["dataset"]) for r in rows[:3]] == [
        (FORMULA, dataset) for dataset in ("cifar10", "cifar100", "ImageNet16-120")
    ]
    sample = search_networks(load_benchmark("nasbench201"), 10)
    proxy = Proxy("mine", parse(FORMULA), 4, 32)
    scores = score_all([proxy], sample, ScoringSettings(), NoCallback()).means()
    for row in rows[:3]:
        assert row["tau"] == pytest.approx(
            kendall(scores[row["dataset"]][0], sample.accuracies[row["dataset"]])
        )
        assert row["low"] <= row["tau"] <= row["high"]
        assert (row["networks"], row["undefined"], row["accuracy"]) == (10, 0, "validation")


def test_what_is_stored_is_not_measured_again(forbid_measuring):
    build_records(["nasbench201"], networks=16)
    forbid_measuring()
    rows = arena([FORMULA], spaces=["nasbench201"], measured=10)
    assert {row["networks"] for row in rows} == {16}
    few = arena(["params"], spaces=["nasbench201"], networks=12, measured=10)
    assert {row["networks"] for row in few} == {12}
    with pytest.raises(AssertionError, match="a network was measured"):
        arena(["naswot"], spaces=["nasbench201"], measured=10)


def test_tables_of_a_space_stand_apart():
    networks = search_networks(load_benchmark("nasbench201"), 12).architectures
    trials = {"cifar10": {a: (float(number),) for number, a in enumerate(networks)}}
    store(Table("nasbench201", "test", trials), Origin("made up", "0" * 64), "mine")
    tables = ["nasbench201", "nasbench201:mine"]
    rows = arena(["params"], spaces=tables, networks=8, measured=4)
    kinds = {row["space"]: row["accuracy"] for row in rows}
    assert kinds == {"nasbench201": "validation", "nasbench201:mine": "test"}
    assert len(arena_table(rows, 100).renderables) == 2


def test_the_table_has_a_column_for_each_data_set():
    rows = [
        {"formula": name, "space": "nasbench201", "dataset": dataset, "accuracy": "validation"}
        | {"networks": 40, "undefined": undefined, "tau": tau, "low": tau, "high": tau}
        for name, tau, undefined in (("first", 0.25, 0), ("second", 0.5, 3), ("third", None, 40))
        for dataset in ("cifar10", "cifar100", "ImageNet16-120")
    ]
    parts = arena_table(rows, 100).renderables[0].renderables
    headings = [str(column.header) for column in parts[1].columns]
    assert headings == ["formula", "cifar10 [95 %]", "cifar100 [95 %]", "ImageNet16-120 [95 %]"]
    assert str(parts[0]) == "tau on 40 networks of the search part, validation accuracy"
    names = [str(cell) for cell in parts[1].columns[0].cells]
    assert names == ["nasbench201", "second", "first", "third"]
    assert [str(note) for note in parts[2:]] == [
        "second: undefined on 3 networks",
        "third: undefined on 40 networks",
    ]


def test_networks_are_the_usual_number_of_the_search_part_or_all_there_are():
    benchmark = load_benchmark("nasbench201")
    assert len(networks_of(benchmark, "search", None).architectures) == 2000
    part = len(benchmark.split.search)
    assert len(networks_of(benchmark, "search", 10**6).architectures) == part
    held_out = networks_of(benchmark, "held-out", None)
    assert len(held_out.architectures) == 500
    assert not np.isin(
        held_out.components, networks_of(benchmark, "search", 10**6).components
    ).any()


def test_spaces_are_those_with_accuracies_here(monkeypatch, tmp_path):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    assert with_accuracies() == ["nasbench201"]
    store_macro(name="mine")
    assert with_accuracies() == ["nasbench201", "nasbench-macro:mine"]
    store_macro()
    assert with_accuracies() == ["nasbench201", "nasbench-macro"]
    monkeypatch.setattr(study, "SPACES", ["naap440", *KEPT])
    with pytest.raises(InputError, match="no space has accuracies here"):
        with_accuracies()
    for bad in ({"measured": 1}, {"spaces": ["nasbench2"]}):
        with pytest.raises(InputError):
            arena([FORMULA], **bad)
