"""The feature table: feature values of samples of networks, filled as formulas need them."""

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
    """Networks that are measured and evaluated together: the number of their context, the number
    of the shard among that context's shards, and their architectures."""

    context: int
    number: int
    architectures: tuple[str, ...]


# Shards and canonical features -> for each shard the values [features, networks of the shard].
Evaluate = Callable[[Sequence[Shard], Sequence[str]], Sequence[FeatureValues]]


class FeatureTable:
    """Feature values of samples of networks, each in one or more contexts.

    `architectures`: for each context those of its networks, in sampling order; contexts that
    measure one sample in several ways have equal ones. `networks` is the size of the smallest
    sample. All samples grow together, each up to its size. Networks are divided into shards of
    `shard` each, so a value depends neither on the number of workers nor on how far the sample has
    grown; it is rounded as a feature store rounds it. Every feature is evaluated once on every
    shard, in its simplified form; one that cannot be evaluated on some shard is not tried again.
    """

    def __init__(
        self, architectures: Sequence[Sequence[str]], evaluate: Evaluate, shard: int = SHARD
    ) -> None:
        samples = [tuple(sample) for sample in architectures]
        self.networks = min(map(len, samples))
        self._shard = shard
        self._shards = [_shards(context, sample, shard) for context, sample in enumerate(samples)]
        distinct = list(dict.fromkeys(samples))
        self._sample_of = [distinct.index(sample) for sample in samples]  # by context
        self._evaluate = evaluate
        self._values: dict[str, list[FeatureValues]] = {}  # feature -> one row for each context
        self._unusable: dict[str, str] = {}  # feature -> reason
        self._failed: dict[tuple[int, int], str] = {}  # (sample, network) -> reason

    def __len__(self) -> int:
        return len(self._values)

    def fill(self, formulas: Iterable[Expression], networks: int) -> int:
        """Evaluate every feature of the formulas on the first `networks` of each sample, where that
        has not been done.

        Returns how many pairs of a feature and a network were evaluated, a network in several
        contexts counted once. Raises what the evaluation raises.
        """
        features = dict.fromkeys(
            simplified(feature).text for formula in formulas for feature in formula.features()
        )
        stop = -(-networks // self._shard)
        by_start: dict[int, list[str]] = {}
        for feature in features:
            by_start.setdefault(self._shards_filled(feature), []).append(feature)
        return sum(
            self._extend(features_from_start, start, stop)
            for start, features_from_start in sorted(by_start.items())
            if start < stop
        )

    def scores(self, formula: Expression, context: int, networks: int) -> Scores:
        """The scores of a formula on the first `networks` of a context's sample, float64
        [networks]; they must have been filled before."""
        return self._scores(formula, context, slice(networks))

    def why_undefined(self, formula: Expression, context: int, network: int) -> str:
        """Why a formula has no score on a network (its index) of a context's sample, a key of
        `IN_WORDS`; "" where it has one. It must have been filled before."""
        failed = self._failed.get((self._sample_of[context], network))
        return failed or self._scores(formula, context, [network]).reason

    def row(self, feature: str, context: int) -> FeatureValues:
        """The values of a feature (canonical text) in a context, as far as it is filled: [1,
        networks]."""
        return self._values[simplified(parse(feature)).text][context]

    def indices(self, architectures: Iterable[str]) -> list[int]:
        """Where architectures stand in the sample of the first context."""
        sample = [a for shard in self._shards[0] for a in shard.architectures]
        index_of = {architecture: index for index, architecture in enumerate(sample)}
        return [index_of[architecture] for architecture in architectures]

    def filled(self) -> dict[str, int]:
        """Every feature of the table -> for how many networks of its largest sample it is
        filled."""
        return {text: _longest(rows) for text, rows in self._values.items()}

    def unusable(self) -> dict[str, str]:
        """The features that cannot be evaluated and are not tried again -> the reason."""
        return dict(self._unusable)

    def refill(self, filled: dict[str, int], unusable: dict[str, str]) -> None:
        """Fill an empty table to the state of another one, from its `filled` and `unusable`."""
        self._unusable |= unusable
        for networks in sorted(set(filled.values())):
            formulas = [parse(text) for text, count in filled.items() if count >= networks]
            for start in range(0, len(formulas), REFILLED_TOGETHER):
                self.fill(formulas[start : start + REFILLED_TOGETHER], networks)

    def failed(self, networks: int) -> list[str]:
        """The reasons why networks among the first `networks` of any sample could not be measured:
        one for each such network."""
        return [reason for (_, i), reason in sorted(self._failed.items()) if i < networks]

    def reordered(self, order: Sequence[int]) -> "FeatureTable":
        """A table of the networks `order` (indices) of each sample, with the features that are
        filled on all networks; filling it further is a `ValueError`."""
        samples = [[a for s in shards for a in s.architectures] for shards in self._shards]
        table = FeatureTable([[s[i] for i in order] for s in samples], _cannot_be_filled)
        for text, rows in self._values.items():
            if rows[0].values.shape[1] == self.networks:
                table._values[text] = [values.columns(order) for values in rows]
        return table

    def _scores(self, formula: Expression, context: int, networks: slice | Sequence[int]) -> Scores:
        """The scores of a formula on some networks of a context's sample."""
        simple = {f.text: simplified(f).text for f in formula.features()}

        def lookup(feature: str) -> FeatureValues:
            values = self._values[simple[feature]][context]
            if reason := self._unusable.get(simple[feature]):  # on any shard, in any context
                values = FeatureValues.failed(1, values.values.shape[1], reason)
            return values.columns(networks)

        return combine(formula, lookup)

    def _shards_filled(self, feature: str) -> int:
        rows = self._values.get(feature)
        return 0 if rows is None else -(-_longest(rows) // self._shard)

    def _extend(self, features: list[str], start: int, stop: int) -> int:
        """Evaluate features on the shards from `start` to `stop` of every context."""
        usable = [feature for feature in features if feature not in self._unusable]
        unusable = [feature for feature in features if feature in self._unusable]
        by_context = [shards[start:stop] for shards in self._shards]
        all_shards = [shard for shards in by_context for shard in shards]
        shard_values = iter(self._evaluate(all_shards, usable) if usable else ())
        networks_by_sample: dict[int, int] = {}
        for context, shards in enumerate(by_context):
            networks = sum(len(shard.architectures) for shard in shards)
            networks_by_sample[self._sample_of[context]] = networks
            if usable:
                blocks = [next(shard_values) for _ in shards] or [
                    FeatureValues.missing(len(usable), 0)
                ]
                values = FeatureValues.beside(blocks).rounded()
                for row, feature in enumerate(usable):
                    self._append(feature, context, values.rows([row]))
            for feature in unusable:
                reason = self._unusable[feature]
                self._append(feature, context, FeatureValues.failed(1, networks, reason))
        return len(usable) * sum(networks_by_sample.values())

    def _append(self, feature: str, context: int, values: FeatureValues) -> None:
        """Append the values of a feature on further networks of a context."""
        rows = self._values.setdefault(feature, [FeatureValues.missing(1, 0) for _ in self._shards])
        first = rows[context].values.shape[1]
        for i in np.flatnonzero(unmeasurable(values.status[0])).tolist():
            network = self._sample_of[context], first + i
            self._failed.setdefault(network, failures(values.status[:, i])[0])
        if reason := feature_failure(values.status):
            self._unusable[feature] = reason
        rows[context] = FeatureValues.beside([rows[context], values])


def _shards(context: int, architectures: tuple[str, ...], size: int) -> list[Shard]:
    starts = range(0, len(architectures), size)
    return [Shard(context, i // size, architectures[i : i + size]) for i in starts]


def _longest(rows: Sequence[FeatureValues]) -> int:
    """For how many networks of the largest sample a feature is filled."""
    return max(int(row.values.shape[1]) for row in rows)


def _cannot_be_filled(shards: Sequence[Shard], features: Sequence[str]) -> list[FeatureValues]:
    raise ValueError(f"this table cannot be filled further: {', '.join(features)}")
