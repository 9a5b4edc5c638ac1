"""How many formulas a search rates in a second, by each of its ways, on stored features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.loading import load as load_benchmark
from eznas.discovery import config as configuration
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.evaluation.evaluator import one_thread
from eznas.evolution import randomness
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import Grammar, Individual
from eznas.evolution.moves import Moves
from eznas.evolution.sample import Sample
from eznas.evolution.sums import Sums
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.studies.by_folds import search_part_table
from eznas.studies.records import networks_of
from eznas.studies.scoring_time import SPACE, timed
from eznas.system.arguments import checked, whole

Integers = npt.NDArray[np.int64]
NODES = 25  # of a formula, at most


@checked
def search_speed(
    networks: int = 900,
    *,
    formulas: int = 400,
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> list[dict[str, Any]]:
    """Formulas of up to 25 nodes that a search with default settings rates in a second, on one
    thread: a row for each way.

    All are rated on the first `networks` of the search part of NAS-Bench-201, all data sets; 900
    ship with their features, and what is not stored is measured before. The keys of a row: way
    ("offered": a random term beside those of a sum, by the variance that they explain together,
    draws included; "fitted": weights and the error of folds, from features to text; "ranked": tau
    on every data set, as of those that are kept), `per_second`, formulas (how many were rated),
    nodes (their mean; of the sums that offered terms join), networks and datasets.

    Raises `InputError` for an argument that cannot be used.
    """
    whole("networks", networks, 16)
    whole("formulas", formulas, 1)
    settings = configuration.read(settings={"evolution.max_nodes": NODES})
    evolution = settings.evolution
    sample_networks = networks_of(load_benchmark(SPACE), "search", networks)
    candidates = candidate_features(evolution.statistics)
    with one_thread():
        table = search_part_table(
            sample_networks, settings, candidates, records, workers, watcher or NoCallback()
        )
        sample = Sample(table, sample_networks.tasks())
        sample.grow(table.networks)
        components = [sample_networks.components] * len(sample.tasks)
        rated = _rated(sample, components, candidates, evolution, formulas)
    common = {"networks": table.networks, "datasets": len(sample.tasks)}
    return [row | common for row in rated]


def _rated(
    sample: Sample,
    components: Sequence[Integers],
    candidates: Sequence[Expression],
    evolution: EvolutionConfig,
    formulas: int,
) -> list[dict[str, Any]]:
    """The rows but for what is common to them."""

    def new_sums() -> Sums:  # which know no term
        return Sums(sample.table, sample.tasks, components, sample.networks, candidates)

    sample.sums = sums = new_sums()
    randomness.seed(evolution.seed)
    grammar = Grammar(evolution.statistics, candidates, evolution.primitives)
    moves = Moves(sums, evolution, grammar, candidates)
    sums_of_terms: list[list[Expression]] = []
    offering = timed(lambda: sums_of_terms.extend(_random_terms(moves) for _ in range(formulas)))
    fitted = [sums.fitted(summands) for summands in sums_of_terms]
    individuals = [Individual.of(formula, "exchange") for formula in fitted if formula]
    sample.sums = new_sums()
    fitting = timed(sample.fitted, individuals)
    ranking = timed(sample.exact, [individual.expression for individual in individuals])
    nodes = float(np.mean([individual.expression.size for individual in individuals]))
    return [
        {"way": way, "per_second": rated / seconds, "formulas": rated, "nodes": nodes}
        for way, rated, seconds in (
            ("offered", moves.valued, offering),
            ("fitted", len(individuals), fitting),
            ("ranked", len(individuals), ranking),
        )
    ]


def _random_terms(moves: Moves) -> list[Expression]:
    """The terms of a sum to which no other can be added."""
    summands = moves.extended([])
    while len(longer := moves.extended(summands)) > len(summands):
        summands = longer
    return summands
