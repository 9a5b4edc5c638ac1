"""The loop of every search: it asks a method, looks accuracies up, and keeps count."""

from collections.abc import Callable

import numpy as np

from eznas.search.base import MethodRow, Settings
from eznas.search.candidates import Candidates
from eznas.search.history import History

Objective = Callable[[str], float]  # an architecture's accuracy: larger is better
Queried = Callable[[int], None]  # called with the number of queries so far


def _nothing(queries: int) -> None:
    pass


def run(
    method: MethodRow,
    candidates: Candidates,
    objective: Objective,
    settings: Settings,
    seed: int = 0,
    repeat: int = 0,
    queried: Queried = _nothing,
) -> History:
    """One search of at most `settings.queries` queries; fewer where no candidate is left.

    No network is queried twice, and none that the candidates do not allow. All that is drawn
    follows from `seed` and `repeat`: methods begin with the same networks, so that their repeats
    can be compared in pairs.
    """
    generator = np.random.default_rng([seed, repeat])
    history, search = History(), method.make(candidates, settings)
    while left := settings.queries - len(history):
        asked = search.ask(history, left, generator)
        batch = [a for a in dict.fromkeys(asked) if a not in history and candidates.allows(a)]
        if not batch:
            break
        for architecture in batch[:left]:
            history.add(architecture, objective(architecture))
        queried(len(history))
    return history
