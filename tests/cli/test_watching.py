"""`eznas ls` and `eznas watch`."""

from eznas.cli import watching
from eznas.system.folder import locked
from tests.cli.calls import answer, call, complaint
from tests.discovery.conftest import home  # noqa: F401  (a fixture)
from tests.discovery.made_up_run import finish, make_run, report


def test_ls(home):  # noqa: F811
    assert "no runs in runs/" in call("ls").out
    assert answer("ls") == {"runs": []}
    finish(make_run(home, "mine", [report(0), report(1), report(2, 0.75)]), 30)
    [run] = answer("ls")["runs"]
    assert 0 <= run.pop("age") < 60
    assert run == {
        "name": "mine",
        "state": "finished",
        "searched": "nasbench201",
        "generation": 2,
        "generations": 2,
        "best": 0.75,
        "untested": False,
    }
    make_run(home, "begun")
    lines = [line.split() for line in call("ls").out.splitlines()]
    assert ["run", "state", "searched", "generation", "best", "age"] in lines
    assert ["mine", "finished", "nasbench201", "2/2", ".750"] in [line[:5] for line in lines]
    assert ["begun", "interrupted", "nasbench201", "-", "-"] in [line[:5] for line in lines]


def test_watch_shows_generations_and_the_result(home):  # noqa: F811
    finish(make_run(home, "mine", [report(0), report(1)]), 20)
    out = call("watch", "mine").out
    assert "generation 1/2: best .500, median .250, 16 networks, 10 formulas/s\n" in out
    assert "champion of runs/mine, chosen from 20 formulas in 3s" in out
    make_run(home, "cut-off", [report(0)])
    assert "cut-off: interrupted; `eznas resume cut-off` goes on" in call("watch", "cut-off").out
    assert "unknown run 'nine'; did you mean 'mine'" in complaint("watch", "nine")


def test_ctrl_c_leaves_the_run_alone(home, monkeypatch):  # noqa: F811
    folder = make_run(home, "mine")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching, "watch", interrupted)
    with locked(folder.path):
        outcome = call("watch", "mine")
    assert outcome.code == 130
    assert outcome.out == "mine: running, no generation is complete yet\n"
    assert outcome.err == "eznas: no longer watching; the run is left as it is\n"
