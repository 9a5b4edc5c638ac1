"""The feature table: feature values of a search's networks, filled as formulas ask for them."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.scoring import Scores, combine
from eznas.evaluation.status import failures, feature_failure, unmeasurable
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.formulas.simplify import simplified

REFILLED_TOGETHER = 500  # features
SHARD = 8  # networks; fixed, because the last bits of a result depend on what is stacked


class Shard(NamedTuple):
    """Networks that are measured and evaluated together: in which context (by its number), which
    shard of its networks this is, and their architectures."""

    context: int
    number: int
    architectures: tuple[str, ...]


# shards and canonical features -> the values of all features on each shard
Evaluate = Callable[[Sequence[Shard], Sequence[str]], Sequence[FeatureValues]]


class FeatureTable:
    """Feature values of samples of networks, each in one or more contexts.

    `architectures`: for each context those of its networks, in sampling order; contexts that
    measure one sample in several ways have the same. All samples grow together. Networks are
    parted into shards of fixed membership, so a value depends neither on the number of workers
    nor on how far the sample has grown. Every feature is evaluated once on every shard, in its
    simplified form; one that cannot be evaluated anywhere is not tried again.
    """

    def __init__(self, architectures: Sequence[Sequence[str]], evaluate: Evaluate) -> None:
        samples = [tuple(own) for own in architectures]
        self.networks = min(map(len, samples))
        self._shards = [_shards(context, own) for context, own in enumerate(samples)]
        distinct = list(dict.fromkeys(samples))
        self._sample_of = [distinct.index(own) for own in samples]  # by context
        self._evaluate = evaluate
        self._values: dict[str, list[FeatureValues]] = {}  # feature -> for each context, one row
        self._unusable: dict[str, str] = {}
        self._failed: dict[tuple[int, int], str] = {}  # sample and network -> why

    def __len__(self) -> int:
        return len(self._values)

    def fill(self, formulas: Iterable[Expression], networks: int) -> int:
        """See to it that every feature of the formulas is there for the first `networks` of each
        sample.

        Returns how many pairs of a feature and a network had to be evaluated.
        """
        features = dict.fromkeys(simplified(f).text for o in formulas for f in o.features())
        stop = -(-networks // SHARD)
        by_start: dict[int, list[str]] = {}
        for text in features:
            by_start.setdefault(self._shards_filled(text), []).append(text)
        return sum(
            self._extend(texts, start, stop)
            for start, texts in sorted(by_start.items())
            if start < stop
        )

    def scores(self, formula: Expression, context: int, networks: int) -> Scores:
        """The scores of a formula, filled before, on the first `networks` of a context's sample:
        float64 [networks]."""
        simple = {f.text: simplified(f).text for f in formula.features()}

        def lookup(feature: str) -> FeatureValues:
            values = self._values[simple[feature]][context]
            if reason := self._unusable.get(simple[feature]):  # on any shard, in any context
                values = FeatureValues.failed(1, values.values.shape[1], reason)
            return values.columns(slice(networks))

        return combine(formula, lookup)

    def filled(self) -> dict[str, int]:
        """Every feature that is there, and for how many networks."""
        return {text: rows[0].values.shape[1] for text, rows in self._values.items()}

    def unusable(self) -> dict[str, str]:
        """The features that cannot be evaluated and are not tried again, and why."""
        return dict(self._unusable)

    def refill(self, filled: dict[str, int], unusable: dict[str, str]) -> None:
        """Fill an empty table as another one was when its `filled` and `unusable` said this."""
        self._unusable |= unusable
        for networks in sorted(set(filled.values())):
            formulas = [parse(text) for text, count in filled.items() if count >= networks]
            for start in range(0, len(formulas), REFILLED_TOGETHER):
                self.fill(formulas[start : start + REFILLED_TOGETHER], networks)

    def failed(self, networks: int) -> list[str]:
        """Why some of the first `networks` of any sample could not be measured for all that was
        asked for: a reason for each of them."""
        return [why for (_, i), why in sorted(self._failed.items()) if i < networks]

    def reordered(self, order: Sequence[int]) -> "FeatureTable":
        """A table of some networks of each sample in another order, with all features that were
        filled on all networks; it cannot be filled further."""
        architectures = [[a for s in shards for a in s.architectures] for shards in self._shards]
        table = FeatureTable([[own[i] for i in order] for own in architectures], _cannot_be_filled)
        for text, rows in self._values.items():
            if rows[0].values.shape[1] == self.networks:
                table._values[text] = [values.columns(order) for values in rows]
        return table

    def _shards_filled(self, feature: str) -> int:
        rows = self._values.get(feature)
        return 0 if rows is None else -(-rows[0].values.shape[1] // SHARD)

    def _extend(self, texts: list[str], start: int, stop: int) -> int:
        """Evaluate features on the shards from `start` to `stop` of every context."""
        usable = [text for text in texts if text not in self._unusable]
        shards = [own[start:stop] for own in self._shards]
        flat = [shard for own in shards for shard in own]
        answers = iter(self._evaluate(flat, usable) if usable else ())
        for context, own in enumerate(shards):
            networks = sum(len(shard.architectures) for shard in own)
            if usable:
                values = FeatureValues.beside([next(answers) for _ in own])
                for row, text in enumerate(usable):
                    self._admit(text, context, values.rows([row]))
            for text in (t for t in texts if t not in usable):
                self._admit(text, context, FeatureValues.failed(1, networks, self._unusable[text]))
        pairs = {
            self._sample_of[context]: sum(len(shard.architectures) for shard in own)
            for context, own in enumerate(shards)
        }
        return len(usable) * sum(pairs.values())

    def _admit(self, text: str, context: int, values: FeatureValues) -> None:
        """Append the values of a feature on further networks of a context."""
        rows = self._values.setdefault(text, [FeatureValues.missing(1, 0) for _ in self._shards])
        first = rows[context].values.shape[1]
        for i in np.flatnonzero(unmeasurable(values.status[0])).tolist():
            network = self._sample_of[context], first + i
            self._failed.setdefault(network, failures(values.status[:, i])[0])
        if reason := feature_failure(values.status):
            self._unusable[text] = reason
        rows[context] = FeatureValues.beside([rows[context], values])


def _shards(context: int, architectures: tuple[str, ...]) -> list[Shard]:
    starts = range(0, len(architectures), SHARD)
    return [Shard(context, i // SHARD, architectures[i : i + SHARD]) for i in starts]


def _cannot_be_filled(shards: Sequence[Shard], texts: Sequence[str]) -> list[FeatureValues]:
    raise ValueError(f"this table cannot be filled further: {', '.join(texts)}")
