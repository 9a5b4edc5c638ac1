"""The report on one generation of a search."""

from dataclasses import dataclass, field

from eznas.evolution.archive import Entry


@dataclass(frozen=True)
class Generation:
    """What the journal keeps of one generation; nothing in it depends on the clock.

    - `networks`: size of the sample that formulas were compared on;
    - `best`: first of the archive; `median`: fitness of the population;
    - `valid`, `reasons`: of the new formulas, the share that is defined, and how many are undefined
      for which reason;
    - `evaluations`: formulas evaluated: distinct ones, or every one where weights are fitted;
      `features`: how many are known so far; `pairs`: pairs of a feature and a network that had to
      be evaluated for the new formulas;
    - `origins`: how many of the population each operator made;
    - `disconnected`, `failed`: networks of the sample that have no path from input to output, and
      that could not be measured, for which reason.
    """

    generation: int
    networks: int
    best: Entry
    median: float
    valid: float
    evaluations: int
    features: int
    pairs: int
    reasons: dict[str, int]
    origins: dict[str, int]
    disconnected: int
    failed: dict[str, int] = field(default_factory=dict)  # which older journals lack
