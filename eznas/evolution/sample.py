"""The present sample of a search: the networks that formulas are compared on, and their results."""

import math
from collections.abc import Collection, Sequence

from eznas.benchmarks import Task
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.constants import tune
from eznas.evolution.fitness import WORST, FitnessResult, Reference, evaluate_fitness, fitness_of
from eznas.evolution.grammar import Individual, distinct
from eznas.evolution.state import short_digest
from eznas.evolution.sums import Sums
from eznas.formulas.expression import Expression, ValueTypeError
from eznas.formulas.terms import terms


class Sample:
    """Evaluates formulas on the first `networks` of each task's sample, each formula once.

    `results`: canonical text -> result, of formulas that are still in use; `seen`: digests of all
    canonical texts evaluated on this sample; `evaluations`: formulas evaluated, on all samples.
    `pairs`: of a feature and a network, that had to be evaluated; `sums` (None: there is none)
    fits weights on the present sample; `reference` (None: there is none): what the figures of
    formulas, correlations where there are sums, else taus, are rated by.
    """

    def __init__(self, table: FeatureTable, tasks: Sequence[Task]) -> None:
        self.table, self.tasks = table, tasks
        self.networks = 0
        self.evaluations = 0
        self.results: dict[str, FitnessResult] = {}
        self.seen: set[str] = set()
        self.sums: Sums | None = None
        self.reference: Reference | None = None
        self.pairs = 0

    def grow(self, networks: int) -> None:
        """Continue with more networks; results on fewer ones are forgotten."""
        self.networks = networks
        self.results, self.seen, self.sums, self.reference = {}, set(), None, None

    def is_new(self, individual: Individual) -> bool:
        """Whether no formula of the same canonical text was evaluated on this sample."""
        return short_digest(individual.text) not in self.seen

    def fill(self, formulas: Sequence[Expression]) -> None:
        """Evaluate the features of formulas on the present sample, where that was not done."""
        self.pairs += self.table.fill(formulas, self.networks)

    def evaluate(self, individuals: Sequence[Individual]) -> None:
        """Give individuals their fitness."""
        without_result = {i.text: i for i in individuals if i.text not in self.results}
        formulas = [i.expression for i in without_result.values()]
        self.fill(formulas)
        results = self.exact(formulas)
        self.results |= dict(zip(without_result, results, strict=True))
        self.seen.update(map(short_digest, without_result))
        self.evaluations += len(without_result)
        for individual in individuals:
            self.set_fitness(individual)

    def fitted(self, individuals: Sequence[Individual]) -> list[Individual]:
        """The same formulas with the weights of their terms fitted, and rated by that: the result
        has for each task a correlation in place of tau. One that cannot be fitted is rated as
        undefined. Features that are new are evaluated.
        """
        self.fill([i.expression for i in individuals])
        fitted = [self._fitted(individual) for individual in individuals]
        self.evaluations += len(fitted)
        self.seen.update(short_digest(individual.text) for individual in fitted)
        return fitted

    def _fitted(self, individual: Individual) -> Individual:
        assert self.sums is not None
        summands = terms(individual.expression)
        rows = [row for term in summands if (row := self.sums.row(term)) is not None]
        if rows and len(rows) == len(summands):
            fit = self.sums.fit(rows)
            try:
                formula = self.sums.formula(summands, fit.weights)
                fitted = Individual.of(formula, individual.origin)
            except (ValueTypeError, InputError):  # a weight is not finite; the sum is too deep
                pass
            else:
                by_task = fit.correlations.numpy()
                coverage = self.sums.coverage(formula)
                fitness = fitness_of(by_task, self.reference)
                result = FitnessResult(tuple(by_task.tolist()), fitness, "", coverage)
                # Terms in another order may give other last bits: the first result stands.
                self.results.setdefault(fitted.text, result)
                self.set_fitness(fitted)
                return fitted
        [exact] = self.exact([individual.expression])
        undefined = (math.nan,) * len(self.tasks)
        self.results[individual.text] = FitnessResult(
            undefined, WORST, exact.reason or "ties", exact.coverage
        )
        self.set_fitness(individual)
        return individual

    def exact(self, formulas: Sequence[Expression]) -> list[FitnessResult]:
        """What formulas are worth as they are, by tau."""
        reference = None if self.sums else self.reference  # which is of correlations beside sums
        return evaluate_fitness(formulas, self.table, self.tasks, self.networks, reference)

    def set_fitness(self, individual: Individual) -> None:
        """Give an individual, whose result is known, its fitness."""
        individual.fitness.values = (self.results[individual.text].fitness,)

    def tuned(self, individuals: Sequence[Individual]) -> list[Individual]:
        """Variants of individuals with other constants, where local search finds fitter ones; they
        have their fitness."""
        variants = []
        for individual in individuals:
            formula = individual.expression
            best, evaluated = tune(
                formula, self.table, self.tasks, self.networks, reference=self.reference
            )
            self.evaluations += evaluated
            if best is not formula:
                self.evaluations -= 1  # `evaluate` counts it
                variants.append(Individual.of(best, "tuned"))
        new = [variant for variant in distinct(variants) if self.is_new(variant)]
        self.evaluate(new)
        return new

    def keep_results(self, texts: Collection[str]) -> None:
        """Forget the results of all other canonical texts."""
        self.results = {text: r for text, r in self.results.items() if text in texts}
