"""A proxy as one Python file that needs torch alone, put together from this package's sources."""

from importlib.metadata import version

import torch

from eznas.errors import InputError, one_line
from eznas.evaluation.plan import Plan
from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES
from eznas.proxies.export.bundle import Bundle, Key
from eznas.proxies.proxy import Proxy
from eznas.statistics.catalogue import CATALOGUE

_ROWS, _MAIN = "eznas.exported_rows", "eznas.exported_main"  # the modules that are written here
_INSTEAD: dict[Key, Key] = {
    ("eznas.statistics.catalogue", "CATALOGUE"): (_ROWS, "CATALOGUE"),
    ("eznas.statistics.generating", "stream"): ("eznas.statistics.streams", "stream"),
}

_HEADER = '''"""{name}: a zero-cost proxy, which scores networks before training; larger is better.

{formula}

Source: {source}

    from THIS_FILE import score
    score(model)                              # images of 3 x 32 x 32
    score(model, input_size=(3, 224, 224))

Needs Python 3.11 and torch alone. A score is finite, -inf (the lowest) or NaN (undefined). Written
by eznas {eznas} (torch {torch}) from its own sources, of which this file holds what the formula
needs: it gives what `eznas.load(...).score(model)` gives.
"""
'''

_ROWS_TEXT = """
from eznas.primitives import ValueType
from eznas.statistics.statistic import Statistic

# The statistics of the formula.
CATALOGUE: dict[str, Statistic] = {{
    row.name: row
    for row in (
{rows}
    )
}}
"""

_MAIN_TEXT = '''
from typing import Any

from torch import nn

from eznas.formulas.expression import call, constant, statistic
from eznas.proxies.one_model import evaluated, warned
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.drawn import DrawnInputs
from eznas.statistics.inputs import input_form

# How models are measured: images for statistics that keep whole tensors and for those that condense
# them, and the seed of images and noise. A model's parameters are taken as they are.
RAW_BATCH, SKETCH_BATCH, SEED = {raw}, {sketch}, 0

# {formula}
{steps}

def score(model: nn.Module, input_size: Any = (3, 32, 32)) -> float:
    """The score of a model, which is left as it was; larger is better, -inf is the lowest score and
    NaN is undefined.

    `input_size`: (channels, height, width), other sizes, "tokens:LENGTH:VOCAB", a list of several,
    or an example of the model's input. A warning says what one should know of the measurement.
    Raises `InputError` (a ValueError) if the model cannot be run on such inputs.
    """
    images = DrawnInputs(input_form(input_size), max(RAW_BATCH, SKETCH_BATCH), SEED)
    config = MeasurementConfig(
        images, raw=RAW_BATCH, sketch=SKETCH_BATCH, initialisation="keep", seed=SEED
    )
    return warned(evaluated(FORMULA, model, config), model)
'''


def standalone(proxy: Proxy, source: str) -> str:
    """The text of a Python file that scores models with a proxy and imports torch alone; `source`:
    who published or found the formula. Raises `InputError` for a formula with a primitive of
    one's own, whose source is not that of this package."""
    statistics = [CATALOGUE[name] for name in Plan.of([proxy.formula]).statistics()]
    names = [node.name for node in proxy.formula.walk() if node.arguments]
    names += [row.sketch for row in statistics if row.sketch in PRIMITIVES]
    functions = [PRIMITIVES[name].function for name in dict.fromkeys(names)]
    if own := [f.__name__ for f in functions if not f.__module__.startswith("eznas.")]:
        advice = "only those of eznas can be written to a file of Python"
        raise InputError(f"formula: the primitive {own[0]} is one of your own; {advice}")
    rows = "\n".join(f"        {row!r}," for row in statistics)
    main = _MAIN_TEXT.format(
        raw=proxy.raw_batch,
        sketch=proxy.sketch_batch,
        formula=proxy.formula.text,
        steps=_steps(proxy.formula),
    )
    bundle = Bundle(
        {_ROWS: _ROWS_TEXT.format(rows=rows), _MAIN: main},
        _INSTEAD,
        [(function.__module__, function.__name__) for function in functions],
    )
    header = _HEADER.format(
        name=_quoted(proxy.name),
        formula=proxy.formula.text,
        source=_quoted(source),
        eznas=version("eznas"),
        torch=torch.__version__,
    )
    return f"{header}\n{bundle.text()}"


def _quoted(text: str) -> str:
    """A text that may be anyone's, to stand in a docstring: it cannot end it, and run."""
    return one_line(text).replace("\\", "\\\\").replace('"', "'")


def _steps(formula: Expression) -> str:
    """Python that builds a formula: a line for each part of it that takes arguments."""
    lines: list[str] = []
    names: dict[str, str] = {}

    def visit(node: Expression) -> str:
        if node.value is not None:
            return f"constant({node.value!r})"
        if not node.arguments:
            return f'statistic("{node.name}")'
        if node.text not in names:
            arguments = ", ".join(map(visit, node.arguments))
            names[node.text] = f"step_{len(names) + 1}"
            lines.append(f'{names[node.text]} = call("{node.name}", {arguments})')
        return names[node.text]

    lines.append(f"FORMULA = {visit(formula)}")
    return "\n".join(lines) + "\n"
