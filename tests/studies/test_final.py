"""Final figures on made-up networks: which ones, and that every look is counted."""

import json

import numpy as np
import pytest

from eznas.benchmarks.loading import load
from eznas.benchmarks.subsets import FRESH, USED, held_out, untouched
from eznas.errors import InputError
from eznas.metrics import kendall
from eznas.studies.final import LOOKS, final, looks
from tests.benchmarks.made_up import store_macro

SMALL = {"space": "nasbench-macro", "replicates": 20, "raw": 2, "sketch": 2}


@pytest.fixture
def macro(tmp_path, monkeypatch):
    """Made-up accuracies of a space, and a checkout's folder of runs."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    store_macro(60)
    return load("nasbench-macro")


def test_the_untouched_networks_of_nasbench201():
    """Their names alone: no accuracy is looked at."""
    benchmark = load("nasbench201")
    rest = untouched(benchmark)
    assert (len(rest.architectures), rest.name) == (4_207, "untouched")
    tested_by_runs = held_out(benchmark, 5_707).architectures
    assert len(tested_by_runs) == USED + FRESH
    assert not {*rest.architectures} & {*tested_by_runs}
    assert untouched(benchmark, 100).architectures == rest.architectures[:100]
    search = set(benchmark.components[benchmark.split.search].tolist())
    assert not search & set(rest.components.tolist())
    with pytest.raises(InputError, match="searches have used it"):
        untouched(benchmark, whole=True)
    some = benchmark.subset(np.arange(12_000)[::-1], "all")  # as another table might have them
    assert untouched(some).architectures == tuple(
        a for a in rest.architectures if a in set(some.architectures)
    )
    assert set(held_out(some, 500).architectures) < set(tested_by_runs)
    with pytest.raises(InputError, match="networks 4208: expected 2 to 4207 for the set 'untou"):
        untouched(benchmark, 4_208)


def test_the_networks_of_other_spaces(macro):
    part = untouched(macro)
    assert part.name == "held-out part"
    assert part.architectures == held_out(macro, 60).architectures
    everything = untouched(macro, whole=True)
    assert everything.name == "all, not searched"
    assert set(everything.architectures) == set(macro.architectures)


def test_a_look_is_counted(macro):
    first = final(["params", "depth"], reason=" to test it ", against="params", **SMALL)
    part = untouched(macro)
    assert (first.reason, first.before) == ("to test it", 0)
    assert (first.set, first.networks) == ("held-out part", len(part.architectures))
    assert first.accuracy == "test"
    assert first.formulas["params"] == "params"
    models = map(macro.search_space.build, part.architectures)
    sizes = [sum(p.numel() for p in model.parameters()) for model in models]
    expected = kendall(sizes, part.accuracies["cifar10"])
    assert first.rows[0]["tau"] == pytest.approx(float(expected))
    assert [row["against"] for row in first.difference] == ["depth"]
    second = final(["2.0 * params"], reason="again", networks=10, **SMALL)
    third = final(["params"], reason="of all", networks=10, whole_space=True, **SMALL)
    assert [second.before, third.before] == [1, 2]
    assert [row["reason"] for row in looks()] == ["to test it", "again", "of all"]
    assert [row["networks"] for row in looks()] == [first.networks, 10, 10]
    assert looks()[0]["rows"] == json.loads(json.dumps(first.rows))
    page = LOOKS.with_suffix(".md").read_text()
    assert "## 1: nasbench-macro" in page
    assert ", after 1 earlier of this space: again. Networks: held-out part; test acc" in page
    assert page.count("| `params` | cifar10 |") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reason": " "}, "reason: expected who looks and what for, got nothing"),
        ({"proxies": ["parms"]}, "did you mean 'params'"),
        ({"networks": 1}, "networks 1"),
        ({"networks": 61}, "networks 61: expected 2 to"),
        ({"space": "nasbench-macro:mine"}, "no table 'mine' of nasbench-macro here"),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_what_is_refused_is_not_counted(macro, options, message):
    with pytest.raises(InputError, match=message):
        final(**{"proxies": ["params"], "reason": "x"} | SMALL | options)
    assert not LOOKS.exists()


@pytest.mark.usefixtures("unmeasured")
def test_it_is_for_a_checkout(macro, tmp_path):
    (tmp_path / "runs").rmdir()
    with pytest.raises(InputError, match="no folder runs/ here: looks are counted in runs/LOOKS"):
        final(["params"], reason="x", **SMALL)
    (tmp_path / "runs").mkdir()
    LOOKS.write_text("[1\n")
    with pytest.raises(InputError, match=r"LOOKS\.jsonl: damaged"):
        final(["params"], reason="x", **SMALL)
