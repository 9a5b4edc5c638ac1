"""`write_report`: what it reads of a run, what it measures, where it writes."""

import json
import re
import shutil
from pathlib import Path

import pytest

import eznas
from eznas.discovery.result import RESULT
from eznas.errors import InputError
from eznas.report.cells import bare
from eznas.studies.run_report import REPORT, write_report
from eznas.system.folder import RunFolder, locked, run_names
from tests.discovery.made_up_run import make_run

COMMITTED = Path(__file__).parents[2] / "runs"


@pytest.fixture
def run(finished_run, folder):
    """A copy of a finished run, to which a report may be added, in the working folder."""
    shutil.copytree(finished_run.home / "runs", folder / "runs")
    return RunFolder.find(finished_run.result.run)


def test_it_is_written_into_the_folder_of_the_run(run, forbid_measuring):
    forbid_measuring()
    written = write_report(run.name, networks=0)
    path = run.path / REPORT
    assert written == eznas.Report(run.name, str(path), path.stat().st_size)
    page = path.read_text()
    result = json.loads((run.path / RESULT).read_text())
    for row in result["held_out"]:
        if row["tau"] is not None:
            ends = f"[{bare(row['tau_low'])}, {bare(row['tau_high'])}]"
            assert f"{bare(row['tau'])} {ends}" in page
    assert result["formula"] in page
    assert 'id="parts"' not in page


ALIKE = re.compile("quick-[2-9]|.*-seed-[2-9]|.*-without-.*")  # to runs that are always tried


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * bool(ALIKE.fullmatch(name)))
        for name in run_names(COMMITTED)
    ],
)
def test_committed_runs_of_older_versions_have_reports(name, folder):
    written = write_report(str(COMMITTED / name), "report.html", networks=0)
    assert (written.run, written.file) == (name, "report.html")
    assert 20_000 < written.bytes < 2_000_000


def test_a_file_is_replaced_only_on_request(run, folder):
    write_report(run.name, "mine.html", networks=0)
    before = (folder / "mine.html").stat().st_mtime_ns
    with pytest.raises(InputError, match=r"mine.html: exists already; --force \(force=True\)"):
        write_report(run.name, "mine.html", networks=0)
    assert (folder / "mine.html").stat().st_mtime_ns == before
    write_report(run.name, "mine.html", networks=0, force=True)
    assert (folder / "mine.html").stat().st_mtime_ns > before
    assert not (run.path / REPORT).exists()


def test_what_is_measured_is_what_front_and_explain_measure(run):
    write_report(run.name, networks=8)
    page = (run.path / REPORT).read_text()
    front, explanation = eznas.front(run.name, networks=8), eznas.explain(run.name, networks=8)
    assert f"one standard error ({bare(front.error)}) of the best" in page
    write_report(run.name, "from-the-folder.html", networks=0)
    assert f"error ({bare(front.error)})" in Path("from-the-folder.html").read_text()
    [dataset] = explanation.tau
    assert f"{dataset}: tau {bare(explanation.tau[dataset])}" in page
    assert "8 networks of nasbench201 (search part, not searched), validation accuracy" in page


def test_an_unfinished_run_has_a_report(run):
    for name in (RESULT, "champion.json"):
        (run.path / name).unlink()
    write_report(run.name, networks=0)
    page = (run.path / REPORT).read_text()
    assert "it has not been tested yet" in page
    assert "interrupted" in page


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"run": "undistrubed"}, "did you mean 'undisturbed'"),
        ({"file": "mine.htm"}, "expected a name that ends in .html"),
        ({"file": "nowhere/mine.html"}, "no folder nowhere"),
        ({"networks": -1}, "expected a whole number, at least 0"),
        ({"networks": 1}, "at least 2; `--networks 0` "),
        ({"networks": "all"}, "networks"),
    ],
)
def test_bad_input(run, folder, arguments, problem):
    with pytest.raises(InputError, match=problem):
        write_report(**{"run": run.name} | arguments)
    assert not list(folder.rglob("*.html"))


def test_a_run_without_a_formula(folder):
    begun = make_run(folder, "begun", [])
    with pytest.raises(InputError, match="ended before it had a formula"):
        write_report("begun")
    with locked(begun.path), pytest.raises(InputError, match="no generation is complete yet"):
        write_report("begun")


def test_a_damaged_result_is_named(run):
    (run.path / RESULT).write_text("{")
    with pytest.raises(InputError, match=RESULT):
        write_report(run.name, networks=0)


def test_a_run_that_goes_on(run):
    with locked(run.path):
        write_report(run.name, networks=0)
    assert 'class="state running"' in (run.path / REPORT).read_text()
