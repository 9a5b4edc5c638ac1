"""On which networks short features are defined: the table that ships with the package, remade."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import without_accuracies
from eznas.benchmarks.own_models import unlabelled
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config
from eznas.discovery.setup import contexts_for
from eznas.errors import unknown
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.network_scores import network_scores
from eznas.evaluation.workers import start
from eznas.formulas.candidates import candidate_features
from eznas.formulas.definedness import Definedness
from eznas.formulas.expression import Expression
from eznas.spaces import SPACES
from eznas.studies.records import usual_formulas
from eznas.studies.small_models import SMALL_MODELS
from eznas.system.arguments import checked

OF_A_SPACE = 2  # networks
_DRAWN = 50  # networks of a space, of which the first with a path from input to output are taken


@checked
def definedness(
    names: Sequence[str] = (), *, workers: int = 1, watcher: Callback | None = None
) -> Definedness:
    """On which networks the usual features (all short ones of the default statistics, and those of
    seeds and baselines) have a finite score, measured as a search measures.

    `names`: small models and spaces, of each of which two networks are drawn (none: all of both,
    which takes some minutes). Raises `InputError` for an unknown name.
    """
    everything = [*SMALL_MODELS, *SPACES]
    for name in names:
        if name not in everything:
            raise unknown("model or space", name, everything)
    config = Config()
    parts = [f.canonical for formula in usual_formulas(config) for f in formula.features()]
    short = candidate_features(config.evolution.statistics)  # some are logs of features
    features = list(dict.fromkeys([*short, *parts]))
    networks: dict[str, str] = {}
    undefined_on: dict[str, list[str]] = {feature.text: [] for feature in features}
    for name in names or everything:
        benchmark = _networks_of(name)
        labels = _labels(name, benchmark)
        networks |= labels
        scores = _scores(features, benchmark, config, name, workers, watcher or NoCallback())
        for feature, of_networks in zip(features, scores, strict=True):
            finite = np.isfinite(of_networks).tolist()
            undefined_on[feature.text] += [
                label for label, ok in zip(labels, finite, strict=True) if not ok
            ]
    return Definedness(networks, {text: tuple(names) for text, names in undefined_on.items()})


def _networks_of(name: str) -> Benchmark:
    """A small model, or two networks of a space that have a path from input to output."""
    if name in SMALL_MODELS:
        make, size = SMALL_MODELS[name]
        return unlabelled([make], size, "kaiming")
    space = SPACES[name]
    connected = [a for a in space.sample(min(_DRAWN, space.combinations)) if space.connected(a)]
    return without_accuracies(name, connected[:OF_A_SPACE], space.datasets[:1])


def _labels(name: str, benchmark: Benchmark) -> Mapping[str, str]:
    """The name of each network -> its architecture."""
    if name in SMALL_MODELS:
        return {name: ""}
    return {f"{name}-{i}": a for i, a in enumerate(benchmark.architectures, 1)}


def _scores(
    features: Sequence[Expression],
    benchmark: Benchmark,
    config: Config,
    name: str,
    workers: int,
    callback: Callback,
) -> npt.NDArray[np.float64]:
    """The scores of features on the networks of a benchmark: [features, networks]."""
    contexts, count = contexts_for(benchmark, config), len(benchmark.architectures)
    team = start(
        partial(Evaluator, contexts, keep=False, lenient=True),
        min(workers, count),
        lenient=True,
        progress=callback.phase(f"measuring {name}", count),
    )
    try:
        with one_thread():
            [scores] = network_scores(benchmark, features, team).values()
    finally:
        team.close()
    return scores
