"""Moves between weighted sums: terms are added, dropped and exchanged, and two sums merged.

An added term is the best of some random ones beside the terms so far, by what it explains less the
price of its nodes; the random ones are features and their `INTERACTIONS`.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate

from eznas.errors import InputError
from eznas.evolution import randomness
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import Grammar, Individual
from eznas.evolution.sums import Sums, weighted_sum
from eznas.evolution.variation import is_within
from eznas.formulas.expression import Expression, ValueTypeError, statistic
from eznas.formulas.interactions import INTERACTIONS, Build, Spread

OFFERED = 150  # random terms of which the best is added
SAME_FEATURE = 0.5  # how often the first feature of a random term is one of the sum's own
LEAST_DRAWN = 0.03  # correlation with the accuracies that every feature is drawn as if it had
MOST_SHIFT = 1.5  # deviations by which thresholds are off a feature's mean, at most
_ANY = Spread(statistic("params"), 0.0, 1.0)


class Moves:
    """Makes sums of terms from others, by what the primitives of a grammar can say.

    `features`: what random terms are made of, canonical, those that correlate best with the
    accuracies most often.
    """

    def __init__(
        self,
        sums: Sums,
        config: EvolutionConfig,
        grammar: Grammar,
        features: Sequence[Expression],
    ) -> None:
        self._sums, self._config = sums, config
        self._spreads: list[Spread] = []
        add, mul = (config.complexity.get(name, 1) for name in ("add", "mul"))
        self._joint, self._weight = add, mul + 1  # their sizes; 1 is that of a constant
        weights: list[float] = []
        for feature in features:
            row = sums.row(feature)
            if row is not None:
                correlation = abs(float(row @ sums.y)) / len(row)
                self._spreads.append(Spread(feature, *sums.spread(feature)))
                weights.append((LEAST_DRAWN + correlation) / self._size_within(feature))
        self._spread_of = {s.feature.text: s for s in self._spreads}
        self._cumulative = list(accumulate(weights))
        self._forms = [
            (build, weight)
            for build, weight in INTERACTIONS.values()
            if build(_ANY, _ANY, 0.5).primitives() <= grammar.primitives
        ]

    def size(self, terms: Sequence[Expression]) -> int:
        """The size of the weighted sum of these terms."""
        return sum(map(self._size_within, terms)) - self._joint

    def is_within(self, terms: Sequence[Expression]) -> bool:
        """Whether the weighted sum of these terms is within the limits of the configuration."""
        if not terms or self.size(terms) > self._config.max_nodes:
            return False
        try:
            return is_within(
                Individual.of(weighted_sum(terms, [0.5] * len(terms)), ""), self._config
            )
        except InputError:  # the sum is too deep
            return False

    def extended(self, terms: Sequence[Expression]) -> list[Expression]:
        """The terms and one more, where one is found that can be afforded."""
        rows = [self._sums.row(term) for term in terms]
        present = set(terms)
        own = [f.text for term in terms for f in term.features() if f.text in self._spread_of]
        room = self._config.max_nodes - self.size(terms)
        offered = dict.fromkeys(self._random_terms(own))
        usable = [
            (term, size, row)
            for term in offered
            if term not in present
            and (size := self._size_within(term)) <= room
            and (row := self._sums.row(term)) is not None
        ]
        if not usable:
            return list(terms)
        gains = self._sums.gains([r for r in rows if r is not None], [row for *_, row in usable])
        price = self._config.price
        worth = [gain - price * size for gain, (_, size, _) in zip(gains, usable, strict=True)]
        best = max(range(len(usable)), key=lambda i: float(worth[i]))
        return [*terms, usable[best][0]]

    def pruned(self, terms: Sequence[Expression]) -> list[Expression]:
        """The terms without those that are not worth their nodes, and so few that their sum is
        within the limits."""
        kept = [term for term in terms if self._sums.row(term) is not None]
        price = self._config.price
        while len(kept) > 1:
            rows = [row for term in kept if (row := self._sums.row(term)) is not None]
            losses = self._sums.losses(rows).tolist()
            worth = [
                loss - price * self._size_within(term)
                for loss, term in zip(losses, kept, strict=True)
            ]
            least = min(range(len(kept)), key=worth.__getitem__)
            if worth[least] > 0 and self.is_within(kept):
                break
            kept.pop(least)
        return kept

    def exchanged(self, terms: Sequence[Expression]) -> list[Expression]:
        """The terms, mostly without one of them, and with up to three new ones."""
        changed = list(terms)
        if len(changed) > 1 and randomness.happens(0.7):
            changed.remove(randomness.choice(changed))
        for _ in range(3):
            changed = self.extended(changed)
            if randomness.happens(0.5):
                break
        return self.pruned(changed) if randomness.happens(0.3) else changed

    def merged(self, first: Sequence[Expression], second: Sequence[Expression]) -> list[Expression]:
        """The terms of two sums that are worth most together."""
        return self.pruned(list(dict.fromkeys([*first, *second])))

    def _size_within(self, term: Expression) -> int:
        """By how much a term adds to the size of a weighted sum."""
        return self._config.size_of(term) + self._weight + self._joint

    def _random_terms(self, own: Sequence[str]) -> Iterator[Expression]:
        """`OFFERED` random terms; fewer where values are too large for the constants of some."""
        if not self._spreads:
            return
        builds, weights = zip(*self._forms, strict=True)
        for _ in range(OFFERED):
            first, second = self._random_feature(own), self._random_feature(())
            build: Build = randomness.weighted(builds, weights)
            shift = randomness.uniform(-MOST_SHIFT, MOST_SHIFT)
            with suppress(ValueTypeError):
                yield build(first, second, shift).canonical

    def _random_feature(self, own: Sequence[str]) -> Spread:
        if own and randomness.happens(SAME_FEATURE):
            return self._spread_of[randomness.choice(own)]
        return randomness.from_cumulative(self._spreads, self._cumulative)
