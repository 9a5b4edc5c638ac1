"""Commands that look at runs from outside: a list of all, and one that is followed."""

from contextlib import closing
from dataclasses import asdict
from typing import Any

from eznas.cli.app import app, emit, err, line, out
from eznas.cli.arguments import Run
from eznas.cli.main import INTERRUPTED
from eznas.cli.options import AsJson
from eznas.cli.progress import LiveProgress
from eznas.cli.results import show_result
from eznas.discovery.result import RESULT
from eznas.discovery.watching import RunState, runs, state_of, watch
from eznas.report import tables
from eznas.report.cells import duration
from eznas.system.folder import ROOT, RunFolder


@app.command("ls")
def list_runs(as_json: AsJson = False) -> None:
    """List the runs in runs/, the newest first, and how far each is."""
    emit({"runs": [asdict(state) for state in runs()]}, as_json, _show_runs)


@app.command("watch")
def watch_run(
    run: Run,
) -> None:
    """Follow a run that another terminal has begun, to its end and its result.

    Ctrl-C ends this command alone: the run goes on.
    """
    folder = RunFolder.find(run)
    state = state_of(folder)
    if state.generation is None and state.state == "running":
        line(f"{folder.name}: running, no generation is complete yet")
    try:
        with closing(LiveProgress(state.generations, out)) as progress:
            state = watch(run, progress)
    except KeyboardInterrupt:
        err.print("eznas: no longer watching; the run is left as it is", highlight=False)
        raise SystemExit(INTERRUPTED) from None
    _show_end(folder, state)


def _show_end(folder: RunFolder, state: RunState) -> None:
    if state.state == "finished":
        line("")
        show_result({"recommended": "", "stopped": ""} | folder.read(RESULT, dict[str, Any]))
    else:
        line(f"{state.name}: {state.state}; `eznas resume {state.name}` goes on")


def _show_runs(content: dict[str, Any]) -> None:
    if not content["runs"]:
        line(f"no runs in {ROOT}/; `eznas evolve` begins one")
        return
    rows = [row | {"age": duration(row["age"])} for row in content["runs"]]
    out.print(tables.run_table(rows))
