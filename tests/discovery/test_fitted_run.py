"""Whole runs with fitted weights on real networks, as small as they come."""

import pytest

from eznas.discovery.config import command_of, read
from eznas.discovery.run import evolve, resume
from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.formulas.terms import terms
from eznas.proxies.loading import load
from tests.discovery.tiny_run import Interrupts, comparable, journal, read_json, tiny

FITTED = {"fit": True, "price": 1e-3, "generations": 1, "champion_networks": 0}


def test_the_preset_is_a_configuration_that_says_itself():
    assert read().evolution.fit
    configuration = read(preset="short")
    assert not configuration.evolution.fit
    assert command_of(configuration) == "eznas evolve --preset short --seed 1"
    changed = read(preset="short", settings={"seed": 3, "price": 0.01})
    command = "eznas evolve --preset short --seed 3 --set evolution.price=0.01"
    assert command_of(changed) == command
    with pytest.raises(InputError, match=r"evolution\.price"):
        read(settings={"price": -1.0})


@pytest.mark.usefixtures("tiny_networks_ship")
def test_a_run_cut_off_after_every_generation_comes_to_the_same_end(home):
    config = tiny(**FITTED)
    result = evolve(config, name="undisturbed")
    assert result.stopped == ""
    lines = journal(home, "undisturbed")
    assert [line["networks"] for line in lines] == [8, 16]
    assert set(lines[-1]["origins"]) & {"merge", "exchange"}
    assert all(len(line["best"]["taus"]) == 1 for line in lines)
    assert load("undisturbed").formula == parse(result.formula)
    assert terms(parse(result.formula))
    archived = read_json(home, "undisturbed", "archive.json")["formulas"]
    assert all(entry["taus"] and entry["networks"] == 16 for entry in archived)
    assert set(terms(parse(result.formula))) in [set(terms(parse(e["formula"]))) for e in archived]

    assert evolve(config, name="cut", watcher=Interrupts(after=0)).stopped == "SIGINT"
    assert resume("cut", watcher=Interrupts(after=1)).stopped == "SIGINT"  # before it is tested
    assert resume("cut").stopped == ""
    assert comparable(home, "cut") == comparable(home, "undisturbed")
