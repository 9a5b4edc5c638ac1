"""Runs seen from outside: their states, and following one to its end."""

import os
from pathlib import Path

import pytest

from eznas.discovery import watching
from eznas.discovery.callbacks import NoCallback
from eznas.discovery.watching import journal_of, runs, state_of, watch
from eznas.errors import InputError
from eznas.system.folder import RunFolder, locked
from tests.discovery.made_up_run import add, finish, make_run, report

COMMITTED = Path(__file__).parents[2] / "runs"


class Seen(NoCallback):
    """What a watcher is called with."""

    def __init__(self):
        self.calls = []

    def generation(self, report, seconds, left):
        self.calls.append((report.generation, seconds, left))


def test_the_states_of_runs(home):
    begun = make_run(home, "begun")
    make_run(home, "cut-off", [report(0), report(1)])
    finish(make_run(home, "ended", [report(0), report(1, 0.75)], generations=1), 20)
    finish(make_run(home, "stopped", [report(0)]), 10, "SIGINT")
    finish(make_run(home, "resumed", [report(0), report(1)]), 10)  # and cut off again
    finish(make_run(home, "few-models"), 9)
    (make_run(home, "broken").path / "journal.jsonl").write_text("{\n")
    os.utime(begun.path / "config.json", (1, 1))
    with locked(begun.path):
        states = runs(home / "runs")
    assert states[-1].name == "begun"
    assert states[-1].age > 1e9
    assert {s.name: (s.state, s.generation, s.best) for s in states} == {
        "begun": ("running", None, None),
        "cut-off": ("interrupted", 1, 0.5),
        "ended": ("finished", 1, 0.75),
        "stopped": ("interrupted", 0, 0.5),
        "resumed": ("interrupted", 1, 0.5),
        "few-models": ("finished", None, None),
        "broken": ("damaged", None, None),
    }
    assert state_of(begun).state == "interrupted"
    assert (states[-1].searched, states[-1].generations) == ("nasbench201", 2)
    assert runs(home / "nothing") == []


def test_taus_may_be_undefined(home):
    folder = make_run(home, "ties", [report(0)])
    journal = folder.path / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"taus": [0.5]', '"taus": [null, 0.5]'))
    [generation] = journal_of(folder)
    assert str(generation.best.taus) == "(nan, 0.5)"


def test_looking_at_a_run_leaves_its_lock(home):
    folder = make_run(home, "mine")
    assert not folder.is_locked()
    with locked(folder.path):
        assert folder.is_locked()
        with pytest.raises(InputError, match="another process"), locked(folder.path):
            pass
    with locked(folder.path):
        pass


def test_the_committed_runs_are_finished():
    states = runs(COMMITTED)
    assert {s.state for s in states} == {"finished"}
    assert all(s.generation == s.generations for s in states)


def test_a_line_that_is_not_complete_is_not_read(home):
    folder = make_run(home, "mine", [report(0)])
    with (folder.path / "journal.jsonl").open("a") as file:
        file.write('{"generation": 1')
    assert journal_of(folder) == [report(0)]
    (folder.path / "journal.jsonl").write_text('{"generation": 1}\n')
    with pytest.raises(InputError, match=r"journal\.jsonl: 0\.networks: Field required"):
        journal_of(folder)


def test_a_run_is_followed_to_its_end(home, monkeypatch):
    folder, seen = make_run(home, "mine", [report(0)], generations=2), Seen()
    lock = locked(folder.path)
    lock.__enter__()
    todo = iter([lambda: add(folder, report(1)), lambda: None])

    def next_look(_):
        action = next(todo, None)
        if action is not None:
            return action()
        add(folder, report(2))
        finish(folder, 30)
        lock.__exit__(None, None, None)

    monkeypatch.setattr(watching.time, "sleep", next_look)
    monkeypatch.setattr(watching, "_age", lambda *_: 0.25)
    state = watch("mine", seen)
    assert (state.state, state.generation) == ("finished", 2)
    # a second a generation, less what has passed since the last one
    assert seen.calls == [(0, 1.0, 1.75), (1, 2.0, 0.75), (2, 3.0, 0.0)]


def test_a_finished_run_is_shown_and_an_unknown_one_refused(home):
    finish(make_run(home, "mine", [report(0), report(1)]), 20)
    seen = Seen()
    assert watch("mine", seen).state == "finished"
    assert [(number, left) for number, _, left in seen.calls] == [(0, 0), (1, 0)]
    with pytest.raises(InputError, match="did you mean 'mine'"):
        watch("mime", seen)
    assert RunFolder.find("mine").lines("none.jsonl") == []
