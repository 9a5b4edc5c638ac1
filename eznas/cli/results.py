"""The result of a run, printed: what its champion is worth, in a screen."""

from typing import Any

from rich.padding import Padding
from rich.text import Text

from eznas.cli.app import line, out
from eznas.discovery.config import Config
from eznas.discovery.run import PAGE
from eznas.discovery.sections import ModelsConfig
from eznas.report import tables
from eznas.report.cells import duration
from eznas.report.formulas import formula_lines
from eznas.system.folder import CONFIG, ROOT, RunFolder

_LIMITS = {  # what stopped a search -> in words
    "time": "--time",
    "evaluations": "--max-evals",
    "target": "--target",
    "patience": "--patience",
}


def show_result(result: dict[str, Any]) -> None:
    """Print what the champion is worth, in a screen: the outcome, a short table, the formula."""
    run, formulas = result["run"], result["evaluations"]
    stopped = result["stopped"].startswith("SIG")
    if result["difference"] or not result["recommended"]:
        line(
            f"{'best so far' if stopped else 'champion'} of {ROOT / run}, "
            f"chosen from {formulas} formulas in {duration(result['seconds'])}"
            f"{', not yet tested' if stopped else ''}"
        )
    if result.get("untested"):
        line(tables.UNTESTED)
    if result["stopped"] in _LIMITS:
        line(f"the search ended before its last generation, by {_LIMITS[result['stopped']]}")
    if result["recommended"]:
        out.print(Text(tables.recommendation(result)))
    for text in tables.outcome_lines(result["difference"]):
        out.print(Padding(Text(text), (0, 0, 0, 2)))
    if result["held_out"]:
        line("")
        out.print(tables.short_table(result, out.width))
        line("")
    if not result["difference"] and result["recommended"]:
        return
    for text in formula_lines(result["formula"], out.width - 2):
        line(f"  {text}")
    line("")
    if result["held_out"]:
        line(f"all baselines and metrics: {ROOT / run / PAGE}")
    models, sizes = _own_models(run)
    line(f"next: `eznas score {run} MODEL{sizes}` scores a model of yours by it,")
    line(f"      `eznas correlate {run} hybrid{models}{sizes}` compares it with a published proxy")


def _own_models(run: str) -> tuple[str, str]:
    """The options of a command for the models of one's own that a run was on, and for their input;
    empty where there are none."""
    models: ModelsConfig = RunFolder.find(run).read(CONFIG, Config).models
    if models.file is None:
        return "", ""
    return f" --models {models.file}", "".join(f" --input {size}" for size in models.input)
