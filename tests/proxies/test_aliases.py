"""Each alias stands for what the rows of runs/ recommend, and says why."""

import json
from pathlib import Path

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.proxies.aliases import ALIASES, aliases_of
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.listing import list_aliases, list_discovered, list_proxies
from eznas.proxies.loading import NAMES, describe, load
from tests.proxies.zoo import BUILDERS, INPUT, model

RUNS = Path(__file__).parents[2] / "runs"
SPACES = ("nasbench201-study", "nasbench-macro", "nasbench101", "nds-darts", "naap440")
NASBENCH201 = ["cifar10", "cifar100", "ImageNet16-120"]
STRANGEST_FIRST = sorted(BUILDERS, key=lambda kind: kind not in ("one layer", "blind"))


def taus(study):
    """Proxy -> tau, the mean over data sets, from the committed rows of a study."""
    by_proxy = {}
    for row in json.loads((RUNS / study / "rows.json").read_text())["rows"]:
        by_proxy.setdefault(row["proxy"], []).append(row["tau"])
    return {proxy: np.mean(values) for proxy, values in by_proxy.items()}


def tells_models_apart(name):
    """Whether every score of the zoo is finite, and more than half of them are distinct."""
    proxy = load(name)
    config = proxy.measurement_config(INPUT)
    scores = set()
    for kind in STRANGEST_FIRST:
        score = proxy.evaluate(model(kind), config).value
        if not np.isfinite(score):
            return False
        scores.add(score)
    return len(scores) > len(STRANGEST_FIRST) / 2


def test_default_is_the_best_classic_over_all_spaces_that_tells_models_apart():
    """Those that a study leaves out (GraSP, say) are no candidates."""
    spaces = [taus(study) for study in SPACES]
    candidates = [name for name in CLASSICS if all(name in space for space in spaces)]
    assert len(candidates) > 20
    means = {name: np.mean([space[name] for space in spaces]) for name in candidates}
    best_first = sorted(candidates, key=means.get, reverse=True)
    assert ALIASES["default"].proxy == next(filter(tells_models_apart, best_first))
    assert "a classic" in ALIASES["default"].why


def test_a_proxy_that_gives_most_models_one_number_does_not_tell_them_apart():
    assert tells_models_apart("params")
    assert not tells_models_apart("min(params, 1.0)")
    assert not tells_models_apart("live_params")  # undefined on one of the zoo


def test_no_discovered_formula_is_better_in_every_space_yet():
    """The rows that hold some on a space that their searches did not see: `default` is ahead."""
    champions = {"quick-1", "quick-2", "quick-3", *DISCOVERED}
    by_proxy = taus("naap440")
    strangers = champions & by_proxy.keys()
    assert strangers
    assert by_proxy[ALIASES["default"].proxy] > max(by_proxy[name] for name in strangers)


@pytest.mark.parametrize("alias", ALIASES.values())
def test_the_note_is_one_short_line(alias):
    assert len(f"eznas: {alias.note}") <= 80


LONGEST = 100  # nodes of a formula that an alias names: longer ones wait for their own evidence


def test_no_champion_is_ahead_of_default_nasbench201_by_more_than_noise():
    """It was the best on these networks; another by less than .005 is no better on others."""
    means = {}
    for file in RUNS.glob("*/champion.json"):
        evidence = json.loads(file.read_text()).get("evidence", [])  # other searches have none
        rows = {row["dataset"]: row for row in evidence}
        if rows.keys() == set(NASBENCH201):
            assert {row["accuracy"] for row in rows.values()} == {"validation"}
            assert all(row["set"].startswith("held-out") for row in rows.values())
            formula = describe(str(file)).formula
            if parse(formula).size > LONGEST:
                continue
            means[formula] = np.mean([row["tau"] for row in rows.values()])
    chosen = describe("default_nasbench201")
    assert chosen.name in DISCOVERED
    assert max(means.values()) - means[chosen.formula] < 0.005
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
