"""Formulas as sums of terms: least squares for the constants before them, and the next term.

Evolution finds terms, least squares weighs them (multiple regression genetic programming, Arnaldo,
Krawiec & O'Reilly, 2014); the next term is chosen as `greedy` chooses, from a few words drawn by
lot, so that formulas differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eznas.errors import InputError
from eznas.evaluation.feature_table import Measures
from eznas.evolution import randomness
from eznas.evolution.fitness import Task
from eznas.formulas.expression import Expression, ValueTypeError
from eznas.predictors.least_squares import chosen, columns, fit_of, linear

OFFERED = 0.1  # the share of the words that a step chooses from
DROPPED = 0.5  # how often a step takes a term away before


@dataclass(frozen=True, eq=False)
class Dictionary:
    """The words of a search on its present sample: `columns` [tasks x networks, words]."""

    words: Sequence[Expression]
    table: Measures
    tasks: Sequence[Task]
    networks: int
    columns: Tensor

    @staticmethod
    def of(
        words: Sequence[Expression], table: Measures, tasks: Sequence[Task], networks: int
    ) -> "Dictionary":
        """The words, which are filled, as columns."""
        return Dictionary(words, table, tasks, networks, columns(words, table, tasks, networks))

    def step(self, formula: Expression) -> Expression:
        """The formula, at times less one of its terms, with another word, all constants refitted.

        The measures of the formula are filled. It comes back unchanged where nothing fits.
        """
        own = terms(formula)
        if len(own) > 1 and randomness.happens(DROPPED):
            own.remove(randomness.choice(own))
        offered = [i for i in range(len(self.words)) if randomness.happens(OFFERED)]
        found = torch.cat(
            [
                columns(own, self.table, self.tasks, self.networks),
                self.columns[:, offered],
            ],
            1,
        )
        names = [*own, *(self.words[i] for i in offered)]
        fit = fit_of(found, names, self.tasks, self.networks)
        if fit is None:
            return formula
        place = {name.text: i for i, name in enumerate(fit.names)}
        kept = [place[t.text] for t in own if t.text in place]
        chosen_terms = _with_next(fit.x, fit.y, kept)
        try:
            return linear(fit, chosen_terms) if chosen_terms else formula
        except (ValueTypeError, InputError):  # a constant beyond the finite numbers; a sum too deep
            return formula


def terms(formula: Expression) -> list[Expression]:
    """What a formula adds up, without signs and constants, each once."""
    found: dict[str, Expression] = {}
    waiting = [formula.canonical]
    while waiting:
        node = waiting.pop()
        if node.name in ("add", "sub", "neg"):
            waiting += reversed(node.arguments)
        elif node.name == "mul" and any(a.value is not None for a in node.arguments):
            waiting += [a for a in node.arguments if a.value is None]
        elif node.statistics():
            found.setdefault(node.text, node)
    return list(found.values())


def _with_next(x: Tensor, y: Tensor, kept: list[int]) -> list[int]:
    """The columns kept and the one that lessens the squared error most beside them."""
    basis, _ = torch.linalg.qr(x[:, kept])
    left, residual = x - basis @ (basis.T @ x), y - basis @ (basis.T @ y)
    left[:, left.square().sum(0) < 1e-6 * len(x)] = 0  # already said
    return [*kept, *(i for i in chosen(left, residual, 1) if i not in kept)]
