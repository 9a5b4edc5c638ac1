"""Weights of the proxies in their unified score: a table of ways to find them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError, unknown
from eznas.evaluation.executors import Progress
from eznas.metrics import kendall
from eznas.predictors.targets import NormalScores
from eznas.proxies.loading import separated

Floats = NDArray[np.float64]

SPREAD = 5  # samples of the labelled networks over which the spread of weights is shown
LEAST = 5  # labelled networks
TRIALS = 200  # of a TPE
PENALTIES = np.logspace(-3, 4, 29)


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of proxies, float64 [proxies], and the way in which they came about; `deviations` of
    them, float64 [proxies], over samples of the labelled networks drawn with replacement (None
    where they are not fitted)."""

    way: str
    values: Floats
    deviations: Floats | None = None


@dataclass(frozen=True)
class Way:
    """A row of the table of ways.

    `weigh`: from columns of scores [networks, proxies], the accuracies [networks] and a seed to
    weights [proxies]; None where these follow from the proxies alone. `meaning`: in a line.
    """

    name: str
    meaning: str
    weigh: Callable[[Floats, Floats, int], Floats] | None = None


def ridge(columns: Floats, accuracies: Floats, seed: int = 0) -> Floats:
    """Least squares with a penalty chosen by leave-one-out, for the normal scores of accuracies
    [networks]: weights [proxies] of columns [networks, proxies]."""
    from sklearn.linear_model import RidgeCV  # slow to import

    targets = NormalScores.fit(accuracies).transform(accuracies)
    weights: Floats = RidgeCV(PENALTIES).fit(columns, targets).coef_
    return weights


def tpe(columns: Floats, accuracies: Floats, seed: int = 0) -> Floats:
    """The weights [proxies] from -1 to 1 of `TRIALS` that tree-structured Parzen estimators propose
    whose sum of columns [networks, proxies] has the highest tau with accuracies [networks].

    Source: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011; as in UP-NAS.
    Raises `InputError` where optuna is not installed.
    """
    optuna = _optuna()
    names = [str(i) for i in range(columns.shape[1])]

    def tau(trial: Any) -> float:
        weights = np.array([trial.suggest_float(name, -1, 1) for name in names])
        reached = kendall(columns @ weights, accuracies)
        return -1.0 if math.isnan(reached) else reached

    with _quiet(optuna.logging):
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        study.optimize(tau, n_trials=TRIALS)
    return np.array([study.best_params[name] for name in names])


WAYS: dict[str, Way] = {
    way.name: way
    for way in (
        Way("equal", "as much for every proxy"),
        Way("ridge", "least squares with a penalty, from networks with accuracies", ridge),
        Way("tpe", "highest tau with accuracies that optuna finds, as UP-NAS does", tpe),
        Way("terms", "the constants of one formula, whose terms become the proxies"),
    )
}


def needs_labels(text: str) -> bool:
    """Whether weights of this name are fitted to accuracies."""
    return text in WAYS and WAYS[text].weigh is not None


def given(text: str | Mapping[str, float], proxies: Sequence[str]) -> Weights:
    """The weights that a user gives, by proxy or as text `A=0.5,B=-1`.

    Raises `InputError` for a text that is neither that nor the name of a way, for a proxy that is
    not among `proxies`, and for one of these without a weight.
    """
    by_proxy = _parsed(text) if isinstance(text, str) else dict(text)
    for proxy in by_proxy:
        if proxy not in proxies:
            raise unknown("proxy in weights", proxy, proxies)
    missing = [proxy for proxy in proxies if proxy not in by_proxy]
    if missing:
        raise InputError(f"weights: none for {', '.join(missing)}; expected one for each proxy")
    values = np.array([by_proxy[proxy] for proxy in proxies], dtype=float)
    if not np.isfinite(values).all() or not values.any():
        raise InputError(f"weights {values.tolist()}: expected finite numbers that are not all 0")
    return Weights("given", values)


def fitted(
    way: str,
    columns: Floats,
    accuracies: Floats,
    seed: int = 0,
    progress: Progress | None = None,
) -> Weights:
    """Weights in one of `WAYS` that need accuracies, from columns of scores [networks, proxies] and
    accuracies [networks] of labelled networks; scaled so that their sizes add up to 1.

    Raises `InputError` for fewer than `LEAST` networks, equal accuracies, and as the way does.
    """
    weigh = WAYS[way].weigh
    assert weigh is not None
    check_labels(way, accuracies)
    values = _scaled(weigh(columns, accuracies, seed))
    generator = np.random.default_rng(seed)
    spread = []
    for sample in range(SPREAD):
        rows = generator.integers(len(accuracies), size=len(accuracies))
        spread.append(_scaled(weigh(columns[rows], accuracies[rows], seed + 1 + sample)))
        if progress is not None:
            progress(sample + 1, SPREAD)
    return Weights(way, values, np.std(spread, axis=0, ddof=1))


def check_labels(way: str, accuracies: Sequence[float] | Floats) -> None:
    """`InputError` where weights of a way cannot be fitted to accuracies [networks]; called before
    anything is measured."""
    if way == "tpe":
        _optuna()
    if len(accuracies) < LEAST:
        raise InputError(
            f"weights {way}: expected {LEAST} or more networks of different accuracies, "
            f"got {len(accuracies)}"
        )
    if not np.ptp(accuracies):
        raise InputError(
            f"weights {way}: expected {LEAST} or more networks of different accuracies, "
            f"got {len(accuracies)} of the same"
        )


def equal(proxies: int) -> Weights:
    """The same weight for every proxy, of sum 1: float64 [proxies]."""
    return Weights("equal", np.full(proxies, 1 / proxies))


def _optuna() -> Any:
    """The package, or `InputError` that says how to install it."""
    try:
        import optuna
    except ImportError:
        raise InputError(
            "weights tpe: needs the package optuna; pip install 'eznas[search]'"
        ) from None
    return optuna


def _parsed(text: str) -> dict[str, float]:
    """Weights by proxy from text; the last `=` of a part stands before its number."""
    if "=" not in text:
        raise unknown("way to weigh proxies", text, WAYS)
    by_proxy: dict[str, float] = {}
    for part in separated(text):
        proxy, mark, number = part.rpartition("=")
        try:
            by_proxy[proxy.strip()] = float(number) if mark else math.nan
        except ValueError:
            mark = ""
        if not mark:
            raise InputError(
                f"weights {text!r}: expected {', '.join(WAYS)}, or PROXY=NUMBER for each proxy"
            )
    return by_proxy


def _scaled(weights: Floats) -> Floats:
    """Weights whose sizes add up to 1; unchanged where all are 0."""
    total = np.abs(weights).sum()
    return weights / total if total > 0 else weights


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """optuna's log of every trial is silent inside, and as it was after."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
