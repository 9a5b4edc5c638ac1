"""Moves between weighted sums: terms are added, dropped and exchanged, and two sums merged.

An added term is the best of some random ones beside the terms so far, by what it explains less the
price of its nodes; the random ones are features and their `INTERACTIONS`.
"""

from collections.abc import Sequence
from itertools import accumulate

from eznas.evolution import randomness
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import Grammar
from eznas.evolution.sums import Sums
from eznas.formulas.expression import Expression
from eznas.formulas.interactions import INTERACTIONS, Build, Spread

OFFERED = 150  # random terms of which the best is added
SAME_FEATURE = 0.5  # how often the first feature of a random term is one of the sum's own
LEAST_DRAWN = 0.03  # correlation with the accuracies that every feature is drawn as if it had
NODES_OF_A_WEIGHT = 3  # with its product and its sum
MOST_SHIFT = 1.5  # deviations by which thresholds are off a feature's mean, at most


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
        weights: list[float] = []
        for feature in features:
            row = sums.row(feature)
            if row is not None:
                correlation = abs(float(row @ sums.y)) / len(row)
                self._spreads.append(Spread(feature, *sums.spread(feature)))
                size = config.size_of(feature) + NODES_OF_A_WEIGHT
                weights.append((LEAST_DRAWN + correlation) / size)
        self._spread_of = {s.feature.text: s for s in self._spreads}
        self._cumulative = list(accumulate(weights))
        self._forms = [
            (build, weight)
            for build, weight in INTERACTIONS.values()
            if all(grammar.computes(build(s, s, 0.5)) for s in self._spreads[:1])
        ]

    def size(self, terms: Sequence[Expression]) -> int:
        """The size of the weighted sum of these terms."""
        return sum(self._config.size_of(term) + NODES_OF_A_WEIGHT for term in terms) - 1

    def extended(self, terms: Sequence[Expression]) -> list[Expression]:
        """The terms and one more, where one is found that can be afforded."""
        rows = [self._sums.row(term) for term in terms]
        present = set(terms)
        own = [f.text for term in terms for f in term.features() if f.text in self._spread_of]
        room = self._config.max_nodes - self.size(terms)
        offered = dict.fromkeys(self._random_term(own) for _ in range(OFFERED))
        usable = [
            (term, size, row)
            for term in offered
            if term not in present
            and (size := self._config.size_of(term) + NODES_OF_A_WEIGHT) <= room
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
        within the limit of nodes."""
        kept = [term for term in terms if self._sums.row(term) is not None]
        price, config = self._config.price, self._config
        while len(kept) > 1:
            rows = [row for term in kept if (row := self._sums.row(term)) is not None]
            losses = self._sums.losses(rows).tolist()
            worth = [
                loss - price * (config.size_of(term) + NODES_OF_A_WEIGHT)
                for loss, term in zip(losses, kept, strict=True)
            ]
            least = min(range(len(kept)), key=worth.__getitem__)
            if worth[least] > 0 and self.size(kept) <= config.max_nodes:
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

    def _random_term(self, own: Sequence[str]) -> Expression:
        first, second = self._random_feature(own), self._random_feature(())
        builds, weights = zip(*self._forms, strict=True)
        build: Build = randomness.weighted(builds, weights)
        return build(first, second, randomness.uniform(-MOST_SHIFT, MOST_SHIFT)).canonical

    def _random_feature(self, own: Sequence[str]) -> Spread:
        if own and randomness.happens(SAME_FEATURE):
            return self._spread_of[randomness.choice(own)]
        return randomness.from_cumulative(self._spreads, self._cumulative)
