"""The table of measures: what the workers' networks say, filled as formulas ask for it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from eznas.evaluation.scoring import Scores, combine
from eznas.evaluation.status import OF_FORMULAS, left_out, named, refused
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.formulas.simplify import simplified

Array = npt.NDArray[np.float64]
AT_ONCE = 500  # measures that are filled again together
SHARD = 8  # networks; fixed, because the last bits of a result depend on what is stacked

Numbered = tuple[int, tuple[str, ...]]  # a shard: its number and its architectures
# shards and canonical measures -> value and coverage, each [settings, measures, networks of these
# shards]
Evaluate = Callable[[Sequence[Numbered], Sequence[str]], tuple[Array, Array]]


class Measures(Protocol):
    """What formulas are judged from: a `FeatureTable`, or several as a `JoinedTable`."""

    networks: int

    def __len__(self) -> int:
        """How many measures are there."""

    def fill(self, formulas: Iterable[Expression], networks: int) -> int:
        """See to it that every measure of the formulas is there for the first `networks`.

        Returns how many measure-network pairs had to be evaluated.
        """

    def scores(self, formula: Expression, setting: int, networks: int) -> Scores:
        """The scores of a formula, filled before, on the first `networks` of the sample."""

    def filled(self) -> dict[str, int]:
        """Every measure that is there, and for how many networks."""

    def refused(self) -> dict[str, str]:
        """Why measures cannot be evaluated: those that are not tried again."""

    def refuse(self, measures: dict[str, str]) -> None:
        """Take measures to be such."""

    def failed(self, networks: int) -> list[str]:
        """Why some of the first `networks` could not be measured for all that was asked, a reason
        each."""


class FeatureTable:
    """Measures of a sample of networks under one or more settings.

    Networks stand in sampling order and are parted into shards of fixed membership, so a value
    depends neither on the number of workers nor on how far the sample has grown. Every measure
    is evaluated once on every shard, in its simplified form.
    """

    def __init__(self, architectures: Sequence[str], evaluate: Evaluate, settings: int = 1) -> None:
        starts = range(0, len(architectures), SHARD)
        self.shards = [(i // SHARD, tuple(architectures[i : i + SHARD])) for i in starts]
        self.networks = len(architectures)
        self._evaluate = evaluate
        self._rows: dict[str, tuple[Array, Array]] = {}  # measure -> [settings, networks so far]
        self._refused: dict[str, str] = {}
        self._failed: dict[int, str] = {}
        self._settings = settings

    def __len__(self) -> int:
        return len(self._rows)

    def fill(self, formulas: Iterable[Expression], networks: int) -> int:
        """See `Measures.fill`."""
        wanted = dict.fromkeys(simplified(m).text for f in formulas for m in f.features())
        need = -(-networks // SHARD)
        have: dict[int, list[str]] = {}
        for text in wanted:
            have.setdefault(self._shards_of(text), []).append(text)
        evaluated = 0
        for start, texts in sorted(have.items()):
            if start < need:
                evaluated += self._extend(texts, start, need)
        return evaluated

    def scores(self, formula: Expression, setting: int, networks: int) -> Scores:
        """See `Measures.scores`."""

        names = {m.text: simplified(m).text for m in formula.features()}

        def lookup(measure: str) -> tuple[Array, Array]:
            values, coverage = self._rows[names[measure]]
            if why := self._refused.get(names[measure]):  # on any shard, in any setting
                values = np.full(values.shape, np.nan)
                coverage = np.full(coverage.shape, OF_FORMULAS[why])
            return values[setting, :networks], coverage[setting, :networks]

        return combine(formula, lookup)

    def filled(self) -> dict[str, int]:
        """See `Measures.filled`."""
        return {text: values.shape[1] for text, (values, _) in self._rows.items()}

    def refused(self) -> dict[str, str]:
        """See `Measures.refused`."""
        return dict(self._refused)

    def refuse(self, measures: dict[str, str]) -> None:
        """See `Measures.refuse`."""
        self._refused |= measures

    def failed(self, networks: int) -> list[str]:
        """See `Measures.failed`."""
        return [why for network, why in sorted(self._failed.items()) if network < networks]

    def taking(self, order: Sequence[int]) -> "FeatureTable":
        """A table of some of the networks in another order, with all that was filled on all of
        them; it cannot be filled further."""
        chosen = [a for _, own in self.shards for a in own]
        table = FeatureTable([chosen[i] for i in order], _refuse)
        for text, (values, coverage) in self._rows.items():
            if values.shape[1] == self.networks:
                table._rows[text] = values[:, order], coverage[:, order]
        return table

    def _shards_of(self, measure: str) -> int:
        row = self._rows.get(measure)
        return 0 if row is None else -(-row[0].shape[1] // SHARD)

    def _extend(self, texts: list[str], start: int, stop: int) -> int:
        tried = [t for t in texts if t not in self._refused]
        shards = self.shards[start:stop]
        networks = sum(len(own) for _, own in shards)
        if tried:
            values, coverage = self._evaluate(shards, tried)
            for i, text in enumerate(tried):
                self._admit(text, values[:, i], coverage[:, i])
                if why := refused(coverage[:, i]):
                    self._refused[text] = why
        shape = self._settings, networks
        for text in (t for t in texts if t not in tried):
            code = OF_FORMULAS[self._refused[text]]
            self._admit(text, np.full(shape, np.nan), np.full(shape, code))
        return len(tried) * networks

    def _admit(self, text: str, values: Array, coverage: Array) -> None:
        old = self._rows.get(text)
        first = 0 if old is None else old[0].shape[1]
        for i in np.flatnonzero(left_out(coverage).any(0)).tolist():
            self._failed.setdefault(first + i, named(coverage[:, i])[0])
        both = (values, coverage) if old is None else tuple(map(_joined, old, (values, coverage)))
        self._rows[text] = both[0], both[1]


class JoinedTable:
    """The tables of several samples as one: their settings stand one after the other.

    `settings`: how many each table has. The samples grow together.
    """

    def __init__(self, tables: Sequence[FeatureTable], settings: Sequence[int]) -> None:
        self.networks = min(t.networks for t in tables)
        self._tables = list(tables)
        self._of = [(t, s) for t, count in zip(tables, settings, strict=True) for s in range(count)]

    def __len__(self) -> int:
        return len(self._tables[0])

    def fill(self, formulas: Iterable[Expression], networks: int) -> int:
        """See `Measures.fill`; `networks` of every sample."""
        formulas = list(formulas)
        evaluated = sum(t.fill(formulas, networks) for t in self._tables)
        self.refuse(self.refused())  # in one of the samples: everywhere
        return evaluated

    def scores(self, formula: Expression, setting: int, networks: int) -> Scores:
        """See `Measures.scores`."""
        table, own = self._of[setting]
        return table.scores(formula, own, networks)

    def filled(self) -> dict[str, int]:
        """See `Measures.filled`; networks of every sample."""
        return self._tables[0].filled()

    def refused(self) -> dict[str, str]:
        """See `Measures.refused`: in any of the samples."""
        return {text: why for t in self._tables for text, why in t.refused().items()}

    def refuse(self, measures: dict[str, str]) -> None:
        """See `Measures.refuse`."""
        for table in self._tables:
            table.refuse(measures)

    def failed(self, networks: int) -> list[str]:
        """See `Measures.failed`; of every sample."""
        return [why for t in self._tables for why in t.failed(networks)]


def refill(table: Measures, measures: dict[str, int], refused: dict[str, str]) -> None:
    """Fill an empty table as another one was when its `filled` and `refused` said this."""
    table.refuse(refused)
    for networks in sorted(set(measures.values())):
        formulas = [parse(text) for text, n in measures.items() if n >= networks]
        for i in range(0, len(formulas), AT_ONCE):
            table.fill(formulas[i : i + AT_ONCE], networks)


def _refuse(shards: Sequence[object], texts: Sequence[str]) -> tuple[Array, Array]:
    raise ValueError(f"this table cannot be filled: {', '.join(texts)}")


def _joined(old: Array, new: Array) -> Array:
    return np.concatenate([old, new], axis=1)
