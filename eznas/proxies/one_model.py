"""The score of one model: measure, evaluate, combine. Torch alone, as in an exported file."""

import math
import time
import warnings
from dataclasses import dataclass

from torch import nn

from eznas.evaluation.arithmetic import scores
from eznas.evaluation.bank import stack
from eznas.evaluation.plan import Plan, feature_rows
from eznas.formulas.expression import Expression
from eznas.statistics.absences import why_absent
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.measuring import measure
from eznas.statistics.surroundings import own_surroundings

_THIN = (
    "coverage: the formula does not apply to more than a fifth of the layers (a determinant, say, "
    "where maps are oblong)"
)


@dataclass(frozen=True)
class Score:
    """The score of one model; larger is better.

    `value`: finite, -inf (the lowest score: a singular kernel, or no layer between input and
    logits) or NaN (undefined); `reason`: why it is undefined, "" where it is not; `seconds` of
    measuring and evaluating; `notes`: what one should know of the measurement, in words.
    """

    value: float
    reason: str
    seconds: float
    notes: tuple[str, ...] = ()


def evaluated(formula: Expression, model: nn.Module, config: MeasurementConfig) -> Score:
    """The score of a model under a measurement config. Raises `InputError` if the model cannot be
    run."""
    start_time = time.perf_counter()
    plan = Plan.of(formula.features())
    rows = [CATALOGUE[name] for name in plan.statistics()]
    value, reason = math.nan, "constant"  # of a formula that names no statistic
    with own_surroundings(config.device):
        network = measure(model, config, rows)
        notes, reasons = network.notes, why_absent(network, rows)  # `stack` takes tensors out
        if rows:
            features = feature_rows(plan, stack([network], config.device))
            values, reason = scores(formula, [root.text for root in plan.roots], features)
            value = float(values[0])
    if reason == "coverage":
        reason = "; ".join(reasons) or _THIN
    return Score(value, reason, time.perf_counter() - start_time, notes)


def warned(score: Score, model: nn.Module) -> float:
    """The value of a model's score; a warning says what one should know of the measurement."""
    for note in score.notes:
        warnings.warn(f"model {type(model).__name__}: {note}", stacklevel=3)
    return score.value
