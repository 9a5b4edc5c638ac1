"""Correlations on the command line: rows, tables, plots, feature stores."""

from pathlib import Path

import pytest

import eznas.evaluation.measuring
from tests.cli.calls import (
    ARCHITECTURES,
    BATCH,
    DATASETS,
    DIFFERENCE,
    FEW,
    HEADER,
    ROW,
    SMALL,
    answer,
    call,
    complaint,
)


def test_correlate_gives_rows():
    rows = answer("correlate", "params", "live_params", *FEW)["rows"]
    assert [list(r) for r in rows] == [ROW] * 6
    assert {(r["proxy"], r["dataset"]) for r in rows} == {
        (p, d) for p in ("params", "live_params") for d in DATASETS
    }
    for row in rows:
        assert (row["networks"], row["set"], row["accuracy"]) == (8, "all", "validation")
        assert row["seeds"] == [0]
        assert -1 <= row["tau_low"] <= row["tau_high"] <= 1
        assert row["tau_low"] <= row["tau"] <= row["tau_high"]
        assert row["rho_low"] <= row["rho"] <= row["rho_high"]


def test_correlate_is_repeatable_and_seeds_matter():
    command = ("correlate", "naswot", *FEW, "--dataset", "ImageNet16-120")
    first = answer(*command, "--seed", "3")
    assert answer(*command, "--seed", "3") == first
    assert [r["seeds"] for r in first["rows"]] == [[3]]
    other = answer(*command, "--seed", "4")["rows"][0]
    assert (other["tau"], other["rho"]) != (first["rows"][0]["tau"], first["rows"][0]["rho"])


def test_correlate_averages_initialisations():
    command = ("correlate", "params", *FEW, "--dataset", "cifar10", "--initialisations", "2")
    rows = answer(*command, "--seed", "5")["rows"]
    assert [r["seeds"] for r in rows] == [[5, 6]]


def test_correlate_on_sets():
    command = ("correlate", "params", *FEW, "--dataset", SMALL, "--set")
    for name in ("connected", "reachable", "search", "held-out", "study"):
        assert [r["set"] for r in answer(*command, name)["rows"]] == [name]


def test_correlate_gives_null_for_undefined_figures():
    formula = "2.0 * exp(exp(params))"  # beyond the largest number
    rows = answer("correlate", formula, *FEW, "--dataset", "cifar10")["rows"]
    assert [(r["tau"], r["tau_low"], r["rho_high"]) for r in rows] == [(None, None, None)]
    assert "undefined" in call("correlate", formula, *FEW, "--dataset", "cifar10").out


def test_an_accuracy_file(folder):
    """Accuracies that are the numbers of convolutions: parameters must order them perfectly."""
    cells = ["000000", "200000", "300000", "330000", "333000", "333333"]
    names = [ARCHITECTURES[int(c, 5)] for c in cells]
    lines = [HEADER, *(f"{n},{i / 7}" for i, n in enumerate(names))]
    (folder / "mine.csv").write_text("\n".join(reversed(lines[1:])))
    assert "mine.csv:1" in complaint("correlate", "params", "--accuracy", "mine.csv")
    (folder / "mine.csv").write_text("\n".join([HEADER, *reversed(lines[1:])]))
    command = ("correlate", "params", "-1.0 * params", *BATCH, "--workers", "1")
    rows = answer(*command, "--accuracy", "mine.csv", "--dataset", "cifar10")["rows"]
    assert [(r["tau"], r["rho"]) for r in rows] == [(1, 1), (-1, -1)]
    assert [(r["networks"], r["set"], r["accuracy"]) for r in rows] == [(6, "given", "given")] * 2


