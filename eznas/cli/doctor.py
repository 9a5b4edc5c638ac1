"""The command that checks this machine; the checks themselves are in `checks`."""

import sys
from dataclasses import asdict
from typing import Any

from eznas.cli.app import app, emit, line, out
from eznas.cli.checks import examine
from eznas.cli.options import AsJson
from eznas.report import tables

FAULT = 1  # exit code


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check whether eznas can run well on this machine; exit code 1 if something is at fault."""
    checks = examine()

    def show(content: dict[str, Any]) -> None:
        out.print(tables.check_table(content["checks"]))
        for remedy in tables.remedy_lines(content["checks"]):
            line(f"  {remedy}")

    emit({"checks": [asdict(check) for check in checks]}, as_json, show)
    if any(check.state == "fault" for check in checks):
        sys.exit(FAULT)
