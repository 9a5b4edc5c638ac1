"""The present sample of a search: the networks that formulas are compared on, and their results."""

from collections.abc import Collection, Sequence

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.constants import tune
from eznas.evolution.fitness import FitnessResult, evaluate_fitness
from eznas.evolution.grammar import Individual, distinct
from eznas.evolution.state import short_digest


class Sample:
    """Evaluates formulas on the first `networks` of each task's sample, each formula once.

    `results`: canonical text -> result, of formulas that are still in use; `seen`: digests of all
    canonical texts evaluated on this sample; `evaluations`: formulas evaluated, on all samples.
    """

    def __init__(self, table: FeatureTable, tasks: Sequence[Task]) -> None:
        self.table, self.tasks = table, tasks
        self.networks = 0
        self.evaluations = 0
        self.results: dict[str, FitnessResult] = {}
        self.seen: set[str] = set()

    def grow(self, networks: int) -> None:
        """Continue with more networks; results on fewer ones are forgotten."""
        self.networks = networks
        self.results, self.seen = {}, set()

    def is_new(self, individual: Individual) -> bool:
        """Whether no formula of the same canonical text was evaluated on this sample."""
        return short_digest(individual.text) not in self.seen

    def evaluate(self, individuals: Sequence[Individual]) -> int:
        """Give individuals their fitness.

        Returns how many pairs of a feature and a network had to be evaluated for it.
        """
        without_result = {i.text: i for i in individuals if i.text not in self.results}
        formulas = [i.expression for i in without_result.values()]
        feature_network_pairs = self.table.fill(formulas, self.networks)
        results = evaluate_fitness(formulas, self.table, self.tasks, self.networks)
        self.results |= dict(zip(without_result, results, strict=True))
        self.seen.update(map(short_digest, without_result))
        self.evaluations += len(without_result)
        for individual in individuals:
            self.set_fitness(individual)
        return feature_network_pairs

    def set_fitness(self, individual: Individual) -> None:
        """Give an individual, whose result is known, its fitness."""
        individual.fitness.values = (self.results[individual.text].fitness,)

    def tuned(self, individuals: Sequence[Individual]) -> list[Individual]:
        """Variants of individuals with other constants, where local search finds fitter ones; they
        have their fitness."""
        variants = []
        for individual in individuals:
            formula = individual.expression
            best, evaluated = tune(formula, self.table, self.tasks, self.networks)
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
