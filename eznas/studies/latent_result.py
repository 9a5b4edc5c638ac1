"""What a latent search found: the result, as JSON and as a picture."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.report.latent_plot import latent_plot
from eznas.search.latent.methods import BASELINES, Found
from eznas.search.latent.weights import Weights

Floats = NDArray[np.float64]

DRAWN_PATHS = 12


@dataclass(frozen=True, eq=False)
class Landscape:
    """The latent space seen from where architectures spread most (principal components).

    `points` [networks, 2] of the networks trained on with their `unified` scores and `accuracies`
    [networks] (NaN where unknown); `paths` [steps + 1, starts, 2] of the ascent and `answers`
    [answers, 2].
    """

    points: Floats
    unified: Floats
    accuracies: Floats
    paths: Floats
    answers: Floats


@dataclass(frozen=True, eq=False)
class LatentSearch:
    """What a search by `eznas.latent_search` found.

    `architectures`: the answer, best first by measured unified score; `accuracies` of these where
    they are known, else None, with their `kind`; `proxies` and `weights` of the unified score;
    `head_taus` and `unified_tau`: Kendall's tau of predicted and measured scores on `aside`
    random networks that were set aside (None without heads); `exact`: the share of the networks
    trained on that the autoencoder decodes to themselves; `measured` and `visited`: how many
    networks; `seconds`.
    """

    method: str
    space: str
    dataset: str
    seed: int
    architectures: tuple[Found, ...]
    accuracies: tuple[float | None, ...]
    kind: str
    proxies: tuple[str, ...]
    weights: Weights
    head_taus: Floats | None
    unified_tau: float | None
    aside: int
    exact: float | None
    measured: int
    visited: int
    seconds: float
    landscape: Landscape | None = None


def described(result: LatentSearch) -> dict[str, Any]:
    """A result as JSON: what was searched, the answer with `accuracy` where it is known, weights
    with their deviations, tau of every head, and counts."""
    deviations = result.weights.deviations
    rows = zip(result.architectures, result.accuracies, strict=True)
    unknown = [np.nan] * len(result.proxies)
    taus = unknown if result.head_taus is None else result.head_taus.tolist()
    return {
        **{key: getattr(result, key) for key in ("method", "space", "dataset", "seed")},
        "architectures": [asdict(found) | {"accuracy": accuracy} for found, accuracy in rows],
        **{key: getattr(result, key) for key in ("measured", "visited", "seconds")},
        "weights": result.weights.way,
        "proxies": [
            {"proxy": proxy, "weight": weight, "deviation": deviation, "tau": _known(tau)}
            for proxy, weight, deviation, tau in zip(
                result.proxies,
                result.weights.values.tolist(),
                [None] * len(taus) if deviations is None else deviations.tolist(),
                taus,
                strict=True,
            )
        ],
        "tau": _known(result.unified_tau),
        "aside": result.aside,
        "exact": result.exact,
        "accuracy": result.kind or None,
    }


def check_drawable(method: str) -> None:
    """`InputError` for a method without a latent space, which `plot` cannot draw."""
    if method in BASELINES:
        raise InputError(f"plot: method {method} has no latent space to draw")


def plot(result: LatentSearch, file: str) -> list[str]:
    """Draw the latent space with the paths of the ascent into a PNG file, and return its name in a
    list. Raises `InputError` for a method without a latent space, and where it cannot be
    written."""
    check_drawable(result.method)
    landscape = result.landscape
    assert landscape is not None
    panels = {"unified score": landscape.unified}
    if np.isfinite(landscape.accuracies).any():
        panels[f"{result.kind} accuracy, {result.dataset}"] = landscape.accuracies
    paths = landscape.paths[:, :DRAWN_PATHS]
    latent_plot(Path(file), landscape.points, panels, paths, landscape.answers)
    return [file]


def _known(tau: float | None) -> float | None:
    """A tau; None for one of too few networks, which is NaN."""
    return None if tau is None or np.isnan(tau) else tau
