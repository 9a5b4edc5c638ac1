"""Learning curves imported by name: alone, or in one step with the accuracies of their space."""

import gzip
import json

import pytest

from eznas.benchmarks.curve_importing import curve_tables, import_curves, problem_of_curves
from eznas.benchmarks.curves import CURVES, curves_path, load_curves
from eznas.benchmarks.download import verify
from eznas.benchmarks.importing import import_file, import_table
from eznas.benchmarks.loading import load
from eznas.benchmarks.store import path_of
from eznas.errors import InputError
from tests.benchmarks.readers.test_naap440 import FIRST, SECOND, rows_of, scheme, write

NAME = "metaqnn-cifar10"
CSV = "net,acc_1,acc_2\na,0.25,0.5\nb,0.125,0.25\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "cache"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def naap440(tmp_path):
    """A folder in NAAP-440's form, with two networks."""
    (tmp_path / "naap").mkdir()
    return write(tmp_path / "naap", [scheme(FIRST), scheme(SECOND)], rows_of([FIRST, SECOND]))


def test_curves_alone(file):
    summary = import_file(NAME, file)
    assert summary.pop("origin")["file"] == "mine.csv"
    assert summary == {
        **{"name": NAME, "space": "", "networks": 2, "datasets": ["cifar10"]},
        **{"values": ["accuracy"], "points": 2, "epochs": [1, 2], "total_epochs": 2},
    }
    assert load_curves(NAME).architectures == ("a", "b")
    assert verify() == [
        {"what": "table of nasbench201", "problem": ""},
        {"what": f"curves of {NAME}", "problem": ""},
    ]


def test_others_replace_them_only_on_request(file):
    import_curves(NAME, file)
    assert import_curves(NAME, file)["networks"] == 2  # the same
    file.write_text(CSV + "c,0.5,0.5\n")
    with pytest.raises(InputError, match=r"those from mine\.csv are here; --replace puts others"):
        import_curves(NAME, file)
    assert len(load_curves(NAME).architectures) == 2
    assert import_curves(NAME, file, replace=True)["networks"] == 3
    curves_path(NAME).write_bytes(b"damaged")
    assert import_curves(NAME, file)["networks"] == 3


def test_accuracies_and_curves_in_one_step(naap440):
    summary = import_table("naap440", naap440)
    assert (summary["networks"], summary["datasets"]) == (2, {"cifar10": [38.333333, 38.333333]})
    assert summary["curves"]["values"] == ["accuracy", "train_loss"]
    assert summary["curves"]["origin"] == summary["origin"]
    assert load("naap440").architectures == load_curves("naap440").architectures == (FIRST, SECOND)
    assert [row["what"] for row in verify("naap440")] == ["table of naap440", "curves of naap440"]
    assert import_table("naap440", naap440)["networks"] == 2


def test_accuracies_of_a_csv_file_leave_the_curves(naap440, file):
    import_table("naap440", naap440)
    file.write_text(f"architecture,accuracy\n{FIRST},50\n")
    assert "curves" not in import_table("naap440", file, replace=True)
    assert len(load_curves("naap440").architectures) == 2


def test_changed_curves_replace_the_earlier_only_on_request(naap440):
    import_table("naap440", naap440)
    rows = rows_of([FIRST, SECOND])
    rows[0]["e1LossMean"] = 7
    write(naap440, [scheme(FIRST), scheme(SECOND)], rows)
    with pytest.raises(InputError, match="learning curves naap440: those from naap are here"):
        import_table("naap440", naap440)
    import_table("naap440", naap440, replace=True)
    assert load_curves("naap440").values["train_loss"][0, 0] == 7


def test_the_list_of_curves(file):
    import_curves(NAME, file)
    curves_path("naap440").write_bytes(b"junk")
    rows = {row["name"]: row for row in curve_tables()}
    assert list(rows) == list(CURVES)
    assert {name: row["here"] for name, row in rows.items() if row["here"]} == {
        "naap440": "damaged",
        NAME: "imported",
    }
    assert (rows[NAME]["networks"], rows[NAME]["source"]["licence"]) == (2, "MIT")
    assert "damaged, import it again" in rows["naap440"]["problem"]
    assert "points" not in rows["deep-resnets-cifar10"]


def changed_content(path, change):
    content = json.loads(gzip.decompress(path.read_bytes()))
    change(content["curves"][0])
    path.write_bytes(gzip.compress(json.dumps(content).encode()))


def test_problems(naap440):
    assert "no learning curves naap440 here" in problem_of_curves("naap440")
    import_table("naap440", naap440)
    assert problem_of_curves("naap440") == ""
    path = curves_path("naap440")
    changed_content(path, lambda c: c.update(architectures=[FIRST, f" {SECOND}"]))
    assert f"expected the canonical {SECOND}" in problem_of_curves("naap440")
    changed_content(path, lambda c: c.update(architectures=[FIRST, "x"]))
    assert "NAAP-440 architecture 'x'" in problem_of_curves("naap440")
    changed_content(path, lambda c: c.update(space="nowhere"))
    assert "unknown space 'nowhere'" in problem_of_curves("naap440")
    assert [bool(row["problem"]) for row in verify("naap440")] == [False, True]
    path_of("naap440").unlink()
    assert [row["what"] for row in verify("naap440")] == ["curves of naap440"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("metaqnn", {}, "unknown space 'metaqnn'; did you mean .*'?metaqnn-cifar10'?"),
        (NAME, {"kind": "test"}, "kind, dataset and name are for tables of accuracies"),
        (NAME, {"dataset": "cifar10"}, "kind, dataset and name are for tables of accuracies"),
    ],
)
def test_what_is_refused(file, name, options, message):
    with pytest.raises(InputError, match=message):
        import_file(name, file, **options)
    assert not curves_path(NAME).exists()


def test_names_that_have_nothing_here(file):
    with pytest.raises(InputError, match="unknown learning curves 'x'"):
        import_curves("x", file)
    with pytest.raises(InputError, match=f"`eznas data import {NAME} FILE`"):
        verify(NAME)
    with pytest.raises(InputError, match="no ground truth of naap440 here"):
        verify("naap440")
    with pytest.raises(InputError, match="unknown space 'x'"):
        verify("x")
