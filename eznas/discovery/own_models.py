"""Evidence where networks are few and all of them are searched on: a user's own models.

Nothing is held out. The whole search is repeated on all folds but one, and its champion is tested
on that one (cross-validation; Stone, 1974).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config
from eznas.discovery.evidence import Evidence, figures
from eznas.discovery.search import SearchResult, evolved, search_table, tasks_of
from eznas.discovery.setup import BASELINES, Setup, baselines
from eznas.discovery.termination import termination_of
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.feature_table import FeatureTable, Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.network_scores import reasons_undefined, table_scores
from eznas.evaluation.workers import start
from eznas.evolution import randomness
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.metrics import Row

Array = npt.NDArray[np.float64]
OF_FOLD = "the formula of its fold has no score there"
FOLDS = 5
TOO_FEW = "too few networks"  # what stopped a search before it began
CROSS_VALIDATED = f"{FOLDS}-fold cross-validation"  # the set of the rows


def recommend(setup: Setup, workers: int, callback: Callback) -> tuple[str, SearchResult, Evidence]:
    """For fewer than `FEWEST` networks: the published proxy that ranks them best (of equals the
    smallest formula), the result of a search that had nothing else to choose from, and the
    correlations of all that were compared.

    It was chosen on the networks that it is compared on. `InputError` where a worker dies again
    and again.
    """
    formulas = baselines()
    with _measured(setup, workers, callback) as table:
        scores = table_scores(list(formulas.values()), table, tasks_of(setup))
    rows, _ = _figures(setup, table, formulas, scores, list(formulas), "all")
    best = highest(rows, sorted(formulas, key=lambda name: formulas[name].size))
    return best, SearchResult(formulas[best], None, TOO_FEW, len(formulas)), (rows, [])


def cross_validate(
    setup: Setup, search: SearchResult, workers: int, callback: Callback
) -> Evidence:
    """The correlations of what searches find on all folds but one, tested on that one, and of
    baselines, which nothing is fitted for; and the differences between the former and each of the
    others. The formulas of different folds are compared by the share of the networks searched on
    that a network's score exceeds.

    They go as far as the `search` whose champion they stand for. The global random state is
    restored in the end. `InputError` where a worker dies again and again.
    """
    formulas = baselines()
    random_state = randomness.state()
    try:
        with _measured(setup, workers, callback) as table:
            champion, greedy = _out_of_fold(setup, search.generation, table, callback)
            scores = table_scores(list(formulas.values()), table, tasks_of(setup))
    finally:
        randomness.restore(random_state)
    names = ["champion", *formulas, "greedy"]
    scores = {d: np.vstack([champion, values, greedy]) for d, values in scores.items()}
    return _figures(setup, table, formulas, scores, names, CROSS_VALIDATED)


def mean_tau(rows: Sequence[Row], proxy: str) -> float:
    """The mean tau of a proxy over the data sets of some rows; undefined counts as -1."""
    taus = [row["tau"] for row in rows if row["proxy"] == proxy]
    return float(np.mean([-1.0 if tau is None else tau for tau in taus]))


def highest(rows: Sequence[Row], names: Sequence[str]) -> str:
    """The one of some proxies whose mean tau over the data sets of the rows is highest, the first
    of equals."""
    return max(names, key=lambda name: mean_tau(rows, name))


def not_ahead_of(rows: Sequence[Row]) -> str:
    """The published proxy that ranks a user's own models at least as well as cross-validated
    champions do, the best of them; "" where there is none."""
    best = highest(rows, [*BASELINES, "champion"])
    return "" if best == "champion" else best


def folds(count: int, seed: int) -> list[npt.NDArray[np.int64]]:
    """The indices of `count` networks in `FOLDS` parts of almost equal size, drawn from a seed:
    int64 [networks of the part] each."""
    order = np.random.default_rng(seed).permutation(count)
    return [np.sort(order[start::FOLDS]) for start in range(FOLDS)]


def shares_exceeded(scores: Array, searched: Array) -> Array:
    """The share of the scores `searched` [networks searched on] that each of `scores` [networks]
    exceeds, interpolated: comparable between formulas. NaN where a score is undefined.

    Beyond the range of `searched` it goes on to 0 and 1, which are reached a whole range further.
    """
    finite = np.sort(searched[np.isfinite(searched)])
    if not finite.size:
        return np.full(len(scores), np.nan)
    span = finite[-1] - finite[0]
    positions = (np.arange(finite.size) + 0.5) / finite.size
    knots = np.concatenate([[finite[0] - span], finite, [finite[-1] + span]])
    shares = np.interp(scores, knots, np.concatenate([[0.0], positions, [1.0]]))
    return np.where(np.isnan(scores), np.nan, shares)


def _out_of_fold(
    setup: Setup, last: int, table: FeatureTable, callback: Callback
) -> tuple[Array, Array]:
    """What searches without a network, up to generation `last`, give it, by champion and by greedy
    formula: [networks] each."""
    [benchmark] = setup.samples
    count = len(benchmark.architectures)
    champion, greedy = np.full(count, np.nan), np.full(count, np.nan)
    for number, tested in enumerate(folds(count, setup.config.evolution.seed), 1):
        callback.phase(f"fold {number} of {FOLDS}: a search without {len(tested)} networks", count)
        searched = np.setdiff1d(np.arange(count), tested)
        order = np.concatenate([searched, tested])
        sample = benchmark.subset(order, "fold")
        config = _config_of_fold(setup, len(searched))
        fold = replace(setup, samples=[sample], config=config)
        fold_table = FeatureTable([sample.architectures], partial(_looked_up, table), shard=1)
        limits = termination_of(config.evolution.generations, config.termination, None, last)
        result = evolved(fold, fold_table, NoCallback(), limits)
        for values, formula in ((champion, result.champion), (greedy, result.greedy)):
            if formula is not None:
                fold_table.fill([formula], count)
                scores = fold_table.scores(formula, 0, count).values
                values[tested] = shares_exceeded(scores[len(searched) :], scores[: len(searched)])
    return champion, greedy


def _config_of_fold(setup: Setup, networks: int) -> Config:
    """The configuration of a search on so many networks."""
    evolution = setup.config.evolution
    return setup.config.model_copy(
        update={
            "evolution": evolution.model_copy(
                update={"networks": networks, "first_networks": networks}
            )
        }
    )


def _looked_up(
    table: FeatureTable, shards: Sequence[Shard], features: Sequence[str]
) -> list[FeatureValues]:
    """What a table holds of features on networks, [features, networks of the shard] each; what it
    lacks is measured on all its networks."""
    table.fill([parse(feature) for feature in features], table.networks)
    rows = FeatureValues.below([table.row(feature, 0) for feature in features])
    columns = iter(table.indices(a for shard in shards for a in shard.architectures))
    return [rows.columns([next(columns) for _ in shard.architectures]) for shard in shards]


@contextmanager
def _measured(setup: Setup, workers: int, callback: Callback) -> Iterator[FeatureTable]:
    """A table of the networks, on one thread; the workers end with the context."""
    count = len(setup.samples[0].architectures)
    progress = callback.phase(f"testing on {count} networks", count)
    make_evaluator = partial(
        Evaluator,
        setup.contexts,
        setup.config.evolution.statistics,
        budget=setup.budget,
        lenient=True,
    )
    team = start(make_evaluator, workers, lenient=True, progress=progress)
    try:
        with one_thread():
            yield search_table(setup, team)
    finally:
        team.close()


def _figures(
    setup: Setup,
    table: FeatureTable,
    formulas: Mapping[str, Expression],
    scores: dict[str, Array],
    names: list[str],
    set_name: str,
) -> Evidence:
    """Correlations, and the differences between the champion and each of the others where it is
    the first; of all data sets. `formulas`: those of `names` that are the same on every fold."""
    [benchmark] = setup.samples
    context_of = {task.dataset: task.context for task in tasks_of(setup)}

    def why(name: str, dataset: str, networks: tuple[int, ...]) -> dict[str, list[str]]:
        names_of_networks = benchmark.architectures
        if name not in formulas:
            return {OF_FOLD: [names_of_networks[network] for network in networks]}
        context = context_of[dataset]
        return reasons_undefined(formulas[name], table, context, names_of_networks, networks)

    return figures(scores, names, benchmark, setup.config, set_name, why)
