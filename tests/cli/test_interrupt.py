"""Ctrl-C on the command line."""

import eznas
from tests.cli.calls import FEW, call


def test_an_interrupt_is_reported_and_has_its_own_exit_code(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(eznas, "correlate", interrupted)
    outcome = call("correlate", "params", *FEW)
    assert outcome.code == 130
    assert "interrupted" in outcome.err
    assert outcome.out == ""
