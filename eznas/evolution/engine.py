"""The engine: a loop of ask, judge and select over typed trees."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from eznas.evaluation.feature_table import Measures, refill
from eznas.evolution import randomness
from eznas.evolution.archive import Archive, Entry
from eznas.evolution.constants import tune
from eznas.evolution.fitness import FitnessResult, Task, judge
from eznas.evolution.grammar import Grammar, Individual, grow, to_nodes
from eznas.evolution.selection import lexicase, tournament
from eznas.evolution.state import SavedFormula, State, short_digest
from eznas.evolution.stepwise import Dictionary
from eznas.evolution.variation import Limits, crossover, mutate
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.predictors.least_squares import pursue
from eznas.primitives import NET_SCALAR


@dataclass(frozen=True)
class Search:
    """How to search.

    `start` and `networks`: the sample of the first third of the generations and that of the rest
    (one step, because all workers share in measuring it). `stepwise`: how often a child that is no
    crossover gets its next term and all constants by least squares. `greedy`: pursuit formulas of
    up to so many terms join generation 0 (longer ones fill it with one idea, and what evolves from
    them generalises no better). `tuned`: how many of the best get a local search on their constants
    per generation. `unrest`: generations without progress before fresh blood comes in.
    `selection`: by fitness and size, or task by task.
    """

    generations: int = 20
    population: int = 150
    offspring: int = 160
    start: int = 160
    networks: int = 280
    crossover: float = 0.4
    stepwise: float = 0.3
    tournament: int = 4
    parsimony: float = 1.3
    elite: float = 0.1
    fresh: float = 0.05
    unrest: int = 4
    tuned: int = 2
    greedy: int = 4
    selection: str = "tournament"
    limits: Limits = field(default_factory=Limits)

    def sample(self, generation: int) -> int:
        """How many networks the formulas of a generation meet."""
        return self.networks if 3 * generation > self.generations else self.start


@dataclass(frozen=True)
class Generation:
    """What the journal keeps of one generation; nothing in it depends on the clock.

    `valid` and `reasons` speak of the formulas that were new in it, `origins` of the survivors,
    `failed` of networks that could not be measured.
    """

    generation: int
    networks: int
    best: Entry
    median: float
    valid: float
    evaluations: int
    measures: int
    pairs: int
    reasons: dict[str, int]
    origins: dict[str, int]
    disconnected: int
    failed: dict[str, int]


class Engine:
    """Evolves formulas on a sample; iterate over `run()` for one `Generation` at a time.

    `dead`: how many disconnected networks each further one of the sample brings, over all spaces.
    `words` are the short measures of the language and those of the seeds: what greedy least
    squares chooses from. `state` tells what it holds between generations, and `resume` goes on
    from there.
    """

    def __init__(
        self,
        language: Grammar,
        table: Measures,
        tasks: Sequence[Task],
        search: Search,
        seeds: Sequence[Expression],
        dead: Sequence[int] = (),
    ) -> None:
        self.archive = Archive()
        self.words = _words(language, seeds)
        self.evaluations = 0
        self._language, self._table, self._tasks = language, table, tasks
        self._search = search
        self._seeds = [Individual(to_nodes(s), "seed") for s in seeds]
        self._of_seeds = {m.text for s in seeds for m in s.features()}
        self._dead = dead
        self._population: list[Individual] = []
        self._judged: dict[str, FitnessResult] = {}  # of those at hand
        self._met: set[str] = set()  # digests of all that were judged on the present sample
        self._networks = 0
        self._dictionary: Dictionary | None = None
        self._next = 0
        self.stale = 0  # generations without progress

    def run(self, last: int | None = None) -> Iterator[Generation]:
        """The generations still to come, up to the `last` (by default the search's)."""
        last = self._search.generations if last is None else last
        while self._next <= last:
            report = self._step(self._next)
            self._next += 1
            yield report

    @property
    def generation(self) -> int:
        """The last generation that is done, -1 before the first."""
        return self._next - 1

    def state(self) -> State:
        """What the search holds between generations."""
        again = {e.canonical: e for e in self.archive.ranked()}
        return State(
            generation=self.generation,
            evaluations=self.evaluations,
            networks=self._networks,
            stale=self.stale,
            random=randomness.state(),
            population=tuple(
                SavedFormula.of(i.expression.text, i.origin, 0, self._judged[i.text])
                for i in self._population
            ),
            archive=tuple(
                SavedFormula.of(e.formula, e.origin, e.generation, self._judged[text])
                for text, e in again.items()
            ),
            met=tuple(sorted(self._met)),
            measures=self._table.filled(),
            refused=self._table.refused(),
        )

    def resume(self, state: State) -> None:
        """Go on from a state, with networks measured anew; `chance` is as it was then."""
        refill(self._table, state.measures, state.refused)
        self._networks, self.evaluations, self.stale = (
            state.networks,
            state.evaluations,
            state.stale,
        )
        self._met, self._next = set(state.met), state.generation + 1
        self._look_up()
        kept = [(k, Individual(to_nodes(parse(k.formula)), k.origin)) for k in state.population]
        past = [(k, Individual(to_nodes(parse(k.formula)), k.origin)) for k in state.archive]
        self._judged = {i.text: k.judgement() for k, i in [*kept, *past]}
        self._population = [i for _, i in kept]
        for individual in self._population:
            individual.fitness.values = (self._judged[individual.text].fitness,)
        self.archive.renew(self._entry(i, k.generation) for k, i in past)
        randomness.restore(state.random)

    def _step(self, generation: int) -> Generation:
        before = self.evaluations
        pairs = self._sample(generation)
        asked = self._first() if generation == 0 else self._offspring()
        pairs += self._tell(asked)
        pool = _distinct([*self._population, *asked])
        pool += self._tuned(pool)
        self._remember(pool, generation)
        self._population = self._survivors(pool)
        report = self._report(generation, asked, self.evaluations - before, pairs)
        at_hand = {i.text for i in self._population} | {e.canonical for e in self.archive.ranked()}
        self._judged = {text: j for text, j in self._judged.items() if text in at_hand}
        return report

    def _sample(self, generation: int) -> int:
        """Grow the sample and judge the survivors anew; returns what had to be measured."""
        networks = self._search.sample(generation)
        if networks == self._networks:
            return 0
        self._networks = networks
        self._judged, self._met = {}, set()
        kept = self.archive.ranked()
        again = [Individual(to_nodes(parse(e.formula)), e.origin) for e in kept]
        pairs = 0
        if self._search.stepwise or (self._search.greedy and not generation):
            pairs += self._table.fill(self.words, networks)  # one visit to every network
        self._look_up()
        pairs += self._tell([*self._population, *again])
        self.archive.renew(self._entry(i, e.generation) for i, e in zip(again, kept, strict=True))
        return pairs

    def _look_up(self) -> None:
        """The words on the present sample, for least squares."""
        if self._search.stepwise:
            self._dictionary = Dictionary.of(self.words, self._table, self._tasks, self._networks)

    def _tell(self, individuals: Sequence[Individual]) -> int:
        """Judge individuals on the present sample; equal canonical texts only once."""
        new = {i.text: i for i in individuals if i.text not in self._judged}
        formulas = [i.expression for i in new.values()]
        pairs = self._table.fill(formulas, self._networks)
        found = judge(formulas, self._table, self._tasks, self._networks)
        self._judged |= dict(zip(new, found, strict=True))
        self._met.update(map(short_digest, new))
        self.evaluations += len(new)
        for individual in individuals:
            individual.fitness.values = (self._judged[individual.text].fitness,)
        return pairs

    def _first(self) -> list[Individual]:
        """Seeds, greedy formulas, and random trees for the rest."""
        found = list(self._seeds)
        if self._search.greedy:
            fitted = pursue(
                self.words, self._table, self._tasks, self._networks, self._search.greedy
            )
            found += [Individual(to_nodes(f), "greedy") for f in fitted]
        return [*found, *self._fresh(self._search.population - len(found))]

    def _fresh(self, count: int) -> list[Individual]:
        """Random trees within the limits, none judged before; fewer where the language is small."""
        found: dict[str, Individual] = {}
        attempts = 0
        while len(found) < count and attempts < 100 * count:
            attempts += 1
            depth = randomness.choice((3, 4, 5, 6, 7))
            tree = Individual(grow(self._language, NET_SCALAR, depth), "random")
            if self._search.limits.admit(tree) and self._new(tree):
                found.setdefault(tree.text, tree)
        return list(found.values())

    def _offspring(self) -> list[Individual]:
        """New formulas by variation, and fresh ones, more of them when progress has stopped."""
        share = 0.4 if self.stale >= self._search.unrest else self._search.fresh
        fresh = self._fresh(round(share * self._search.offspring))
        found = {i.text: i for i in fresh}
        attempts = 0
        while len(found) < self._search.offspring and attempts < 20 * self._search.offspring:
            attempts += 1
            child = self._child()
            if self._admits(child) and self._new(child):
                found.setdefault(child.text, child)
        return list(found.values())

    def _new(self, individual: Individual) -> bool:
        return short_digest(individual.text) not in self._met

    def _admits(self, child: Individual) -> bool:
        """Whether a child is within the limits, and names what is beyond the language only in
        measures that the seeds have: any other would have every network measured anew."""
        if not self._search.limits.admit(child):
            return False
        measures = (m for m in child.expression.features() if m.text not in self._of_seeds)
        return all(s in self._language.statistics for m in measures for s in m.statistics())

    def _child(self) -> Individual:
        if randomness.happens(self._search.crossover):
            first, second = self._parents(2)
            return crossover(first, second, self._language)
        if randomness.happens(self._search.stepwise):
            return self._stepped(self._parents(1)[0])
        return mutate(self._parents(1)[0], self._language)

    def _stepped(self, parent: Individual) -> Individual:
        """A parent with its constants refitted and one more word, as least squares choose."""
        assert self._dictionary is not None
        return Individual(to_nodes(self._dictionary.step(parent.expression)), "stepwise")

    def _parents(self, count: int) -> list[Individual]:
        return self._selected(self._population, count)

    def _selected(self, individuals: list[Individual], count: int) -> list[Individual]:
        search = self._search
        if search.selection == "lexicase":
            return lexicase(individuals, [self._judged[i.text].taus for i in individuals], count)
        return tournament(individuals, count, search.tournament, search.parsimony)

    def _tuned(self, pool: list[Individual]) -> list[Individual]:
        """The best of the pool with their constants searched locally."""
        found = []
        for individual in _ranked(pool)[: self._search.tuned]:
            better, evaluated = tune(
                individual.expression, self._table, self._tasks, self._networks
            )
            self.evaluations += evaluated
            if better is not individual.expression:
                self.evaluations -= 1  # counted again when it is told
                found.append(Individual(to_nodes(better), "tuned"))
        found = [i for i in _distinct(found) if self._new(i)]
        self._tell(found)
        return found

    def _survivors(self, pool: list[Individual]) -> list[Individual]:
        """The elite, and the rest by selection among all without repetition."""
        ranked = _ranked(pool)
        elite = ranked[: round(self._search.elite * self._search.population)]
        rest = ranked[len(elite) :]
        kept = list(elite)
        while rest and len(kept) < self._search.population:
            [chosen] = self._selected(rest, 1)
            rest = [i for i in rest if i is not chosen]
            kept.append(chosen)
        return kept

    def _remember(self, pool: list[Individual], generation: int) -> None:
        before = self.archive.ranked()[:1]
        valid = [i for i in pool if not self._judged[i.text].reason]
        self.archive.update(self._entry(i, generation) for i in valid or pool[:1])
        best = self.archive.ranked()[0]
        self.stale = 0 if not before or best.fitness > before[0].fitness else self.stale + 1

    def _entry(self, individual: Individual, generation: int) -> Entry:
        judged = self._judged[individual.text]
        return Entry(
            individual.expression.text,
            individual.text,
            len(individual),
            judged.fitness,
            judged.taus,
            judged.coverage,
            self._networks,
            generation,
            individual.origin,
        )

    def _report(
        self, generation: int, asked: list[Individual], evaluations: int, pairs: int
    ) -> Generation:
        judged = [self._judged[i.text] for i in asked]
        reasons = Counter(j.reason for j in judged if j.reason)
        return Generation(
            generation,
            self._networks,
            self.archive.ranked()[0],
            median(i.fitness.values[0] for i in self._population),
            1 - sum(reasons.values()) / max(1, len(judged)),
            evaluations,
            len(self._table),
            pairs,
            dict(sorted(reasons.items())),
            dict(sorted(Counter(i.origin for i in self._population).items())),
            sum(self._dead[: self._networks]),
            dict(sorted(Counter(self._table.failed(self._networks)).items())),
        )


def _words(language: Grammar, seeds: Sequence[Expression]) -> list[Expression]:
    short = candidate_features(language.statistics)
    return list(dict.fromkeys([*short, *(m for seed in seeds for m in seed.features())]))


def _distinct(individuals: Sequence[Individual]) -> list[Individual]:
    found: dict[str, Individual] = {}
    for individual in individuals:
        found.setdefault(individual.text, individual)
    return list(found.values())


def _ranked(individuals: Sequence[Individual]) -> list[Individual]:
    return sorted(individuals, key=lambda i: (-i.fitness.values[0], len(i), i.text))
