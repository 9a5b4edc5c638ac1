"""What a run ends with."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from eznas.metrics import Difference, Row

RESULT = "result.json"


@dataclass(frozen=True)
class Result:
    """What a run ends with.

    `run`: the name of its folder, "" without one; `champion`: the champion's name, and `formula`
    its text; `seconds` in all; `evaluations`: formulas evaluated; `stopped`: what ended the search
    before its last generation ("": nothing; a signal's name: an interrupt); `held_out`:
    correlations on held-out networks, and `difference`: between the champion and each baseline
    (both are empty after an interrupt). `greedy`: the formula of greedy least squares on
    the same networks, "" where there is none. `recommended`: the published proxy to be
    preferred on a user's own models, because these were too few to evolve a formula on, or the
    champion was not ahead of it in cross-validation; "" where there is none. `untested`: whether
    the run was to end without a test (evidence.networks 0).
    """

    run: str
    champion: str
    formula: str
    seconds: float
    evaluations: int
    stopped: str = ""
    held_out: list[Row] = field(default_factory=list)
    difference: list[Difference] = field(default_factory=list)
    recommended: str = ""
    untested: bool = False
    greedy: str = ""


class Outcome(BaseModel):
    """The part of `result.json` that says whether a run is finished."""

    stopped: str = ""
    evaluations: int = 0
    held_out: list[dict[str, Any]] = []
    untested: bool = False
