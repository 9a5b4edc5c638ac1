"""The engine: a loop of breeding, evaluation and selection over typed trees."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution import randomness
from eznas.evolution.archive import Archive, Entry
from eznas.evolution.breeding import Breeder
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.constants import with_digits_that_matter
from eznas.evolution.generation import Generation
from eznas.evolution.grammar import Grammar, Individual, distinct
from eznas.evolution.sample import Sample
from eznas.evolution.selection import fittest_first, survivors
from eznas.evolution.state import SavedFormula, State
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse

Integers = npt.NDArray[np.int64]


class Engine:
    """Evolves formulas on a sample that grows; iterate over `run()` for one `Generation` at a time.

    `table` gives the features of the networks, `tasks` their accuracies; `seeds` join generation 0.
    `disconnected`: for each position of the sample, how many of the networks there (one for each
    space that has so many) have no path from input to output; it is only counted. `components`:
    of the networks, an array for each task (none: each network is one), which folds keep whole.
    `stale`: generations without progress so far. `state` returns what a search holds between
    generations, and `resume` goes on from there.
    """

    def __init__(
        self,
        grammar: Grammar,
        table: FeatureTable,
        tasks: Sequence[Task],
        config: EvolutionConfig,
        seeds: Sequence[Expression],
        disconnected: Sequence[int] = (),
        components: Sequence[Integers] = (),
    ) -> None:
        self.archive = Archive()
        self.stale = 0
        self._config = config
        self._sample = Sample(table, tasks)
        self._breeder = Breeder(grammar, self._sample, config, seeds, components)
        self._disconnected = disconnected
        self._population: list[Individual] = []
        self._next_generation = 0
        self._shortened: dict[tuple[str, int], Expression] = {}  # formula, networks -> shipped

    @property
    def candidates(self) -> list[Expression]:
        """Short features of the grammar and those of the seeds: what greedy least squares chooses
        from."""
        return self._breeder.candidates

    @property
    def evaluations(self) -> int:
        """How many formulas have been evaluated so far."""
        return self._sample.evaluations

    @property
    def generation(self) -> int:
        """The last generation that is done, -1 before the first."""
        return self._next_generation - 1

    def shipped(self) -> list[Entry]:
        """The entries of the archive, fittest first, with constants of as few digits as rank the
        present sample alike; of formulas that are equal then, the first."""
        known, sample = self._shortened, self._sample
        self._shortened = {}
        shipped: dict[str, Entry] = {}
        for entry in self.archive.ranked():
            key = entry.formula, sample.networks
            formula = known.get(key) or with_digits_that_matter(
                parse(entry.formula), sample.table, sample.tasks, sample.networks
            )
            self._shortened[key] = formula
            canonical = formula.canonical.text
            size = self._config.size_of(formula)
            named = replace(entry, formula=formula.text, canonical=canonical, size=size)
            shipped.setdefault(canonical, named)
        return list(shipped.values())

    def run(self, last: int | None = None) -> Iterator[Generation]:
        """Do the generations still to come, up to `last` (by default that of the config), and
        report on each."""
        last = self._config.generations if last is None else last
        while self._next_generation <= last:
            report = self._step(self._next_generation)
            self._next_generation += 1
            yield report

    def state(self) -> State:
        """What the search holds between generations; after generation 0 at the earliest."""
        sample, results = self._sample, self._sample.results
        return State(
            generation=self.generation,
            evaluations=sample.evaluations,
            networks=sample.networks,
            stale=self.stale,
            random=randomness.state(),
            population=tuple(
                SavedFormula.of(i.expression.text, i.origin, 0, results[i.text])
                for i in self._population
            ),
            archive=tuple(
                SavedFormula.of(e.formula, e.origin, e.generation, results[e.canonical])
                for e in self.archive.ranked()
            ),
            seen=tuple(sorted(sample.seen)),
            features=sample.table.filled(),
            unusable=sample.table.unusable(),
        )

    def resume(self, state: State) -> None:
        """Continue from a state, as an engine that has done nothing yet: the table is filled again,
        and random draws continue as they were then."""
        sample = self._sample
        sample.table.refill(state.features, state.unusable)
        sample.networks, sample.evaluations = state.networks, state.evaluations
        sample.seen = set(state.seen)
        self.stale, self._next_generation = state.stale, state.generation + 1
        self._breeder.score_candidates()
        saved = [*state.population, *state.archive]
        individuals = [Individual.of(parse(s.formula), s.origin) for s in saved]
        sample.results = {i.text: s.result() for i, s in zip(individuals, saved, strict=True)}
        self._population = individuals[: len(state.population)]
        for individual in self._population:
            sample.set_fitness(individual)
        archived = zip(individuals[len(state.population) :], state.archive, strict=True)
        self.archive.renew(self._entry(i, s.generation) for i, s in archived)
        if self._config.fit:
            self.archive.complete(self._with_taus)
        randomness.restore(state.random)

    def _step(self, generation: int) -> Generation:
        sample = self._sample
        evaluations_before, pairs_before = sample.evaluations, sample.pairs
        self._grow_sample(generation)
        new = (
            self._breeder.offspring(self._population, self.stale)
            if generation
            else self._breeder.first_formulas()
        )
        new = distinct(self._breeder.evaluate(new))
        pool = distinct([*self._population, *new])
        if not self._config.fit:
            pool += sample.tuned(fittest_first(pool, self._config)[: self._config.tuned])
        self._update_archive(pool, generation)
        self._population = survivors(pool, self._config, sample.results)
        report = self._report(
            generation,
            new,
            sample.evaluations - evaluations_before,
            sample.pairs - pairs_before,
        )
        sample.keep_results(
            {i.text for i in self._population} | {e.canonical for e in self.archive.ranked()}
        )
        return report

    def _grow_sample(self, generation: int) -> None:
        """Where the sample grows, evaluate population and archive again on the larger one."""
        sample, config = self._sample, self._config
        networks = config.sample_size(generation)
        if networks == sample.networks:
            return
        sample.grow(networks)
        entries = self.archive.ranked()
        archived = [Individual.of(parse(e.formula), e.origin) for e in entries]
        if self._breeder.needs_candidates or (config.greedy_terms and not generation):
            sample.fill(self.candidates)  # one visit to every network
        self._breeder.score_candidates()
        count = len(self._population)
        evaluated = self._breeder.evaluate([*self._population, *archived])
        self._population = evaluated[:count]
        self.archive.renew(
            self._entry(i, e.generation) for i, e in zip(evaluated[count:], entries, strict=True)
        )

    def _update_archive(self, pool: list[Individual], generation: int) -> None:
        best_before = self.archive.ranked()[:1]
        defined = [i for i in pool if not self._sample.results[i.text].reason]
        self.archive.update(self._entry(i, generation) for i in defined or pool[:1])
        if self._config.fit:
            self.archive.complete(self._with_taus)
        best = self.archive.ranked()[0]
        progress = not best_before or best.fitness > best_before[0].fitness
        self.stale = 0 if progress else self.stale + 1

    def _with_taus(self, entries: list[Entry]) -> list[Entry]:
        """Entries with the tau of each task, which the fitness of fitted sums is not made of."""
        results = self._sample.exact([parse(entry.formula) for entry in entries])
        return [replace(e, taus=r.taus) for e, r in zip(entries, results, strict=True)]

    def _entry(self, individual: Individual, generation: int) -> Entry:
        result = self._sample.results[individual.text]
        return Entry(
            formula=individual.expression.text,
            canonical=individual.text,
            size=self._config.size_of(individual.expression),
            fitness=result.fitness,
            taus=() if self._config.fit else result.taus,
            coverage=result.coverage,
            networks=self._sample.networks,
            generation=generation,
            origin=individual.origin,
        )

    def _report(
        self, generation: int, new: list[Individual], evaluations: int, pairs: int
    ) -> Generation:
        sample = self._sample
        reasons = Counter(r for i in new if (r := sample.results[i.text].reason))
        return Generation(
            generation=generation,
            networks=sample.networks,
            best=self.archive.ranked()[0],
            median=median(i.fitness.values[0] for i in self._population),
            valid=1 - reasons.total() / max(1, len(new)),
            evaluations=evaluations,
            features=len(sample.table),
            pairs=pairs,
            reasons=_sorted(reasons),
            origins=_sorted(Counter(i.origin for i in self._population)),
            disconnected=sum(self._disconnected[: sample.networks]),
            failed=_sorted(Counter(sample.table.failed(sample.networks))),
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
