"""Scores of proxies on architectures of one space, measured once and remembered."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.loading import without_accuracies
from eznas.benchmarks.published import Published, read_published
from eznas.errors import unknown
from eznas.evaluation.executors import NoPhases, Phases
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings, score_all
from eznas.spaces import SPACES, Space

Floats = NDArray[np.float64]


class Measurements:
    """Scores of proxies on the networks of one space at the input size of one data set.

    `dataset`: "" for the first of the space; `settings`: how networks are measured, and the feature
    store whose values are used; `published`: a CSV file of scores that are taken instead of
    measuring, as `read_published` reads it. A proxy that has no column there is measured; one that
    has several gets their mean; a network that is not in the file has no score of its proxies.

    What was measured is remembered as long as the object lives, and copies of a predictor share it.
    Raises `InputError` for an unknown space or data set and for a file that cannot be used.
    """

    def __init__(
        self,
        space: str = "nasbench201",
        dataset: str = "",
        settings: ScoringSettings | None = None,
        phases: Phases | None = None,
        published: str | None = None,
    ) -> None:
        if space not in SPACES:
            raise unknown("space", space, SPACES)
        self.space: Space = SPACES[space]
        self.dataset = dataset or self.space.datasets[0]
        without_accuracies(space, (), [self.dataset])
        self._settings = settings or ScoringSettings()
        self._phases = phases or NoPhases()
        self._published = None if published is None else read_published(published, self.space)
        self._row_of: dict[str, int] = {}
        self._scores: dict[str, Floats] = {}  # proxy -> [rows], NaN where not measured
        self._measured: dict[str, NDArray[np.bool_]] = {}  # proxy -> [rows]
        self._tables: dict[str, Published] = {}

    def __sklearn_clone__(self) -> "Measurements":
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_phases": NoPhases()}  # other processes tell nobody

    def add(self, proxy: str, architectures: Sequence[str], scores: Floats) -> None:
        """Remember scores float64 [networks] of a proxy that are known already, whatever its name
        stands for here."""
        rows = self._rows(architectures)
        self._grow(proxy)
        self._scores[proxy][rows] = scores
        self._measured[proxy][rows] = True

    def scores(self, proxies: Sequence[str], architectures: Sequence[str]) -> Floats:
        """The scores of proxies, texts as `eznas.load` takes them: float64 [networks, proxies],
        -inf where lowest and NaN where undefined.

        Raises `InputError` for a proxy or an architecture that is none, and where a network cannot
        be measured.
        """
        rows = self._rows(architectures)
        for proxy in proxies:
            self._grow(proxy)
        missing = [p for p in dict.fromkeys(proxies) if not self._measured[p][rows].all()]
        if missing:
            unmeasured = ~np.logical_and.reduce([self._measured[p][rows] for p in missing])
            wanted = dict.fromkeys(architectures[i] for i in np.flatnonzero(unmeasured).tolist())
            self._find_out(missing, tuple(map(self.space.canonical, wanted)))
        columns = [self._scores[proxy][rows] for proxy in proxies]
        return np.stack(columns, 1) if columns else np.empty((len(rows), 0))

    def table(self, file: str) -> Published:
        """The scores in a file of the networks of the space, read once. Raises `InputError` as
        `read_published` does."""
        if file not in self._tables:
            self._tables[file] = read_published(file, self.space)
        return self._tables[file]

    def published_for(self, proxies: Sequence[str]) -> tuple[str, ...] | None:
        """The networks in the file of published scores, None where no score of these proxies is
        taken from it."""
        if not any(self._published_columns(proxy, ()) for proxy in proxies):
            return None
        assert self._published is not None
        return self._published.architectures

    def _rows(self, architectures: Sequence[str]) -> list[int]:
        """The row of each architecture; a text that is new gets that of its canonical spelling."""
        for text in architectures:
            if text not in self._row_of:
                canonical = self.space.canonical(text)
                self._row_of[text] = self._row_of.setdefault(canonical, len(self._row_of))
        return [self._row_of[text] for text in architectures]

    def _grow(self, proxy: str) -> None:
        """Room for the scores of a proxy in all rows."""
        earlier = self._scores.get(proxy, np.empty(0))
        more = len(self._row_of) - len(earlier)
        if more > 0:
            self._scores[proxy] = np.append(earlier, np.full(more, np.nan))
            measured = self._measured.get(proxy, np.empty(0, dtype=bool))
            self._measured[proxy] = np.append(measured, np.zeros(more, dtype=bool))

    def _find_out(self, proxies: Sequence[str], architectures: tuple[str, ...]) -> None:
        """Take published scores where there are any, and measure the others."""
        unpublished = []
        for proxy in proxies:
            columns = self._published_columns(proxy, architectures)
            if columns:
                self.add(proxy, architectures, np.mean(columns, axis=0))
            else:
                unpublished.append(proxy)
        if unpublished:
            self._measure(unpublished, architectures)

    def _published_columns(self, proxy: str, architectures: Sequence[str]) -> list[Floats]:
        if self._published is None:
            return []
        return list(self._published.columns(proxy, self.dataset, architectures).values())

    def _measure(self, proxies: Sequence[str], architectures: tuple[str, ...]) -> None:
        loaded = [load(proxy) for proxy in proxies]
        networks = without_accuracies(self.space.name, architectures, [self.dataset])
        settings, phases = self._settings, self._phases
        if len(architectures) == 1:  # of many, one by one: neither workers nor a line for each
            settings, phases = replace(settings, workers=1), NoPhases()
        scored = score_all(loaded, networks, settings, phases)
        for proxy, scores in zip(proxies, scored.means()[self.dataset], strict=True):
            self.add(proxy, architectures, scores)
