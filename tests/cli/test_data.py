"""`eznas data`: list, fetch, verify, import; what they print and what they refuse."""

import json
from pathlib import Path

import pytest

from eznas.benchmarks.curves import CURVES, curves_path
from eznas.benchmarks.store import path_of
from eznas.spaces import SPACES
from tests.benchmarks.readers.test_naap440 import FIRST, rows_of, scheme, write
from tests.cli.calls import BATCH, answer, call, complaint

SPACE = "nasbench-macro"
ROWS = {"00000000": {"test_acc": [40, 50.5]}, "11111111": {"test_acc": [60, 60]}}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("macro.json").write_text(json.dumps(ROWS))
    Path("macro.csv").write_text("architecture,accuracy\n00000000,50\n11111111,70\n22222222,60\n")


def test_import_and_list():
    summary = answer("data", "import", SPACE, "macro.json")
    assert (summary["networks"], summary["runs"], summary["kind"]) == (2, 2, "test")
    assert summary["datasets"] == {"cifar10": [40, 60]}
    rows = {row["space"]: row for row in answer("data", "list")["tables"]}
    assert list(rows) == list(SPACES)
    assert rows[SPACE]["here"] == "imported"
    assert rows[SPACE]["origin"] == summary["origin"]
    assert rows[SPACE]["source"]["licence"] == "Apache-2.0"


def test_import_of_a_csv_shows_what_was_read():
    outcome = call("data", "import", SPACE, "macro.csv", "--kind", "surrogate")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(
        "nasbench-macro: 3 networks, surrogate accuracy: cifar10 50.00 to 70.00 %; "
        "from macro.csv, SHA-256 "
    )
    outcome = call("data", "import", SPACE, "macro.json", "--replace")
    assert "2 networks, up to 2 runs, test accuracy: cifar10 40.00 to 60.00 %" in outcome.out


def test_a_table_beside_the_usual_one():
    call("data", "import", SPACE, "macro.json")
    outcome = call("data", "import", SPACE, "macro.csv", "--kind", "validation", "--name", "mine")
    assert outcome.out.startswith("nasbench-macro:mine: 3 networks, validation accuracy: cifar10")
    shown = " ".join(call("data", "list").out.split())
    assert "nasbench-macro:mine" in shown
    tables = ["table of nasbench201: ok", f"table of {SPACE}: ok", f"table of {SPACE}:mine: ok"]
    assert call("data", "verify").out.splitlines() == tables
    assert call("data", "verify", f"{SPACE}:mine").out.splitlines() == tables[2:]
    rows = answer("correlate", "params", "--space", f"{SPACE}:mine", *BATCH, "--workers", "1")[
        "rows"
    ]
    assert [(row["networks"], row["accuracy"]) for row in rows] == [(3, "validation")]
    assert "did you mean 'mine'" in complaint("correlate", "params", "--space", f"{SPACE}:mne")
    assert "expected 1 to 40 small letters" in complaint(
        "data", "import", SPACE, "macro.csv", "--name", "Mine"
    )


def test_learning_curves():
    name = "metaqnn-cifar10"
    Path("curves.csv").write_text("net,acc_1,acc_2\na,0.25,0.5\nb,0.125,0.25\n")
    assert answer("data", "import", name, "curves.csv")["networks"] == 2
    outcome = call("data", "import", name, "curves.csv")
    assert outcome.out.startswith(
        "metaqnn-cifar10: 2 networks on cifar10, accuracy at 2 of 2 epochs (epochs 1 to 2); "
        "from curves.csv, SHA-256 "
    )
    rows = {row["name"]: row for row in answer("data", "list")["curves"]}
    assert list(rows) == list(CURVES)
    assert (rows[name]["here"], rows["naap440"]["here"]) == ("imported", "")
    assert call("data", "verify", name).out == f"curves of {name}: ok\n"
    curves_path(name).write_bytes(b"junk")
    outcome = call("data", "verify", name)
    assert (outcome.code, "damaged, import it again" in outcome.out) == (2, True)
    assert "│damaged:" in "".join(call("data", "list").out.split())


