"""A weighted sum of two proxies, for every weight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.metrics import kendall, undefined_scores
from eznas.proxies.loading import load
from eznas.proxies.measured import Scored, ScoringSettings, score_all
from eznas.report import plots
from eznas.system.arguments import checked
from eznas.system.files import plain

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Combination:
    """Tau of a weighted sum of two proxies, for each weight of the first.

    `first` and `second` are the proxies' names; `tau`: data set -> [weights], None where tau is
    undefined; `undefined`: data set -> number of networks that one of the two has no score on,
    where there are any: tau is over the others.
    """

    first: str
    second: str
    weights: list[float]
    tau: dict[str, list[float | None]]
    undefined: dict[str, int]

    def plot(self, file: str) -> list[str]:
        """Draw tau against the weight into a PNG file, and return its name in a list. Raises
        `InputError` where it cannot be written."""
        curves = {dataset: np.array(taus, np.float64) for dataset, taus in self.tau.items()}
        x = f"weight of {self.first} (the rest: {self.second}), each over its largest score"
        plots.line_plot(Path(file), self.weights, curves, x, "Kendall's tau")
        return [file]


@checked
def combine(
    first: str,
    second: str,
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    networks: int | None = AtMost(1000),
    set_name: str = "all",
    seed: int = 0,
    steps: int = 20,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> Combination:
    """Tau of w times one proxy plus 1 - w times another, each divided by its largest finite score,
    for w from 0 to 1 in `steps` steps.

    The other arguments are those of `correlate`, and so are the reasons for an `InputError`.
    """
    loaded = [load(first), load(second)]
    benchmark = named_set(load_benchmark(space, datasets), set_name, networks, seed)
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    scored = score_all(loaded, benchmark, settings, watcher or NoCallback())
    weights = [i / steps for i in range(steps + 1)]
    missing: dict[str, npt.NDArray[np.bool_]] = {
        dataset: np.logical_or.reduce(undefined_scores(means))
        for dataset, means in scored.means().items()
    }
    counts = {dataset: int(mask.sum()) for dataset, mask in missing.items() if mask.any()}
    taus = _taus(scored, weights, missing)
    return Combination(loaded[0].name, loaded[1].name, weights, taus, counts)


def _taus(
    scored: Scored, weights: Sequence[float], missing: Mapping[str, npt.NDArray[np.bool_]]
) -> dict[str, list[float | None]]:
    """For each data set the tau of the weighted sums, one for each weight of the first proxy, over
    the networks that are not `missing` [networks]; None where undefined."""
    taus = {}
    for dataset, means in scored.means().items():
        defined = ~missing[dataset]
        first, second = _scaled(means[0, defined]), _scaled(means[1, defined])
        accuracies = scored.benchmark.accuracies[dataset][defined]
        taus[dataset] = [plain(kendall(_weighted(w, first, second), accuracies)) for w in weights]
    return taus


def _scaled(scores: Array) -> Array:
    """Scores [networks], divided by the largest finite one in size."""
    largest = np.abs(scores[np.isfinite(scores)]).max(initial=0)
    return scores / largest if largest > 0 else scores


def _weighted(weight: float, first: Array, second: Array) -> Array:
    """The weighted sum of two score vectors [networks]; -inf where one of them is, even at weight
    0."""
    is_lowest = np.isneginf(first) | np.isneginf(second)
    first_finite, second_finite = np.where(is_lowest, 0, first), np.where(is_lowest, 0, second)
    return np.where(is_lowest, -np.inf, weight * first_finite + (1 - weight) * second_finite)
