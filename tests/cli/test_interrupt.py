"""Ctrl-C on the command line."""

import eznas
from eznas import discovery
from eznas.system.signals import Stopped
from tests.cli.calls import FEW, call


def test_an_interrupt_is_reported_and_has_its_own_exit_code(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(eznas, "correlate", interrupted)
    outcome = call("correlate", "params", *FEW)
    assert outcome.code == 130
    assert "interrupted" in outcome.err
    assert outcome.out == ""


def test_an_interrupt_before_the_first_generation_says_how_to_begin_anew(monkeypatch):
    def interrupted(*_, **__):
        raise Stopped

    monkeypatch.setattr(discovery.run, "search_formulas", interrupted)
    outcome = call("evolve", "--name", "mine", "--workers", "1")
    assert outcome.code == 130
    advice = "no formula yet; `eznas resume mine` begins the search anew"
    assert advice in " ".join(outcome.err.split())
    outcome = call("score", "mine", "nasbench-macro/02012100")
    assert outcome.code == 2
    assert "run mine ended before it had a formula; `eznas resume mine`" in outcome.err


def test_a_stopped_run_says_so_and_ends_with_how_to_resume(monkeypatch):
    stopped = eznas.Result("mine", "mine", "params", 6.0, 112, stopped="SIGINT")
    monkeypatch.setattr(eznas, "evolve", lambda *_, **__: stopped)
    outcome = call("evolve", "--name", "mine", "--workers", "1")
    assert outcome.code == 130
    assert (
        "best so far of runs/mine, chosen from 112 formulas in 6s, not yet tested\n" in outcome.out
    )
    assert outcome.err.splitlines()[-1] == "eznas: stopped; `eznas resume mine` goes on"
