"""Scores, exports and lists; what goes to standard output and what to the error stream."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import eznas
from eznas.cli.app import out
from eznas.discovery.setup import BASELINES
from eznas.proxies.aliases import ALIASES
from tests.cli.calls import BATCH, CONVOLUTIONS, NOTHING, POOLS, answer, call, complaint


def test_without_a_command_help_is_shown():
    outcome = call()
    assert "evolve" in outcome.out
    assert outcome.err == ""


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(eznas, "proxies", lambda: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        call("proxies")


@pytest.mark.usefixtures("in_full")
def test_a_process_of_its_own_gives_the_same():
    """In a process of its own: exit code, streams, and the same numbers to the last bit."""

    def run(*arguments):
        command = [sys.executable, "-c", "from eznas.cli import main; main()", *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120
        )
        return process.returncode, process.stdout, process.stderr

    def without_seconds(rows):
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    command = ("score", "naswot", "strangers:network", POOLS, *BATCH)
    code, out, err = run(*command, "--json")
    assert (code, err) == (0, "made\n")
    expected = without_seconds(answer(*command)["scores"])
    assert without_seconds(json.loads(out)["scores"]) == expected
    bad = run("correlate", "prams", "--json")
    assert bad == (2, "", "eznas: unknown proxy 'prams'; did you mean 'params'?\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["proxies"], ["proxies", "--json"]])
def test_output_that_a_full_disk_does_not_take_is_one_line(arguments):
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, "-m", "eznas", *arguments], stdout=full, stderr=subprocess.PIPE
        )
    assert process.returncode == 2
    assert process.stderr == b"eznas: output: cannot write: No space left on device\n"


def test_proxies_lists_formulas_and_aliases():
    content = answer("proxies")
    rows = content["proxies"]
    keys = ["proxy", "formula", "source", "note", "aliases"]
    assert [list(r) for r in rows] == [keys] * len(rows)
    assert {"hybrid", *BASELINES} <= {r["proxy"] for r in rows}
    shown = call("proxies").out
    assert all(r["proxy"] in shown for r in [*rows, *content["discovered"]])
    assert [a["alias"] for a in content["aliases"]] == list(ALIASES)
    assert " ".join(ALIASES["default"].note.split()) in " ".join(shown.split())


def test_what_an_alias_stands_for_is_said_beside_the_output():
    note = f"eznas: {ALIASES['default'].note}\n"
    assert call("show", "default").err == note
    assert call("score", "default", "strangers:network", *BATCH).err.startswith(f"made\n{note}")
    assert complaint("correlate", "default", "prams").startswith("unknown proxy 'prams'")
    assert answer("show", "default")["proxy"] == ALIASES["default"].proxy
    assert not call("show", ALIASES["default"].proxy).err


def test_what_holds_for_all_models_is_said_once():
    several = ("score", "hybrid", NOTHING, POOLS, *BATCH)
    weighed = "the terms of hybrid were weighed at 64 images; with 4 it ranks models otherwise\n"
    assert call(*several).err == f"eznas: {weighed}"
    assert call(*several[:3], *BATCH).err == f"eznas: {NOTHING}: {weighed}"


def test_names_are_no_emoji():
    with out.capture() as shown:
        out.print("my_models:a: a note")
    assert shown.get() == "my_models:a: a note\n"


def test_score_ranks_and_gives_the_reason_where_there_is_no_score():
    names = [NOTHING, "strangers:network", CONVOLUTIONS]
    rows = answer("score", "naswot", *names, *BATCH)["scores"]
    keys = ["model", "proxy", "score", "seconds", "reason", "notes", "failed"]
    assert [list(r) for r in rows] == [keys] * 3
    assert [r["model"] for r in rows] == [CONVOLUTIONS, "strangers:network", NOTHING]
    assert rows[0]["score"] > rows[1]["score"]
    assert (rows[2]["score"], rows[2]["reason"]) == (None, "lowest")
    assert [r["reason"] for r in rows[:2]] == ["", ""]
    assert all(r["proxy"] == "naswot" and r["seconds"] > 0 for r in rows)


@pytest.mark.usefixtures("in_full")
def test_undefined_comes_after_lowest():
    """Few layers of POOLS have as many inputs as outputs; NOTHING has a singular kernel."""
    formula = (
        "sum_layers(sum(data_conv_input * data_conv_output)) "
        "+ logdet(sum_all_layers(data_relu_agreement))"
    )
    rows = answer("score", formula, POOLS, NOTHING, CONVOLUTIONS, *BATCH)["scores"]
    assert [r["model"] for r in rows] == [CONVOLUTIONS, NOTHING, POOLS]
    assert [r["score"] is None for r in rows] == [False, True, True]
    assert [r["reason"].split(":")[0] for r in rows] == ["", "lowest", "coverage"]


@pytest.mark.parametrize(
    "formula",
    ["-1.0 * params", "-1e-05*params", "-(params)", "-log(params)", "-sum_layers(layer_params)"],
)
def test_a_formula_that_begins_with_a_minus_is_not_an_option(formula):
    rows = answer("score", formula, POOLS, CONVOLUTIONS)["scores"]
    assert [r["proxy"] for r in rows] == [formula] * 2
    assert [r["model"] for r in rows] == [POOLS, CONVOLUTIONS]


def test_what_a_model_prints_is_not_on_standard_output():
    outcome = call("score", "params", "strangers:network", "--json")
    assert "made" not in outcome.out
    assert "made" in outcome.err


def test_export_and_score_again():
    written = answer("export", "naswot", "-o", "naswot.json")
    assert json.loads(Path("naswot.json").read_text()) == written
    assert not list(Path().glob(".*partial"))
    names = (CONVOLUTIONS, POOLS)
    before = answer("score", "naswot", *names)["scores"]
    after = answer("score", "naswot.json", *names)["scores"]
    assert [r["score"] for r in after] == [r["score"] for r in before]
    assert [r["proxy"] for r in after] == ["naswot", "naswot"]


def test_export_replaces_a_file_only_when_asked_to():
    assert "params" in call("export", "params", "-o", "out.tex").out
    first = Path("out.tex").read_text()
    assert "exists already; --force" in complaint("export", "naswot", "-o", "out.tex")
    assert Path("out.tex").read_text() == first
    answer("export", "naswot", "--to", "latex", "-o", "out.tex", "--force")
    assert "Mellor" in Path("out.tex").read_text()
