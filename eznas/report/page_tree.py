"""A formula as a tree for an HTML page: a line for each chain of primitives, branches below."""

from dataclasses import dataclass
from typing import Literal

from eznas.formulas.expression import Expression, rounded
from eznas.primitives import PRIMITIVES
from eznas.proxies.export.latex import DIGITS
from eznas.statistics.catalogue import CATALOGUE

_SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷"}  # noqa: RUF001  (as they are printed)


@dataclass(frozen=True)
class Step:
    """A primitive, statistic or number, and what it means ("" for a number)."""

    text: str
    kind: Literal["primitive", "statistic", "number"]
    meaning: str = ""


@dataclass(frozen=True)
class Branch:
    """Primitives of one argument, each applied to the next step, and what the last one takes."""

    steps: tuple[Step, ...]
    branches: tuple["Branch", ...]


def page_tree(formula: Expression) -> Branch:
    """The tree of a formula, constants as in LaTeX. Sums and products have all that they add or
    multiply as branches; a number that multiplies is a step."""
    return _branch(rounded(formula, DIGITS, DIGITS))


def _branch(node: Expression) -> Branch:
    steps = []
    while True:
        steps.append(_step(node))
        arguments = _operands(node) if node.name in ("add", "mul") else list(node.arguments)
        if node.name == "mul":
            numbers = [a for a in arguments if a.value is not None]
            if len(numbers) == 1 and len(arguments) == 2:
                steps[-1] = _step(numbers[0])
                steps.append(Step("×", "primitive", _meaning("mul")))  # noqa: RUF001
                arguments.remove(numbers[0])
        if len(arguments) != 1:
            return Branch(tuple(steps), tuple(map(_branch, arguments)))
        [node] = arguments


def _operands(node: Expression) -> list[Expression]:
    """What a sum adds or a product multiplies, those inside its operands of the same kind too."""
    return [
        operand
        for argument in node.arguments
        for operand in (_operands(argument) if argument.name == node.name else [argument])
    ]


def _step(node: Expression) -> Step:
    if node.value is not None:
        return Step(f"{node.value:g}".replace("-", "−"), "number")  # noqa: RUF001
    if node.name in PRIMITIVES:
        return Step(_SIGNS.get(node.name, node.name), "primitive", _meaning(node.name))
    return Step(node.name, "statistic", CATALOGUE[node.name].meaning)


def _meaning(primitive: str) -> str:
    return PRIMITIVES[primitive].meaning
