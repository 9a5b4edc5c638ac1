"""`eznas init`: a configuration to begin with; and settings that change lists of names."""

from pathlib import Path

import pytest

from eznas.discovery.config import read
from eznas.evolution.config import EvolutionConfig
from tests.cli.calls import call, complaint


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_it_writes_a_file_that_evolve_reads():
    outcome = call("init")
    assert (outcome.code, outcome.out) == (
        0,
        "wrote evolve.toml; `eznas evolve evolve.toml` runs it\n",
    )
    assert read("evolve.toml") == read()
    call("init", "paper.toml", "--preset", "paper")
    assert read("paper.toml") == read(preset="paper")


def test_a_file_is_replaced_only_with_force():
    Path("evolve.toml").write_text("mine")
    assert "evolve.toml: exists already; --force" in complaint("init")
    assert Path("evolve.toml").read_text() == "mine"
    assert call("init", "--force").code == 0
    assert read("evolve.toml") == read()


def test_bad_input_writes_nothing():
    assert "did you mean 'quick'" in complaint("init", "--preset", "quik")
    assert "no folder no" in complaint("init", "no/such.toml")
    assert not list(Path().iterdir())
    Path("folder").mkdir()
    assert "folder: cannot write: it is a folder" in complaint("init", "folder", "--force")


def test_evolve_takes_seeds_statistics_and_primitives(monkeypatch):
    taken: list[EvolutionConfig] = []

    def estimate(config, workers):
        taken.append(config.evolution)
        return {"seconds": 1, "megabytes": 1, "networks": 1, "workers": workers}

    monkeypatch.setattr("eznas.estimate", estimate)
    more = ("--seed-formula", "-depth", "--seed-formula", "params")
    lists = ("--statistics", "-params,+weight", "--primitives", "-max", "--primitives", "-min")
    assert call("evolve", "--dry-run", *more, *lists).code == 0
    default, [changed] = EvolutionConfig(), taken
    assert changed.seed_formulas == (*default.seed_formulas, "-depth", "params")
    assert {*default.statistics} ^ {*changed.statistics} == {"params", "weight"}
    assert {*default.primitives} ^ {*changed.primitives} == {"max", "min"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--primitives", "-maxx"), "unknown primitive to leave out 'maxx'; did you mean 'max'?"),
        (("--primitives", "+maxx"), "unknown primitive 'maxx'; did you mean 'max'?"),
        (
            ("--set", "complexity={lg = 2}"),
            "unknown primitive or statistic 'lg'; did you mean 'log'?",
        ),
        (("--statistics", "weight", "--primitives", "norm"), "make no number for a network"),
        (("--seed-formula", "lgo(params)"), "lgo"),
    ],
)
def test_a_language_that_cannot_be(arguments, message):
    assert message in complaint(
        "evolve", "--set", "networks=8", "--set", "first_networks=8", *arguments
    )
    assert not Path("runs").exists()
