"""Breeding: the new formulas of a generation."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from eznas.evolution import randomness
from eznas.evolution.boosting import boosted_formulas
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import Grammar, Individual, grow
from eznas.evolution.moves import Moves
from eznas.evolution.references import tree_reference
from eznas.evolution.sample import Sample
from eznas.evolution.selection import select
from eznas.evolution.stepwise import StepwiseCandidates
from eznas.evolution.sums import Sums
from eznas.evolution.variation import crossover, is_within, mutate
from eznas.formulas.candidates import candidate_features
from eznas.formulas.definedness import everywhere
from eznas.formulas.expression import Expression
from eznas.formulas.terms import terms
from eznas.predictors.least_squares import greedy_formulas
from eznas.primitives import NET_SCALAR

Integers = npt.NDArray[np.int64]
SUMS_AT_FIRST = 0.5  # share of generation 0 that are sums of chosen terms, where weights are fitted
MERGED = 0.5  # of the crossovers, where weights are fitted
STALLED_RANDOM_SHARE = 0.4  # share of random formulas among the offspring once progress has stopped


class Breeder:
    """Makes formulas that were not evaluated on the present sample.

    `candidates`: short features of the grammar and those of the seeds, which greedy and stepwise
    least squares choose from, and which random terms are made of; `components`: of the networks,
    one array for each task, int64 [networks of its sample].
    """

    def __init__(
        self,
        grammar: Grammar,
        sample: Sample,
        config: EvolutionConfig,
        seeds: Sequence[Expression],
        components: Sequence[Integers],
    ) -> None:
        seed_features = [feature for seed in seeds for feature in seed.features()]
        features = candidate_features(grammar.statistics)
        if config.anywhere:
            features = everywhere(features)
        short_features = [feature for feature in features if grammar.computes(feature)]
        self.candidates = list(dict.fromkeys([*short_features, *seed_features]))
        self._listed = frozenset(self.candidates)
        self._grammar, self._sample, self._config = grammar, sample, config
        self._seeds = [Individual.of(seed, "seed") for seed in seeds]
        self._seed_features = {feature.text for feature in seed_features}
        self._primitives = grammar.primitives.union(*(seed.primitives() for seed in seeds))
        self._components = components
        self._moves: Moves | None = None
        self._stepwise_candidates: StepwiseCandidates | None = None

    @property
    def needs_candidates(self) -> bool:
        """Whether the candidates must be filled on every sample."""
        config = self._config
        return config.fit or config.alike or config.boost or config.stepwise > 0

    def score_candidates(self) -> None:
        """Read the candidates' values on the present sample from the table, where they have been
        filled: stepwise offspring, fitted sums and trees need them."""
        sample, config, networks = self._sample, self._config, self._sample.networks
        if config.stepwise and not config.fit:
            self._stepwise_candidates = StepwiseCandidates.of(
                self.candidates, sample.table, sample.tasks, networks
            )
        if config.alike:
            components = self._components_of_tasks
            sample.reference = tree_reference(
                *(self.candidates, sample.table, sample.tasks, components, networks),
                by_tau=not config.fit,
            )
        if config.fit:
            sample.sums = self._new_sums()
            self._moves = Moves(sample.sums, self._config, self._grammar, self.candidates)

    def evaluate(self, individuals: Sequence[Individual]) -> list[Individual]:
        """Give individuals their fitness; where weights are fitted, to the same formulas with their
        own weights, which are returned."""
        if self._config.fit:
            return self._sample.fitted(individuals)
        self._sample.evaluate(individuals)
        return list(individuals)

    def first_formulas(self) -> list[Individual]:
        """Generation 0: the seeds, greedy formulas, and random trees up to the population."""
        sample, config = self._sample, self._config
        individuals = list(self._seeds)
        if config.boost:
            sums = sample.sums or self._new_sums()
            boosted = boosted_formulas(sums, self.candidates, partial(is_within, config=config))
            individuals += [Individual.of(formula, "boosted") for formula in boosted]
        if config.fit:
            individuals += self._random_sums(round(SUMS_AT_FIRST * config.population))
        if config.greedy_terms:
            formulas = greedy_formulas(
                self.candidates, sample.table, sample.tasks, sample.networks, config.greedy_terms
            )
            greedy = [Individual.of(formula, "greedy") for formula in formulas]
            individuals += [individual for individual in greedy if self._is_sayable(individual)]
        return [*individuals, *self.random_trees(config.population - len(individuals))]

    @property
    def _components_of_tasks(self) -> Sequence[Integers]:
        tasks = self._sample.tasks
        return self._components or [np.arange(len(task.accuracies)) for task in tasks]

    def _new_sums(self) -> Sums:
        """Fits of the candidates on the present sample."""
        sample = self._sample
        return Sums(
            sample.table,
            sample.tasks,
            self._components_of_tasks,
            sample.networks,
            self.candidates,
            alike=self._config.alike,
        )

    def random_trees(self, count: int) -> list[Individual]:
        """`count` distinct random trees within the limits; fewer where the grammar is small."""
        trees: dict[str, Individual] = {}
        attempts = 0
        while len(trees) < count and attempts < 100 * count:
            attempts += 1
            depth = randomness.choice((3, 4, 5, 6, 7))
            tree = Individual(grow(self._grammar, NET_SCALAR, depth), "random")
            is_fine = self._is_sayable(tree) and self._sample.is_new(tree)
            if is_fine and (not self._config.features_are_listed or self._admits(tree)):
                trees.setdefault(tree.text, tree)
        return list(trees.values())

    def offspring(self, population: list[Individual], stale_generations: int) -> list[Individual]:
        """The new formulas of a generation, distinct: children of the population and random trees,
        with more random trees after `stale_generations` without progress.

        May return fewer than `config.offspring`.
        """
        config = self._config
        stalled = stale_generations >= config.fresh_blood_after
        random_share = STALLED_RANDOM_SHARE if stalled else config.fresh
        random_trees = self.random_trees(round(random_share * config.offspring))
        child_by_text = {tree.text: tree for tree in random_trees}
        attempts = 0
        while len(child_by_text) < config.offspring and attempts < 20 * config.offspring:
            attempts += 1
            child = self._child(population)
            if self._admits(child) and self._sample.is_new(child):
                child_by_text.setdefault(child.text, child)
        return list(child_by_text.values())

    def _child(self, population: list[Individual]) -> Individual:
        if randomness.happens(self._config.crossover):
            first, second = self._parents(population, 2)
            if self._moves and randomness.happens(MERGED):
                summands = self._moves.merged(terms(first.expression), terms(second.expression))
                return self._weighted(summands, "merge") or Individual(first, "merge")
            return crossover(first, second, self._grammar)
        if self._moves:
            if randomness.happens(self._config.exchange):
                [parent] = self._parents(population, 1)
                summands = self._moves.exchanged(terms(parent.expression))
                return self._weighted(summands, "exchange") or Individual(parent, "exchange")
        elif randomness.happens(self._config.stepwise):
            [parent] = self._parents(population, 1)
            assert self._stepwise_candidates is not None
            return Individual.of(self._stepwise_candidates.step(parent.expression), "stepwise")
        [parent] = self._parents(population, 1)
        return mutate(parent, self._grammar)

    def _random_sums(self, count: int) -> list[Individual]:
        """`count` sums of two to five terms, each the best of many random ones, at most."""
        assert self._moves is not None
        sums = []
        for _ in range(count):
            summands: list[Expression] = []
            for _ in range(randomness.choice((2, 3, 4, 5))):
                summands = self._moves.extended(summands)
            sums.append(self._weighted(summands, "exchange"))
        return [i for i in sums if i is not None and self._is_sayable(i)]

    def _weighted(self, summands: Sequence[Expression], origin: str) -> Individual | None:
        """The sum of terms with fitted weights; None where there is none within the limits."""
        assert self._sample.sums is not None
        assert self._moves is not None
        formula = self._sample.sums.fitted(summands)
        if formula is None or not self._moves.is_within(summands):
            return None
        return Individual.of(formula, origin)

    def _parents(self, population: list[Individual], count: int) -> list[Individual]:
        return select(population, count, self._config, self._sample.results)

    def _is_sayable(self, tree: Individual) -> bool:
        """Whether a tree is within the limits, with the weights that its terms will get, and has
        primitives of the grammar and seeds alone."""
        if self._moves and not self._moves.is_within(terms(tree.expression)):
            return False
        formula = tree.expression
        return is_within(formula, self._config) and formula.primitives() <= self._primitives

    def _admits(self, child: Individual) -> bool:
        """Whether a child can be said, has no new features where it must not, and names statistics
        beyond the grammar only in features that the seeds have: for any other, every network would
        be measured again."""
        if not self._is_sayable(child):
            return False
        features = [f for f in child.expression.features() if f.text not in self._seed_features]
        if self._config.features_are_listed and any(f not in self._listed for f in features):
            return False
        return all(s in self._grammar.statistics for f in features for s in f.statistics())
