"""The archive: the best formulas of a search, by fitness and by size."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Entry:
    """A formula of the archive, with its result on the first `networks` of the search sample.

    `formula` is the text as evolved, `canonical` decides what is a duplicate; `size`: see
    `EvolutionConfig.size_of`; `taus`: one per task; `generation` and `origin`: when the formula
    entered, and the operator that made it.
    """

    formula: str
    canonical: str
    size: int
    fitness: float
    taus: tuple[float, ...]
    coverage: float
    networks: int
    generation: int
    origin: str

    def as_dict(self) -> dict[str, object]:
        """The fields as plain data, for the run folder."""
        return asdict(self)


class Archive:
    """Keeps the `width` fittest formulas and, beyond those, the fittest of every size.

    Fitness on different samples cannot be compared: when the sample grows, `renew` the entries.
    """

    def __init__(self, width: int = 24) -> None:
        self._width = width
        self._entries: dict[str, Entry] = {}

    def renew(self, entries: Iterable[Entry]) -> None:
        """Replace all entries by these."""
        self._entries = {}
        self.update(entries)

    def update(self, entries: Iterable[Entry]) -> None:
        """Add entries of the same sample, then drop those that are neither fit nor small enough.

        A formula that is in the archive already stays as it is.
        """
        for entry in entries:
            self._entries.setdefault(entry.canonical, entry)
        ranked = self.ranked()
        front = {e.canonical for e in _front(ranked)}
        self._entries = {
            entry.canonical: entry
            for rank, entry in enumerate(ranked)
            if rank < self._width or entry.canonical in front
        }

    def complete(self, with_taus: Callable[[list[Entry]], list[Entry]]) -> None:
        """Replace the entries that have no taus by the same ones with them."""
        lacking = [entry for entry in self._entries.values() if not entry.taus]
        self._entries |= {entry.canonical: entry for entry in with_taus(lacking)}

    def ranked(self) -> list[Entry]:
        """All entries, fittest first; of equally fit ones the smaller first."""
        return sorted(self._entries.values(), key=lambda e: (-e.fitness, e.size, e.canonical))


def _front(ranked: list[Entry]) -> list[Entry]:
    """The Pareto front of fitness and size: the entries that are fitter than all smaller ones."""
    front: list[Entry] = []
    for entry in ranked:
        if not front or entry.size < front[-1].size:
            front.append(entry)
    return front