def test_an_accuracy_file_of_nds_networks():
    """No table of NDS is needed: a made-up file of four networks, ordered by their size."""
    cells = [f"{op}~0|{op}~1" for op in ("none", "skip_connect", "sep_conv_3x3", "sep_conv_5x5")]
    lines = [
        f"c16-l4:{'+'.join([f'|{cell}|'] * 4)}:{'+'.join([f'|{cell}|'] * 4)},{90 + i}"
        for i, cell in enumerate(cells)
    ]
    Path("nds.csv").write_text("\n".join(["architecture,accuracy", *lines]))
    command = ("correlate", "params", "depth", "--space", "nds-darts", "--accuracy", "nds.csv")
    params, depth = answer(*command, *BATCH, "--workers", "1")["rows"]
    assert (params["tau"], params["networks"], params["accuracy"]) == (1, 4, "given")
    assert depth["tau"] > 0


def test_tables_go_to_standard_output_and_progress_to_the_error_stream():
    outcome = call("correlate", "params", *FEW, "--dataset", SMALL)
    assert outcome.code == 0
    assert "params" in outcome.out
    assert "8 networks, validation accuracy" in outcome.out
    assert "seed 0" in outcome.err


ONE = (*FEW, "--dataset", SMALL)


def png(*files) -> bool:
    return all(Path(f).read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for f in files)


def test_everything_at_once(monkeypatch):
    """Compared, timed, averaged, drawn, and stored."""
    options = ("--against", "params", "--timed", "2", "--initialisations", "2")
    command = ("correlate", "naswot", "params", *ONE, "--set", "study", "--records", "records")
    content = answer(*command, *options, "--plot", "mine.png")
    assert list(content) == ["rows", "difference", "plots"]
    assert [list(r) for r in content["rows"]] == [[*ROW, "seconds", "variation"]] * 2
    naswot, params = content["rows"]
    assert [(r["set"], r["seeds"], r["networks"]) for r in (naswot, params)] == [
        ("study", [0, 1], 8)
    ] * 2
    assert naswot["seconds"] > 0
    assert list(naswot["variation"]) == ["mean", "deviation", "agreement"]
    assert params["variation"]["deviation"] == 0
    assert params["variation"]["agreement"] == pytest.approx(1)
    [difference] = content["difference"]
    assert list(difference) == DIFFERENCE
    assert (difference["against"], difference["dataset"]) == ("naswot", SMALL)
    assert difference["tau"] == pytest.approx(params["tau"] - naswot["tau"])
    assert content["plots"] == ["mine.png", "mine-tau.png"]
    assert png(*content["plots"])
    assert {p.name for p in Path("records").iterdir()} == {
        ".lock",
        "measurement.json",
        "features.gz",
    }

    def fails(*_):
        raise AssertionError("a network was measured")

    monkeypatch.setattr(eznas.evaluation.measuring, "measure", fails)
    rows = [{k: v for k, v in r.items() if k != "seconds"} for r in content["rows"]]
    from_store = answer(*command, "--initialisations", "2")
    assert from_store == {"rows": rows, "difference": [], "plots": []}


def test_a_difference_is_shown():
    outcome = call("correlate", "depth", *ONE, "--against", "params")
    assert outcome.code == 0
    assert "tau of params minus tau of another, paired" in outcome.out
    assert "8 networks, validation" in outcome.out
    assert "minus tau" not in call("correlate", "depth", "params", *ONE).out


def test_correlate_among_equals():
    sample = ("--networks", "16", *BATCH, "--workers", "1", "--dataset", SMALL)
    rows = answer("correlate", "naswot", *sample, "--within", "depth")["rows"]
    assert [r["proxy"] for r in rows] == ["naswot", "depth"]
    assert list(rows[0]) == [*ROW, "within_tau", "within_tau_low", "within_tau_high"]
    assert -1 <= rows[0]["within_tau_low"] <= rows[0]["within_tau"] <= rows[0]["within_tau_high"]
    assert rows[1]["within_tau"] is None  # equals are equal
    assert "within" in call("correlate", "naswot", *sample, "--within", "depth").out
    assert "unknown proxy 'prams'" in complaint("correlate", "naswot", *sample, "--within", "prams")
