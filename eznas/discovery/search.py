"""A search and the choice of its champion, in memory: no file is written, no signal handled."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Task
from eznas.discovery.callbacks import Callback
from eznas.discovery.records import stores_for
from eznas.discovery.setup import Setup
from eznas.discovery.termination import Termination
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.network_scores import ShardEvaluation, shard_size
from eznas.evaluation.stored_workers import Measuring, started
from eznas.evolution import randomness
from eznas.evolution.engine import Engine
from eznas.evolution.fitness import Reference, evaluate_fitness
from eznas.evolution.generation import Generation
from eznas.evolution.grammar import Grammar
from eznas.evolution.pairwise import refined
from eznas.evolution.references import tree_reference
from eznas.evolution.simplest import REPLICATES, fitness_replicates, simplest_within_error
from eznas.evolution.state import State
from eznas.evolution.variation import is_within
from eznas.formulas.candidates import candidate_features
from eznas.formulas.definedness import everywhere
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.metrics import bootstrap_weights
from eznas.predictors.least_squares import greedy_yardsticks

Integers = npt.NDArray[np.int64]
# the engine after a generation, its report, seconds of search so far
OnGeneration = Callable[[Engine, Generation, float], None]


@dataclass(frozen=True)
class SearchResult:
    """What a search ends with: the champion, the best formula of greedy least squares (None: there
    is none), what `stopped` it before its last generation ("": nothing), how many formulas were
    evaluated, and the last `generation`."""

    champion: Expression
    greedy: Expression | None
    stopped: str
    evaluations: int
    generation: int = 0


def search_formulas(
    setup: Setup,
    workers: int,
    callback: Callback,
    termination: Termination,
    state: State | None = None,
    on_generation: OnGeneration | None = None,
) -> SearchResult:
    """Search from a state, or from the start, and choose the champion.

    The global random state is restored in the end. `InputError` where a worker dies again and
    again; what a callback or `on_generation` raises ends the search.
    """
    evolution = setup.config.evolution
    random_state = randomness.state()
    count = sum(len(sample.architectures) for sample in setup.samples)
    make_evaluator = partial(
        Evaluator, setup.contexts, evolution.statistics, budget=setup.budget, lenient=True
    )
    team = started(
        make_evaluator,
        workers,
        setup.contexts,
        stores_for(setup.contexts, setup.records),
        Measuring(f"measuring {count} networks to search on", count, callback),
        lenient=True,
        listed=setup.listed,
    )
    try:
        with one_thread():
            table = search_table(setup, team)
            return evolved(setup, table, callback, termination, state, on_generation)
    finally:
        randomness.restore(random_state)
        team.close()  # its memory, before the held-out networks are measured


def evolved(
    setup: Setup,
    table: FeatureTable,
    callback: Callback,
    termination: Termination,
    state: State | None = None,
    on_generation: OnGeneration | None = None,
) -> SearchResult:
    """A search on the networks of a table, whose order is that of the samples; it leaves the global
    random state as its own."""
    tasks = tasks_of(setup)
    engine = _engine(setup, table, tasks)
    if state is not None:
        engine.resume(state)
    stopped = _run_generations(engine, callback, termination, on_generation)
    champion, greedy = _champion(engine, table, tasks, setup)
    return SearchResult(champion, greedy, stopped, engine.evaluations, engine.generation)


def _run_generations(
    engine: Engine,
    callback: Callback,
    termination: Termination,
    on_generation: OnGeneration | None,
) -> str:
    """Run the engine; returns what stopped it before its last generation, "" for nothing."""
    start_time = time.monotonic()
    stopped = termination.reached(engine, 0.0) if engine.generation >= 0 else ""
    reports = engine.run(termination.last) if not stopped else ()
    for done, report in enumerate(reports, 1):
        seconds = time.monotonic() - start_time
        if on_generation is not None:
            on_generation(engine, report, seconds)
        callback.generation(report, seconds, termination.seconds_left(report, seconds, done))
        stopped = termination.reached(engine, seconds)
        if stopped:
            break
    return stopped


def search_table(setup: Setup, team: ShardEvaluation) -> FeatureTable:
    """An empty table for the networks of all samples, each in all its contexts."""
    architectures = [context.architectures for context in setup.contexts]
    return FeatureTable(architectures, team.evaluate, shard_size(setup.samples))


def tasks_of(setup: Setup) -> list[Task]:
    """The tasks of all samples; their contexts are indices into `Setup.contexts`."""
    tasks, first_context = list[Task](), 0
    for sample in setup.samples:
        tasks += sample.tasks(first_context)
        first_context += len(sample.input_formats())
    return tasks


def _engine(setup: Setup, table: FeatureTable, tasks: list[Task]) -> Engine:
    """A new engine, with the random state seeded."""
    evolution, samples = setup.config.evolution, setup.samples
    randomness.seed(evolution.seed)
    known = candidate_features(evolution.statistics)
    if evolution.anywhere:
        known = everywhere(known)
    grammar = Grammar(evolution.statistics, known, evolution.primitives)
    spaces = [sample.search_space for sample in samples]
    disconnected = [  # how many of the i-th networks of all samples, for each i
        sum(a is not None and not s.connected(a) for s, a in zip(spaces, networks, strict=True))
        for networks in zip_longest(*(sample.architectures for sample in samples))
    ]
    seeds, components = setup.seeds, _components_of(setup)
    return Engine(grammar, table, tasks, evolution, seeds, disconnected, components)


def _components_of(setup: Setup) -> list[Integers]:
    """The components of the networks of each task."""
    return [sample.components for sample in setup.samples for _ in sample.datasets]


def _champion(
    engine: Engine, table: FeatureTable, tasks: list[Task], setup: Setup
) -> tuple[Expression, Expression | None]:
    """The fittest formula of the archive, with its weights refined where that makes it fitter, and
    that of greedy least squares (None: there is none), both chosen on the networks of the search
    and on more that took no part in it."""
    evolution = setup.config.evolution
    networks = evolution.networks
    archived = [parse(entry.formula) for entry in engine.shipped()]
    table.fill(engine.candidates, networks)
    greedy = greedy_yardsticks(engine.candidates, table, tasks, networks)
    reference = None
    if evolution.alike:
        components = _components_of(setup)
        reference = tree_reference(
            engine.candidates, table, tasks, components, networks, by_tau=True
        )
    networks += evolution.champion_networks
    if setup.is_small:
        champion = _simplest(archived, table, tasks, networks, evolution.size_of)
    else:
        champion = _fittest(archived, table, tasks, networks, reference)
        if evolution.refine:
            other = refined(champion, table, tasks, networks)
            if is_within(other, evolution):  # weights that were 1 are further constants
                champion = _fittest([champion, other], table, tasks, networks, reference)
    return champion, _fittest(greedy, table, tasks, networks, reference) if greedy else None


def _fittest(
    formulas: Sequence[Expression],
    table: FeatureTable,
    tasks: list[Task],
    networks: int,
    reference: Reference | None,
) -> Expression:
    """The formula with the highest fitness, rated by a reference, on the first `networks`."""
    table.fill(formulas, networks)
    results = evaluate_fitness(formulas, table, tasks, networks, reference)
    return max(zip(formulas, results, strict=True), key=lambda pair: pair[1].fitness)[0]


def _simplest(
    formulas: Sequence[Expression],
    table: FeatureTable,
    tasks: list[Task],
    networks: int,
    size_of: Callable[[Expression], int],
) -> Expression:
    """The smallest formula whose fitness is within a standard error of the highest: of few networks
    the fittest formula is a lucky one."""
    table.fill(formulas, networks)
    undefined = np.full(networks, np.nan)  # a formula that names no statistic
    scores = []
    for task in tasks:
        rows = [table.scores(formula, task.context, networks).values for formula in formulas]
        scores.append(np.stack([row if row.size else undefined for row in rows]))
    accuracies = [task.accuracies[:networks] for task in tasks]
    weights = [bootstrap_weights(np.arange(networks), REPLICATES)] * len(tasks)
    figures = fitness_replicates(scores, accuracies, weights)
    return formulas[simplest_within_error(*figures, [*map(size_of, formulas)])[0]]
