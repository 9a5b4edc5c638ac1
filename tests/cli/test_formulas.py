"""The commands around one formula: show, front, report, explain."""

from pathlib import Path

import pytest

import eznas
from tests.cli.calls import POOLS, answer, call, complaint
from tests.studies.made_up import is_png

ROWS = [
    {"number": 2, "formula": "params", "size": 1, "searched": 0.5, "fitness": 0.45, "low": 0.4,
     "high": 0.5, "tau": {"cifar10": 0.45}, "champion": True, "recommended": True},
]  # fmt: skip
SETS = [{"space": "nasbench201", "networks": 20, "set": "search part", "accuracy": "validation"}]
CSV = "model,accuracy\nstrangers:network(4),1\nstrangers:network(8),3\nstrangers:network(6),2\n"


def test_show():
    assert call("show", "naswot").out == "logdet(sum_all_layers(data_relu_agreement))\n"
    assert answer("show", "naswot", "--as", "tree")["lines"][1] == "└─ sum_all_layers"
    assert complaint("show", "naswot", "--as", "tre") == "unknown view 'tre'; did you mean 'tree'?"


def test_show_draws_into_a_file():
    assert call("show", "naswot", "--as", "png", "-o", "naswot.png").out == "naswot.png\n"
    assert is_png("naswot.png")
    line = complaint("show", "naswot", "--as", "png", "-o", "naswot.png")
    assert line == "naswot.png: exists already; --force (force=True) replaces it"
    assert "expected -o FILE.png" in complaint("show", "naswot", "--as", "png")
    assert "with --as png alone" in complaint("show", "naswot", "-o", "naswot.txt")
    assert "ends in .png" in complaint("show", "naswot", "--as", "png", "-o", "naswot.jpg")


def test_front(monkeypatch):
    calls = []

    def front(run, **options):
        calls.append((run, options["networks"], options["workers"], options["again"]))
        return eznas.Front(run, ROWS, SETS, 0.02, 20)

    monkeypatch.setattr(eznas, "front", front)
    shown = call("front", "first", "--networks", "20", "--workers", "1").out
    assert "*       #2      1  .450 [.400, .500]      .500  params" in shown
    assert "recommended: first#2" in shown
    assert answer("front", "first", "--workers", "2", "--again")["rows"] == ROWS
    assert calls == [("first", 20, 1, False), ("first", 200, 2, True)]


def test_front_of_what_is_no_run():
    assert complaint("front", "frist") == "unknown run 'frist'"


def test_explain():
    Path("explained.csv").write_text(CSV)
    arguments = ("explain", "params / paths_length_max", "--models", "explained.csv")
    shown = call(*arguments, "--batch", "4", "--workers", "1").out
    assert shown.startswith("params / paths_length_max: a product of 2 factors, 3 nodes\ntau 1.000")
    assert "    1 over paths_length_max" in shown
    content = answer(*arguments, "--workers", "1", "--save", "saved")
    assert "| `params` |" in Path("saved/README.md").read_text()
    assert content["mean_tau"] == 1.0
    assert content["sets"][0]["networks"] == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["naswit"], "unknown proxy 'naswit'; did you mean 'naswot'?"),
        (["naswot", "--space", "nasbench21"], "did you mean 'nasbench201'?"),
        (["naswot", "--models", "nowhere.csv", "--space", "nasbench201"], "space: not with models"),
        (
            ["naswot", "--models", "nowhere.csv"],
            "nowhere.csv: cannot be read: No such file or directory",
        ),
        ([POOLS], "formula: expected a number"),
    ],
)
def test_bad_input_to_explain(arguments, line):
    assert line in complaint("explain", *arguments)


def test_report(monkeypatch):
    calls = []

    def write_report(run, file, **options):
        options.pop("watcher")
        calls.append((run, file, options))
        return eznas.Report(run, file or "runs/first/report.html", 123_456)

    monkeypatch.setattr(eznas, "write_report", write_report)
    assert call("report", "first", "--workers", "1").out == "runs/first/report.html (123 kB)\n"
    arguments = ("report", "first", "-o", "a.html", "--networks", "0", "--force", "--workers", "2")
    assert answer(*arguments) == {"run": "first", "file": "a.html", "bytes": 123_456}
    assert calls == [
        ("first", None, {"networks": 200, "workers": 1, "force": False}),
        ("first", "a.html", {"networks": 0, "workers": 2, "force": True}),
    ]


def test_report_on_what_is_no_run():
    assert complaint("report", "frist") == "unknown run 'frist'"
