"""Each alias stands for what the rows of runs/ recommend, and says why."""

import json
from pathlib import Path

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.proxies.aliases import ALIASES, aliases_of
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.listing import list_aliases, list_discovered, list_proxies
from eznas.proxies.loading import NAMES, describe, load
from tests.proxies.zoo import BUILDERS, INPUT, model

RUNS = Path(__file__).parents[2] / "runs"
NASBENCH201 = ["cifar10", "cifar100", "ImageNet16-120"]


WITHOUT_PATHS = {  # of the zoo: no gradient shows which layers of these matter
    "blind",
    "NAS-Bench-201, nothing",
    "NAS-Bench-201, dead",
}


def test_default_is_ahead_of_the_classics_beside_it_in_every_space():
    """It is the champion of a run, tested on networks of four spaces that its search did not use,
    and ahead on each data set (and in the mean of NAS-Bench-201's)."""
    result = json.loads((RUNS / "general-seed-1" / "result.json").read_text())
    assert describe("default").formula == result["formula"]
    differences = [row for row in result["difference"] if row["against"] != "greedy"]
    spaces = {row["dataset"].split("/")[0] for row in differences}
    assert spaces == {"nasbench201", "nasbench101:test", "nasbench-macro", "naap440"}
    assert {row["against"] for row in differences} > {"flops", "jacob_cov_x_params", "hybrid"}
    assert all(row["low"] > 0 for row in differences)


def test_default_tells_models_of_every_kind_apart():
    proxy = load("default")
    config = proxy.measurement_config(INPUT)
    scores = {kind: proxy.evaluate(model(kind), config).value for kind in BUILDERS}
    assert {kind for kind, score in scores.items() if not np.isfinite(score)} == WITHOUT_PATHS
    assert len(set(scores.values())) > len(BUILDERS) - len(WITHOUT_PATHS)


@pytest.mark.parametrize("alias", ALIASES.values())
def test_the_note_is_one_short_line(alias):
    assert len(f"eznas: {alias.note}") <= 80


def test_default_nasbench201_is_ahead_on_networks_that_nothing_was_chosen_on():
    """By the look of `eznas final` that has it, beside the champions before it."""
    chosen = describe("default_nasbench201")
    assert chosen.name in DISCOVERED
    lines = (RUNS / "LOOKS.jsonl").read_text().splitlines()
    look = next(
        look
        for look in map(json.loads, lines)
        if look["formulas"].get(chosen.name) == chosen.formula and look["space"] == "nasbench201"
    )
    assert look["networks"] == 4207
    assert look["accuracy"] == "validation"
    taus = {}
    for row in look["rows"]:
        taus.setdefault(row["proxy"], {})[row["dataset"]] = row["tau"]
    assert {"nasbench201-b", "quick-1", "jacob_cov_x_params"} < taus.keys()
    means = {proxy: np.mean([of[dataset] for dataset in NASBENCH201]) for proxy, of in taus.items()}
    assert max(means, key=means.get) == chosen.name
    assert "discovered" in ALIASES["default_nasbench201"].why


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_loaded_and_its_proxy_keeps_its_name(alias):
    assert alias in NAMES
    assert alias not in (*CLASSICS, *DISCOVERED)
    assert load(f" {alias} ") == load(ALIASES[alias].proxy)
    assert load(alias).name == describe(alias).name == ALIASES[alias].proxy
    assert ALIASES[alias].note == f"{alias} is {ALIASES[alias].proxy}: {ALIASES[alias].why}"
    with pytest.raises(InputError, match=f"did you mean '{alias}'"):
        load(alias + "x")


def test_the_lists_say_what_there_is_and_which_has_an_alias():
    published, discovered = list_proxies(), list_discovered()
    assert [row["proxy"] for row in published] == list(CLASSICS)
    assert [row["proxy"] for row in discovered] == list(DISCOVERED)
    for row in [*published, *discovered]:
        assert row["aliases"] == aliases_of(row["proxy"])
    assert [row["alias"] for row in list_aliases()] == list(ALIASES)


def test_a_discovered_proxy_is_listed_with_what_its_file_holds():
    for row in list_discovered():
        content = describe(row["proxy"])
        assert row["formula"] == content.formula
        assert row["labels"] == content.labels
        assert [e["tau"] for e in row["evidence"]] == [e["tau"] for e in content.evidence]
        assert row["probes"] == ["data", "noise", "structure"]
        assert (row["raw_batch"], row["sketch_batch"]) == (4, 32)
