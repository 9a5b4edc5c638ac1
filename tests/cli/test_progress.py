"""The progress of long commands: a bar and a panel on a terminal, plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from eznas.cli import progress as module
from eznas.cli.progress import live_progress
from eznas.evolution.archive import Entry
from eznas.evolution.generation import Generation
from eznas.report.cells import duration

LINE = "generation  7/20: best .812, median .600, 160 networks, 30 formulas/s, 1m 5s left"


class Clock:
    """Seconds that pass when a test says so."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(module, "time", Clock())
    return module.time


@pytest.fixture
def screen(monkeypatch, request):
    """A console as wide as the test says, which is a terminal or not; nothing is drawn between
    calls."""
    console = Console(file=io.StringIO(), width=80, force_terminal=request.param)
    monkeypatch.setattr(module, "err", console)
    return console


on_a_terminal = pytest.mark.parametrize("screen", [True], indirect=True)
elsewhere = pytest.mark.parametrize("screen", [False], indirect=True)


def report(generation=7, formula="params", **changes):
    entry = Entry(formula, formula, 1, 0.812, (0.812,), 1.0, 160, 3, "seed")
    numbers = {"networks": 160, "best": entry, "median": 0.6, "valid": 1.0, "evaluations": 60}
    counts = {"features": 9, "pairs": 90, "reasons": {}, "origins": {}, "disconnected": 0}
    return Generation(generation, **numbers | counts | {"failed": {}} | changes)


@elsewhere
def test_a_generation_is_a_plain_line(clock, screen):
    with live_progress(20) as progress:
        advance = progress.phase("measuring 160 networks", 160)
        advance(8, 160)
        progress.generation(report(), 2.0, 65.0)
        progress.generation(report(20, failed={"forward": 2}), 4.0, 0.0)
    assert screen.file.getvalue().splitlines() == [
        "measuring 160 networks",
        LINE,
        LINE.replace(" 7/", "20/").replace("1m 5s left", "failed networks: forward (2)"),
    ]


@on_a_terminal
def test_a_terminal_has_a_panel_of_which_a_line_stays(clock, screen):
    with live_progress(20) as progress:
        progress.generation(report(), 2.0, 65.0)
        assert LINE not in screen.file.getvalue()
        assert "best .812, median .600" in screen.file.getvalue()
    assert LINE in screen.file.getvalue()


@on_a_terminal
def test_the_panel_is_short(clock, screen):
    formula = " + ".join(f"{i}.12345678 * params" for i in range(40))
    with screen.capture() as panel:
        screen.print(module._Search(report(8, formula), 20, 30.0, clock.now))
    lines = panel.get().splitlines()
    assert "generation  8/20" in lines[0]
    assert "best .812, median .600, 160 networks, 30 formulas/s" in lines[1]
    assert "0.1235 * params" in lines[2]
    assert len(lines) <= 7
    assert max(map(len, lines)) <= 80


@on_a_terminal
def test_a_bar_counts_networks_and_knows_the_time_left(clock, screen):
    with live_progress() as progress:
        advance = progress.phase("measuring 40 networks", 40)
        clock.now += 10
        advance(8, 40)
        [task] = progress._bar.tasks
        assert module._TimeLeft().render(task).plain == "40s left"
        clock.now += 5
        assert module._TimeLeft().render(task).plain == "35s left"
        advance(40, 40)
        clock.now += 1
        advance(8, 16)  # another call
        [task] = progress._bar.tasks
        assert (task.completed, task.total) == (8, 16)
        assert module._TimeLeft().render(task).plain == "1s left"


@on_a_terminal
def test_a_bar_goes_on_after_a_phase_within_its_phase(clock, screen):
    with live_progress() as progress:
        outer = progress.phase("outer", 0)
        outer(0, 100)
        outer(10, 100)
        clock.now += 10
        inner = progress.phase("inner", 8)
        inner(1, 8)
        assert progress._bar.tasks[0].total == 8
        outer(20, 100)
        [task] = progress._bar.tasks
        assert (task.completed, task.total) == (20, 100)
        assert module._TimeLeft().render(task).plain == "40s left"
        progress.close()
        outer(30, 100)


@on_a_terminal
def test_standard_output_is_for_the_result(screen, capsys):
    with live_progress() as progress:
        progress.phase("measuring", 8)(4, 8)
        print("a library says so")
    print("{}")
    assert capsys.readouterr().out == "{}\n"


def test_durations():
    assert [duration(s) for s in (-1, 24.6, 200, 3900)] == ["0s", "25s", "3m 20s", "1h 5m"]
