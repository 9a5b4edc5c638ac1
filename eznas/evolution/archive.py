"""The archive: the best formulas met, by fitness and by size."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Entry:
    """A formula as evolved, with what was found on `networks` networks of the search sample."""

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
        """Plain data for the run folder."""
        return asdict(self)


class Archive:
    """Keeps the `width` fittest formulas and, beyond those, the fittest of every size.

    Fitness on different samples cannot be compared: when the sample grows, `renew` the entries.
    """

    def __init__(self, width: int = 24) -> None:
        self._width = width
        self._entries: dict[str, Entry] = {}

    def renew(self, entries: Iterable[Entry]) -> None:
        """Take these entries in place of all there were."""
        self._entries = {}
        self.update(entries)

    def update(self, entries: Iterable[Entry]) -> None:
        """Take in entries of the same sample and let the dominated go."""
        for entry in entries:
            self._entries.setdefault(entry.canonical, entry)
        ranked = self.ranked()
        front = {e.canonical for e in _front(ranked)}
        kept = [e for i, e in enumerate(ranked) if i < self._width or e.canonical in front]
        self._entries = {e.canonical: e for e in kept}

    def ranked(self) -> list[Entry]:
        """All entries, fittest first; the smaller one where fitness is equal."""
        return sorted(self._entries.values(), key=lambda e: (-e.fitness, e.size, e.canonical))

    def front(self) -> list[Entry]:
        """The entries that no smaller one equals or beats, smallest first."""
        return _front(self.ranked())[::-1]


def _front(ranked: list[Entry]) -> list[Entry]:
    front: list[Entry] = []
    for entry in ranked:
        if not front or entry.size < front[-1].size:
            front.append(entry)
    return front
