"""Moves between weighted sums: terms are added, dropped and exchanged, and two sums merged.

An added term is the best of some random ones beside the terms so far, by what it explains less the
price of its nodes; the random ones are features and their `INTERACTIONS`.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eznas.evolution import randomness
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import Grammar
from eznas.evolution.sums import Sums, weighted_sum
from eznas.evolution.variation import is_within
from eznas.formulas.expression import Expression, ValueTypeError, statistic
from eznas.formulas.interactions import (
    FEATURE,
    INTERACTIONS,
    Form,
    Spread,
    interaction,
    interaction_values,
)

OFFERED = 150  # random terms of which the best is added
SAME_FEATURE = 0.5  # how often the first feature of a random term is one of the sum's own
LEAST_DRAWN = 0.03  # correlation with the accuracies that every feature is drawn as if it had
MOST_SHIFT = 1.5  # deviations by which thresholds are off a feature's mean, at most
_FIRST, _SECOND = (Spread(statistic(name), 0.0, 1.0) for name in ("params", "operations"))


class _Random(NamedTuple):
    """A random term: an interaction of two features, and what it adds to the size of a sum."""

    form: Form
    first: Spread[Expression]
    second: Spread[Expression]
    shift: float
    size: int

    def formula(self) -> Expression:
        """Raises `ValueTypeError` where a constant is not finite."""
        return interaction(*self[:4]).canonical


class Moves:
    """Makes sums of terms from others, by what the primitives of a grammar can say.

    `features`: what random terms are made of, canonical, those that correlate best with the
    accuracies most often. `valued`: how many random terms were compared so far.
    """

    def __init__(
        self,
        sums: Sums,
        config: EvolutionConfig,
        grammar: Grammar,
        features: Sequence[Expression],
    ) -> None:
        self._sums, self._config, self.valued = sums, config, 0
        self._spreads: list[Spread[Expression]] = []
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
        self._number_of = {s.feature.text: number for number, s in enumerate(self._spreads)}
        self._means = np.array([s.mean for s in self._spreads])
        self._deviations = np.array([s.deviation for s in self._spreads])
        values = [sums.values(s.feature) for s in self._spreads]
        self._values = torch.stack(values) if values else torch.empty(0)
        self._empty = self._values == -torch.inf
        self._cumulative = list(accumulate(weights))
        self._forms, self._form_weights = [], list[float]()
        forms = INTERACTIONS if config.interactions else {FEATURE: INTERACTIONS[FEATURE]}
        for form, weight in forms.values():
            built = interaction(form, _FIRST, _SECOND, 0.5)
            if built.primitives() <= grammar.primitives:
                own_size = self._size_within(built) - sum(map(config.size_of, built.features()))
                self._forms.append((form, own_size, _SECOND.feature in built.features()))
                self._form_weights.append(weight)

    def size(self, terms: Sequence[Expression]) -> int:
        """The size of the weighted sum of these terms."""
        return sum(map(self._size_within, terms)) - self._joint

    def is_within(self, terms: Sequence[Expression]) -> bool:
        """Whether the weighted sum of these terms is within the limits of the configuration."""
        if not terms or self.size(terms) > self._config.max_nodes:
            return False
        return is_within(weighted_sum(terms, [0.5] * len(terms)), self._config)

    def extended(self, terms: Sequence[Expression]) -> list[Expression]:
        """The terms and one more, where one is found that can be afforded."""
        rows = [row for term in terms if (row := self._sums.row(term)) is not None]
        own = [f.text for term in terms for f in term.features() if f.text in self._spread_of]
        room = self._config.max_nodes - self.size(terms)
        offered = [term for term in self._random_terms(own) if term.size <= room]
        if not offered:
            return list(terms)
        self.valued += len(offered)
        offered_rows, deviations = self._sums.rows(*self._values_of(offered))
        usable = ~deviations.isnan()
        gains = self._sums.gains(rows, offered_rows[usable])
        affordable = [term for term, is_usable in zip(offered, usable, strict=True) if is_usable]
        price = self._config.price
        worth = [g - price * t.size for g, t in zip(gains.tolist(), affordable, strict=True)]
        for i in sorted(range(len(worth)), key=worth.__getitem__, reverse=True):
            with suppress(ValueTypeError):
                best = affordable[i].formula()
                if best not in terms and self._sums.row(best) is not None:
                    return [*terms, best]
        return list(terms)

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

    def _random_terms(self, own: Sequence[str]) -> Iterator[_Random]:
        """`OFFERED` random terms; none where there are no features."""
        if not self._spreads:
            return
        for _ in range(OFFERED):
            first, second = self._random_feature(own), self._random_feature(())
            form, size, has_second = randomness.weighted(self._forms, self._form_weights)
            shift = randomness.uniform(-MOST_SHIFT, MOST_SHIFT)
            size += self._config.size_of(first.feature)
            size += self._config.size_of(second.feature) if has_second else 0
            yield _Random(form, first, second, shift, size)

    def _values_of(self, offered: Sequence[_Random]) -> tuple[Tensor, Tensor]:
        """The values of random terms, and where there is nothing to aggregate: [terms, contexts,
        networks] each. Numbers say which is the best; only that one becomes a formula."""
        first = np.array([self._number_of[term.first.feature.text] for term in offered])
        second = np.array([self._number_of[term.second.feature.text] for term in offered])
        shifts = np.array([term.shift for term in offered])
        values = self._values.new_empty(len(offered), *self._values.shape[1:])
        for form in dict.fromkeys(term.form for term in offered):
            of_form = np.array([i for i, term in enumerate(offered) if term.form is form])
            spreads = self._spreads_of(first[of_form]), self._spreads_of(second[of_form])
            values[of_form] = interaction_values(form, *spreads, shifts[of_form])
        return values, self._empty[first] | self._empty[second]

    def _spreads_of(self, numbers: npt.NDArray[np.int64]) -> Spread[Tensor]:
        return Spread(self._values[numbers], self._means[numbers], self._deviations[numbers])

    def _random_feature(self, own: Sequence[str]) -> Spread[Expression]:
        if own and randomness.happens(SAME_FEATURE):
            return self._spread_of[randomness.choice(own)]
        return randomness.from_cumulative(self._spreads, self._cumulative)
