"""A run on the command line, and what can be done with it afterwards."""

import json
import re
import shutil
from pathlib import Path

import pytest

import eznas
from eznas.discovery import records
from eznas.discovery.setup import BASELINES
from eznas.report.formulas import formula_lines
from tests.cli.calls import (
    CONVOLUTIONS,
    DIFFERENCE,
    FEW,
    POOLS,
    ROW,
    answer,
    call,
    complaint,
    listing,
)
from tests.discovery.made_up_run import report

pytestmark = pytest.mark.usefixtures("tiny_networks_ship")

# One data set of small images and two statistics: seconds instead of a minute.
TINY = {
    "tasks": '["nasbench201/ImageNet16-120"]',
    "statistics": '["data_relu_agreement", "layer_params"]',
    "seed_formulas": '["naswot", "live_params"]',
    "generations": "1",
    "population": "16",
    "offspring": "16",
    "first_networks": "8",
    "networks": "8",
    "champion_networks": "8",
    "evidence.networks": "16",
    "replicates": "20",
    "raw_batch": "2",
    "sketch_batch": "4",
}
EVOLVE = ("evolve", "--workers", "1", *(p for k, v in TINY.items() for p in ("--set", f"{k}={v}")))


@pytest.fixture(scope="module")
def finished(folder, finished_run, tmp_path_factory):
    """What a small run answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EZNAS_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setattr(records, "PACKAGED", finished_run.stores)
        result = answer(*EVOLVE, "--name", "tiny")
    yield result
    shutil.rmtree(folder / "runs")  # tests of bad input see whether one appears


def test_evolve_answers(finished):
    keys = ["run", "champion", "formula", "seconds", "evaluations", "stopped"]
    assert list(finished) == [*keys, "held_out", "difference", "recommended", "untested", "greedy"]
    assert finished["untested"] is False
    assert finished["stopped"] == ""
    assert finished["run"] == "tiny"
    assert finished["seconds"] > 0
    assert finished["evaluations"] >= 16
    rows, differences = finished["held_out"], finished["difference"]
    assert all(list(r) == ROW for r in rows)
    assert [r["proxy"] for r in rows] == ["champion", *BASELINES, "greedy"]
    for row in rows:
        assert (row["dataset"], row["networks"]) == ("ImageNet16-120", 16)
        assert (row["set"], row["accuracy"], row["seeds"]) == ("held-out part", "validation", [0])
    assert all(list(d) == DIFFERENCE for d in differences)
    assert [d["against"] for d in differences] == [*BASELINES, "greedy"]
    taus = {r["proxy"]: r["tau"] for r in rows}
    for d in differences:
        assert d["tau"] == pytest.approx(taus["champion"] - taus[d["against"]])
    assert json.loads(Path("runs/tiny/result.json").read_text()) == finished


def test_a_finished_run_goes_on_only_further(finished):
    line = complaint("resume", "tiny")
    assert "tiny: finished after generation 1; `--generations N` with another N goes on" in line
    assert "unknown run 'tinny'; did you mean 'tiny'" in complaint("resume", "tinny")
    assert json.loads(Path("runs/tiny/result.json").read_text()) == finished
    shutil.copytree("runs/tiny", "runs/further")
    result = answer("resume", "further", "--generations", "2", "--workers", "1")
    assert result["run"] == "further"
    assert result["evaluations"] > finished["evaluations"]
    assert len(Path("runs/further/journal.jsonl").read_text().splitlines()) == 3
    first, longer = (Path("runs", r, "journal.jsonl").read_text() for r in ("tiny", "further"))
    assert longer.startswith(first)


def test_a_run_on_other_versions_asks_for_force(finished, monkeypatch):
    shutil.copytree("runs/tiny", "runs/elsewhere")
    file = Path("runs/elsewhere/environment.json")
    environment = json.loads(file.read_text())
    environment["packages"]["torch"] = "1.0"
    file.write_text(json.dumps(environment))
    command = ("resume", "elsewhere", "--generations", "2", "--workers", "1")
    line = complaint(*command)
    assert "torch was 1.0 and is" in line
    assert "`--force` goes on all the same" in line
    assert json.loads(file.read_text()) == environment
    answer(*command, "--force")
    assert json.loads(file.read_text())["before"] == [environment]


@pytest.mark.parametrize(
    ("limit", "stopped"),
    [("--max-evals=16", "evaluations"), ("--target=-1", "target"), ("--time=0.001s", "time")],
)
def test_limits_that_end_a_search(folder, limit, stopped):
    name = f"limited-by-{stopped}"
    result = answer(*EVOLVE, "--name", name, limit)
    assert result["stopped"] == stopped
    assert result["held_out"]
    lines = Path("runs", name, "journal.jsonl").read_text().splitlines()
    assert len(lines) == 1
    shutil.rmtree(folder / "runs" / name)


def test_a_run_is_never_overwritten(finished):
    before = listing(Path("runs"))
    assert "'tiny' exists already" in complaint(*EVOLVE, "--name", "tiny")
    assert listing(Path("runs")) == before


def test_a_run_is_a_proxy(finished):
    command = ("--dataset", "ImageNet16-120", *FEW)
    rows = answer("correlate", "tiny", "runs/tiny", "tiny#1", finished["formula"], *command)["rows"]
    names = ["tiny", "runs/tiny", "tiny#1", finished["formula"]]
    assert [r["proxy"] for r in rows] == names
    assert rows[0]["tau"] == rows[1]["tau"] == rows[3]["tau"]
    formulas = json.loads(Path("runs/tiny/archive.json").read_text())["formulas"]
    assert eznas.load("tiny#1").formula.text == formulas[0]["formula"]
    last = f"#1 to #{len(formulas)}"
    for number in ("0", str(len(formulas) + 1), "x", "", "²"):
        line = complaint("correlate", f"tiny#{number}", *command)
        assert last in line
        assert f"#{number}" in line
    assert "did you mean 'tiny'" in complaint("correlate", "tinny#1", *command)
    assert "did you mean 'tiny'" in complaint("correlate", "tinny", *command)


def test_export_of_a_run_holds_its_evidence(finished):
    written = answer("export", "tiny", "-o", "champion.json")
    evidence = [r for r in finished["held_out"] if r["proxy"] == "champion"]
    assert written["formula"] == finished["formula"]
    assert written["evidence"] == evidence
    assert 0.8 <= written["coverage"] <= 1
    assert (written["raw_batch"], written["sketch_batch"]) == (2, 4)
    environment = json.loads(Path("runs/tiny/environment.json").read_text())
    assert written["fingerprint"] == environment["fingerprint"]
    again = answer("export", "champion.json", "-o", "again.json")
    assert again == written
    names = (CONVOLUTIONS, POOLS)
    run, file = (answer("score", p, *names)["scores"] for p in ("tiny", "champion.json"))
    assert [r["score"] for r in run] == [r["score"] for r in file]


def test_a_damaged_run_gets_one_line(finished):
    Path("runs/half").mkdir()
    for name, content in (("config.json", "{}"), ("archive.json", "[{")):
        Path("runs/half", name).write_text(content)
    line = complaint("correlate", "half", *FEW)
    assert "archive.json" in line
    assert "damaged" in line
    Path("runs/half/archive.json").unlink()
    assert "run half ended before it had a formula" in complaint("correlate", "half", *FEW)


def test_evolve_shows_tables_the_formula_and_where_to_go_next(finished):
    outcome = call(*EVOLVE, "--name", "shown")
    assert outcome.code == 0
    assert re.match(r"champion of runs/shown, chosen from \d+ formulas in \d+s\n  ", outcome.out)
    end = outcome.out[outcome.out.rindex("\n\n", 0, outcome.out.index("\n\nall baselines")) :]
    formula = end[: end.index("all baselines")]
    assert "".join(formula_lines(finished["formula"], 10_000)) == " ".join(formula.split())
    assert "`eznas score shown MODEL`" in end
    assert "`eznas correlate shown hybrid`" in end
    assert "champion's lead [95 %]" in outcome.out
    assert "all baselines and metrics: runs/shown/README.md" in end
    figures = r"best -?[.\d]+, median -?[.\d]+, 8 networks, \d+ formulas/s"
    assert re.search(rf"^generation 0/1: {figures}, \d+s left$", outcome.err, re.M)
    assert re.search(rf"^generation 1/1: {figures}$", outcome.err, re.M)
    assert max(map(len, f"{outcome.out}\n{outcome.err}".splitlines())) <= 80


def test_dry_run_estimates_and_leaves_nothing(finished):
    before = listing(Path())
    content = answer(*EVOLVE, "--name", "dry", "--dry-run")
    assert list(content) == ["seconds", "megabytes", "networks", "workers"]
    assert content["networks"] == 8 + 8 + 16
    assert content["workers"] == 1
    assert content["seconds"] > 0
    assert listing(Path()) == before


def test_a_run_without_a_test_says_so(folder):
    outcome = call(*EVOLVE, "--test-networks", "0", "--name", "bare")
    assert (outcome.code, "\nnot tested: the run was to end" in outcome.out) == (0, True)
    assert "tau" not in outcome.out
    assert "finished, not tested" in call("ls").out
    outcome = call("report", "bare", "--networks", "0")
    assert outcome.code == 0
    page = Path("runs/bare/report.html").read_text()
    assert "Not tested: the run was to end without a test" in page
    assert "not been tested yet" not in page
    shutil.rmtree(folder / "runs" / "bare")


@pytest.mark.parametrize("networks", ["1", "7"])
def test_too_few_networks_to_test_on(folder, networks):
    line = complaint(*EVOLVE, "--test-networks", networks)
    assert f"expected 0 (the run ends without a test) or at least 8, got {networks}" in line


def test_tensorboard_gets_the_generations(folder, monkeypatch):
    pytest.importorskip("tensorboardX", reason="tensorboardX, of eznas[tensorboard], is missing")

    def evolve(configuration, *, watcher, **_):
        watcher.generation(report(0), 1.0, 2.0)
        return eznas.Result("mine", "mine", "params", 6.0, 112)

    monkeypatch.setattr(eznas, "evolve", evolve)
    outcome = call("evolve", "--tensorboard", "logs", "--workers", "1")
    assert "generation  0/40: best .500" in outcome.err
    assert len(list(Path("logs").glob("events.out.tfevents.*"))) == 1
    shutil.rmtree("logs")
