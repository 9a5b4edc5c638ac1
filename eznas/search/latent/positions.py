"""Between the text of architectures and tensors: one one-hot column for every option of a space."""

import itertools
from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor

from eznas.errors import InputError
from eznas.spaces import Space


class Positions:
    """The options of a space as columns, in the order of `Space.encode`.

    `options`: how many columns there are. Methods that take architectures raise `InputError` for a
    text that is none of the space.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        counts = [len(options) for options in space.positions]
        self.options = sum(counts)
        starts = list(itertools.accumulate(counts, initial=0))[:-1]
        self._column = [
            {option: start + i for i, option in enumerate(options)}
            for start, options in zip(starts, space.positions, strict=True)
        ]
        # Row by row the columns of each position; what is short is filled with one more column.
        filled = [
            [start + i if i < count else self.options for i in range(max(counts))]
            for start, count in zip(starts, counts, strict=True)
        ]
        self._by_position = torch.tensor(filled)

    def columns(self, architectures: Sequence[str]) -> Tensor:
        """The column of each choice, int64 [architectures, positions]."""
        rows = [
            [column[option] for column, option in zip(self._column, choices, strict=True)]
            for choices in map(self.space.choices, architectures)
        ]
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), len(self._column))

    def one_hot(self, columns: Tensor) -> Tensor:
        """float32 [architectures, options]: 1 in the columns [architectures, positions]."""
        return torch.zeros(len(columns), self.options).scatter_(1, columns, 1.0)

    def cross_entropy(self, logits: Tensor, columns: Tensor) -> Tensor:
        """The cross-entropy of each choice, a softmax over the options of every position, summed
        over positions: [n], from logits [n, options] and columns [n, positions]."""
        shares = self._apart(logits).logsumexp(-1)
        return (shares - logits.gather(1, columns)).sum(1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """The softmax over the options of every position, [n, options], of logits [n, options]."""
        shares = self._apart(logits).softmax(-1).flatten(1)
        return shares[:, self._by_position.flatten() < self.options]

    def texts(self, logits: Tensor) -> list[str | None]:
        """The architecture of the most likely option at every position, canonical, for each row of
        logits [n, options]; None where these options make no network."""
        chosen = self._apart(logits).argmax(-1)  # number of an option of its position
        known: dict[tuple[int, ...], str | None] = {}
        texts = []
        for row in map(tuple, chosen.tolist()):
            if row not in known:
                known[row] = self._text(row)
            texts.append(known[row])
        return texts

    def _apart(self, logits: Tensor) -> Tensor:
        """Logits [n, options] as [n, positions, most options of a position], filled with -inf."""
        filled = torch.cat([logits, logits.new_full((len(logits), 1), -torch.inf)], 1)
        return filled[:, self._by_position]

    def _text(self, numbers: tuple[int, ...]) -> str | None:
        with suppress(InputError):
            pairs = zip(self.space.positions, numbers, strict=True)
            return self.space.text([options[number] for options, number in pairs])
        return None