def test_accuracies_and_curves_are_imported_in_one_step():
    Path("naap").mkdir()
    write(Path("naap"), [scheme(FIRST)], rows_of([FIRST]))
    outcome = call("data", "import", "naap440", "naap")
    accuracies, curves = outcome.out.splitlines()
    assert accuracies.startswith("naap440: 1 networks, test accuracy: cifar10 38.33 to 38.33 %")
    assert curves.startswith("naap440: 1 networks on cifar10, accuracy and train_loss at 3 of 3")


def test_the_list_is_shown():
    path_of(SPACE).parent.mkdir()
    path_of(SPACE).write_bytes(b"junk")
    outcome = call("data", "list")
    assert outcome.code == 0
    shown = "".join(outcome.out.split())
    assert "…" not in shown
    for part in ("│packaged│", "│damaged", "noneknown", "nasbench_only108.tfrecord"):
        assert part in shown
    assert "https://dl.fbaipublicfiles.com/nds/data.zip" in outcome.out
    assert "no checksum is published" in outcome.out


def test_proxies_are_correlated_with_an_imported_table():
    call("data", "import", SPACE, "macro.csv")
    command = ("correlate", "params", "--space", SPACE, "--networks", "all", *BATCH)
    [row] = answer(*command, "--workers", "1")["rows"]
    assert (row["dataset"], row["networks"], row["accuracy"]) == ("cifar10", 3, "validation")
    # 00000000 has the fewest parameters and 22222222 the most: two of three pairs are in order.
    assert row["tau"] == pytest.approx(1 / 3)


def test_verify():
    call("data", "import", SPACE, "macro.json")
    assert call("data", "verify", SPACE).out == "table of nasbench-macro: ok\n"
    path_of(SPACE).write_bytes(b"junk")
    outcome = call("data", "verify")
    assert (outcome.code, outcome.err) == (2, "")
    assert "table of nasbench201: ok\n" in outcome.out
    assert "table of nasbench-macro: " in outcome.out
    assert "damaged, import it again" in outcome.out
    outcome = call("data", "verify", SPACE, "--json")
    assert outcome.code == 2
    [row] = json.loads(outcome.out)["verified"]
    assert "damaged" in row["problem"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["import", "macro", "macro.json"], "unknown space 'macro'"),
        (["import", SPACE, "none.json"], "none.json: No such file"),
        (["import", SPACE, "none.csv"], "none.csv: cannot be read: No such file"),
        (["import", SPACE, "macro.json", "--kind", "test"], "are for CSV files"),
        (["import", SPACE, "macro.csv", "--kind", "trained"], "unknown kind 'trained'"),
        (["import", SPACE, "macro.csv", "--dataset", "mnist"], "dataset 'mnist'"),
        (["import", "nasbench101", "macro.csv"], "macro.csv:2: NAS-Bench-101 architecture"),
        (["import", "nasbench201", "macro.csv"], "--accuracy FILE"),
        (["import", "metaqnn-cifar10", "macro.csv"], "macro.csv:1: no column net"),
        (
            ["import", "metaqnn-cifar10", "macro.csv", "--kind", "test"],
            "for tables of accuracies",
        ),
        (["import", "naap440", "macro.json"], "generated_schemes.json: Not a directory"),
        (["verify", "nothing"], "unknown space 'nothing'"),
        (["verify", "naap440"], "no ground truth of naap440 here"),
        (["fetch", "naap440"], "github.com/talcs/NAAP-440"),
        (["verify", SPACE], "`eznas data list` says where to get it"),
        (["fetch", "nothing"], "unknown space 'nothing'"),
        (["fetch", "nats-size"], "the authors' Google Drive"),
    ],
)
def test_bad_input(arguments, expected):
    assert expected in complaint("data", *arguments)
