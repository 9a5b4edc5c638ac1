"""One formula as text: in lines, as a tree, for LaTeX, for sympy, for Graphviz."""

from collections.abc import Callable

from eznas.formulas.expression import Expression, rounded
from eznas.proxies.export.latex import latex_terms
from eznas.proxies.export.sympy_text import sympy_text
from eznas.report.formulas import formula_lines


def tree_lines(formula: Expression) -> list[str]:
    """A formula as a tree, a line for each primitive, statistic and constant (4 digits)."""
    lines = [_label(rounded(formula))]

    def visit(node: Expression, margin: str) -> None:
        for number, argument in enumerate(node.arguments, 1):
            is_last = number == len(node.arguments)
            lines.append(f"{margin}{'└─' if is_last else '├─'} {_label(argument)}")
            visit(argument, margin + ("   " if is_last else "│  "))

    visit(rounded(formula), "")
    return lines


def dot_lines(formula: Expression) -> list[str]:
    """A formula in Graphviz's language, a node for each distinct part (constants: 4 digits)."""
    numbers: dict[str, int] = {}
    lines = ["digraph formula {", '  node [shape=box, fontname="sans-serif"];']

    def visit(node: Expression) -> int:
        if node.text not in numbers:
            number = numbers[node.text] = len(numbers)
            shape = "" if node.arguments else ", style=rounded"
            lines.append(f'  n{number} [label="{_label(node)}"{shape}];')
            lines.extend(f"  n{number} -> n{visit(argument)};" for argument in node.arguments)
        return numbers[node.text]

    visit(rounded(formula))
    return [*lines, "}"]


def _label(node: Expression) -> str:
    return node.name if node.value is None else f"{node.value:g}"


VIEWS: dict[str, Callable[[Expression], list[str]]] = {
    "text": lambda formula: formula_lines(formula.text),
    "tree": tree_lines,
    "latex": latex_terms,
    "sympy": lambda formula: [sympy_text(formula)],
    "dot": dot_lines,
}
