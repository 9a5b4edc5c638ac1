"""`eznas doctor`: the table, how to mend what is not as it should be, exit codes."""

import json

import pytest

from eznas.cli import checks as machine_checks
from eznas.cli import doctor
from eznas.cli.checks import Check
from tests.cli.calls import answer, call, listing

OK = Check("cores", "ok", "2 [of 2]")
NOTE = Check("imported tables", "note", "0 of 26", "`eznas data fetch SPACE`: " + "name, " * 40)
FAULT = Check("Ray", "fault", "no raylet", "run with --workers 1")


@pytest.mark.parametrize(
    ("checks", "code"), [([OK], 0), ([OK, NOTE], 0), ([FAULT, OK], 1), ([OK, NOTE, FAULT], 1)]
)
def test_only_a_fault_changes_the_exit_code(monkeypatch, checks, code):
    monkeypatch.setattr(doctor, "examine", lambda: checks)
    outcome = call("doctor")
    assert (outcome.code, outcome.err) == (code, "")
    assert "…" not in outcome.out
    lines = outcome.out.splitlines()
    for check in checks:
        [row] = [line for line in lines if f"│ {check.name} " in line]
        assert f" {check.state} " in row
        assert f" {check.found} " in row
        assert (f"  {check.name}: {check.remedy}" in lines) == bool(check.remedy)
    outcome = call("doctor", "--json")
    assert (outcome.code, outcome.err) == (code, "")
    assert outcome.out.count("\n") == 1
    rows = json.loads(outcome.out)["checks"]
    assert [Check(**row) for row in rows] == checks


def test_this_machine(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine_checks, "try_ray", lambda count: (1.0, 1 << 20))
    content = answer("doctor")
    assert list(content) == ["checks"]
    assert len(content["checks"]) == 11
    assert all(list(row) == ["name", "state", "found", "remedy"] for row in content["checks"])
    assert listing(tmp_path) == {}


def test_ray_that_does_not_start(monkeypatch):
    def fails(count):
        raise machine_checks.InputError("Ray: no raylet")

    monkeypatch.setattr(machine_checks, "try_ray", fails)
    outcome = call("doctor")
    assert (outcome.code, outcome.err) == (1, "")
    assert "│ fault │ Ray: no raylet" in outcome.out


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(machine_checks.machine, "cores", lambda: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        call("doctor")


@pytest.mark.ray
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
def test_nothing_else_is_printed_where_ray_is_started():
    rows = {row["name"]: row for row in answer("doctor")["checks"]}
    assert rows["Ray"]["state"] == "ok"
    assert rows["Ray"]["found"].startswith("2 workers did tasks after ")
