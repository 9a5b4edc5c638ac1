"""Features: transformers from architecture texts to columns that a regressor reads.

A feature is named by a text: `encoding` (the choices, one-hot), `graph` (operations and edges),
`paths` (the path statistics), `proxies:A,B` (scores of proxies), `table:FILE.csv` (the columns of a
file), `curve` and the summaries of curves (see `eznas.predictors.curves`), `supernet:FOLDER` (the
accuracies in trained supernets), `supernet:FOLDER+PROXY` (these and a proxy, joined), or else a
single proxy: a name, a run (`run:NAME` or NAME), a file or a formula.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.curves import Curves
from eznas.benchmarks.published import Published
from eznas.errors import InputError
from eznas.predictors import graphs
from eznas.predictors.curves import SUMMARIES, described
from eznas.predictors.measurements import Measurements
from eznas.predictors.scaling import ScoreScaler
from eznas.proxies.loading import separated
from eznas.spaces import Space
from eznas.statistics.catalogue import PATHS
from eznas.supernets.few_shot import Ranker
from eznas.supernets.ranking import joined

Floats = NDArray[np.float64]


class Feature:
    """Columns that are known once the architecture is: one-hot choices, or the graph.

    `fit` and `transform` take architectures (and, where curves are read, the curves); `transform`
    gives float64 [networks, columns], all finite.
    """

    def __init__(self, encode: Callable[[str], Floats]) -> None:
        self._encode = encode
        self._known: dict[str, Floats] = {}

    def fit(self, architectures: Sequence[str], curves: Curves | None) -> "Feature":
        """Nothing is to be learned."""
        return self

    def transform(self, architectures: Sequence[str], curves: Curves | None) -> Floats:
        """The columns [networks, columns]."""
        for architecture in architectures:
            if architecture not in self._known:
                self._known[architecture] = self._encode(architecture)
        return np.stack([self._known[a] for a in architectures])


class Scores:
    """Scores brought to one scale by those of the fitted networks; see `ScoreScaler`.

    `raw(architectures, curves)` gives them as they are, float64 [networks, columns].
    """

    def __init__(self, raw: Callable[[Sequence[str], Curves | None], Floats]) -> None:
        self.raw = raw

    def fit(self, architectures: Sequence[str], curves: Curves | None) -> "Scores":
        """Learn the scale from the scores of architectures."""
        self._scaler = ScoreScaler().fit(self.raw(architectures, curves))
        return self

    def transform(self, architectures: Sequence[str], curves: Curves | None) -> Floats:
        """The scaled columns [networks, columns]."""
        return self._scaler.transform(self.raw(architectures, curves))


def feature(text: str, measurements: Measurements, epochs: int | None = None) -> Feature | Scores:
    """The feature that a text names (see the top of this file), not fitted yet.

    `measurements` of the space; `epochs`: how far curves are read (None: as far as they go).
    Raises `InputError` for a text that names none, for a space without graphs, and for a folder
    that holds no trained supernets of the space.
    """
    space = measurements.space
    kind, colon, rest = text.partition(":")
    if text == "encoding":
        return Feature(space.encode)
    if text == "graph":
        return Feature(graphs.flattened(space))
    if text == "curve":
        return Scores(lambda architectures, curves: described(of(curves, architectures, epochs)))
    if text in SUMMARIES:
        return Scores(lambda architectures, curves: summary(text, curves, architectures, epochs))
    if kind == "supernet" and colon:
        return _of_supernets(rest, measurements)
    if kind == "table" and colon:
        return Scores(_columns(measurements.table(rest), space))
    if not proxies_of(text):
        raise InputError(f"feature {text!r}: expected proxies, as in proxies:naswot,zen")
    return _of_proxies(proxies_of(text), measurements)


def proxies_of(text: str) -> tuple[str, ...]:
    """The proxies behind a feature's text, none where it measures none."""
    kind, colon, rest = text.partition(":")
    if text == "paths":
        return PATHS
    if text in ("encoding", "graph", "curve", *SUMMARIES) or (kind == "table" and colon):
        return ()
    if kind == "supernet" and colon:
        return tuple(filter(None, [rest.partition("+")[2].strip()]))
    if kind == "proxies" and colon:
        return tuple(separated(rest))
    return (rest if kind == "run" and colon else text,)


def table_of(text: str) -> str:
    """The file of scores behind a feature's text, "" where it reads none."""
    kind, _, file = text.partition(":")
    return file if kind == "table" else ""


def of(curves: Curves | None, architectures: Sequence[str], epochs: int | None) -> Curves:
    """The curves of architectures up to an epoch. Raises `InputError` where there are none."""
    if curves is None:
        raise InputError("this predictor reads learning curves: expected curves, got none")
    rows = curves.of(architectures)
    return rows if epochs is None else rows.until(epochs)


def summary(
    name: str, curves: Curves | None, architectures: Sequence[str], epochs: int | None
) -> Floats:
    """One of `SUMMARIES` of the curves of architectures: float64 [networks, 1]."""
    return SUMMARIES[name].function(of(curves, architectures, epochs))[:, None]


def _of_proxies(proxies: Sequence[str], measurements: Measurements) -> Scores:
    return Scores(lambda architectures, _: measurements.scores(proxies, architectures))


def _of_supernets(text: str, measurements: Measurements) -> Scores:
    """Accuracies in the supernets of a folder, FOLDER; or, FOLDER+PROXY, joined with a proxy's
    scores: the networks that are asked for together are standardised among themselves."""
    folder, _, proxy = text.partition("+")
    ranker = Ranker(Path(folder.strip()))
    if ranker.space.name != measurements.space.name:
        expected = f"expected those of {measurements.space.name}"
        raise InputError(f"{folder.strip()}: supernets of {ranker.space.name}, {expected}")

    def raw(architectures: Sequence[str], _: Curves | None) -> Floats:
        scores = ranker.accuracies([ranker.space.canonical(a) for a in architectures])
        if proxy:
            scores = joined(measurements.scores([proxy.strip()], architectures)[:, 0], scores)
        return scores[:, None]

    return Scores(raw)


def _columns(table: Published, space: Space) -> Callable[[Sequence[str], Curves | None], Floats]:
    """The scores of a file, all its columns; NaN for a network that is not in it."""
    scores = np.stack([np.append(column, np.nan) for column in table.scores.values()], 1)
    row_of = {architecture: row for row, architecture in enumerate(table.architectures)}

    def row(architecture: str) -> int:
        if architecture not in row_of:
            row_of[architecture] = row_of.get(space.canonical(architecture), -1)
        return row_of[architecture]

    return lambda architectures, _: scores[[row(a) for a in architectures]]
