"""The command that checks the machine; the checks themselves are in `checks`."""

import sys
from dataclasses import asdict
from typing import Any

from eznas.cli.app import app, emit, line, out
from eznas.cli.checks import examine
from eznas.cli.options import AsJson
from eznas.report import tables

FAULT = 1  # the exit code where there is one


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check whether this machine is fit to run eznas; exit code 1 where something is at fault."""
    checks = examine()

    def show(content: dict[str, Any]) -> None:
        out.print(tables.check_table(content["checks"]))
        for remedy in tables.remedy_lines(content["checks"]):
            line(f"  {remedy}")

    emit({"checks": [asdict(check) for check in checks]}, as_json, show)
    if any(check.state == "fault" for check in checks):
        sys.exit(FAULT)
