"""A space split into parts by a proxy: what makes the tree that `eznas.supernets` grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.loading import without_accuracies
from eznas.errors import InputError, unknown
from eznas.evaluation.contexts import contexts_of
from eznas.evaluation.executors import NoPhases, Phases
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings
from eznas.report.tree_plot import tree_plot
from eznas.spaces import SPACES, Space
from eznas.spaces.base import LISTED
from eznas.statistics.config import MeasurementConfig
from eznas.supernets.cuts import ByGradient, ByScore, Comparison, PartScore
from eznas.supernets.growing import Watch, grow
from eznas.supernets.members import MemberRanks
from eznas.supernets.mixed import CELLS, WIDTH, GradientMatch, SupernetScore, check_mixed
from eznas.supernets.parts import Allowed, everything, size
from eznas.supernets.tree import Rules, Tree
from eznas.system.arguments import checked

BY = ("supernet", "members")
SIMILARITY = ("score", "gradient")
Floats = NDArray[np.float64]
Scores = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True)
class Splitting:
    """How a space is split.

    `by`: what a proxy scores of a part, its mixed "supernet" (of `width` channels and `cells` a
    stage) or its "members", by their mean rank. `similarity` of two options: of the "score" of
    their parts, or of the "gradient" of their supernets. `reference`: differences of scores are
    divided by the score of the part that is cut. `rules`: how the tree grows. Raises `InputError`
    for what these cannot be.
    """

    by: str = "supernet"
    similarity: str = "score"
    reference: bool = False
    width: int = WIDTH
    cells: int = CELLS
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        for what, value, known in (
            ("way to score a part", self.by, BY),
            ("similarity", self.similarity, SIMILARITY),
        ):
            if value not in known:
                raise unknown(what, value, known)
        for name in ("width", "cells"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: expected 1 or more")
        if (self.by, self.similarity) == ("members", "gradient"):
            raise InputError("similarity gradient: compares supernets, expected --by supernet")

    def check(self, space: str) -> Space:
        """The space of a name. Raises `InputError` for an unknown one, and where it cannot be split
        in this way."""
        if space not in SPACES:
            raise unknown("space", space, SPACES)
        self.rules.check(SPACES[space])
        if self.by == "supernet":
            check_mixed(SPACES[space])
        return SPACES[space]


@checked
def split(
    proxy: str,
    *,
    space: str = "nasbench201",
    leaves: int = 8,
    by: str = "supernet",
    similarity: str = "score",
    edges: str = "given",
    positions: Sequence[int] = (),
    groups: str = "free",
    next_leaf: str = "level",
    stop: float = 0.0,
    reference: bool = False,
    members: int | None = None,
    width: int = WIDTH,
    cells: int = CELLS,
    dataset: str = "",
    seed: int = 0,
    scores: str | None = None,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Phases | None = None,
) -> Tree:
    """Split a space into parts by a proxy: a tree, whose `parts` are spaces.

    `by` to `cells`: see `Splitting`; `leaves`, `edges`, `positions`, `groups`, `next_leaf` and
    `stop`: see `Rules`. `members`: how many networks of the space are drawn to rank parts by (all,
    where none are given; for `by="members"` only). `dataset` ("": the space's first): supernets see
    images of its size and have its number of classes; `seed`: of the initialisation, of the sample
    and of random edges; `scores`: a CSV file of scores that are known, as `Measurements` takes it;
    `images` to `records`: see `ScoringSettings`.

    Raises `InputError` for an argument that cannot be used, for a space without a mixed supernet
    unless it is split by members, and where something cannot be measured.
    """
    rules = Rules(leaves, edges, groups, next_leaf, stop, tuple(positions), seed)
    splitting = Splitting(by, similarity, reference, width, cells, rules)
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    phases = watcher or NoPhases()
    name = bare(proxy)
    load(name)
    whole = splitting.check(space)
    member_scores, networks = None, None
    if by == "members":
        networks = _reference(whole, members, seed)
        member_scores = scores_of(name, space, dataset, settings, scores, phases)
    return tree_by(name, space, splitting, settings, dataset, member_scores, networks, phases)


def tree_by(
    proxy: str,
    space: str,
    splitting: Splitting,
    settings: ScoringSettings,
    dataset: str = "",
    scores: Scores | None = None,
    networks: Sequence[str] | None = None,
    phases: Phases | None = None,
) -> Tree:
    """The tree of a space by a proxy, whose initialisation is that of the first seed of `settings`.

    To split by members: `scores(architectures)`, float64 [networks], and the `networks` among which
    they are ranked. Raises `InputError` as `split` does.
    """
    rules, whole = splitting.rules, SPACES[space]
    seed = settings.seeds[0]
    score: PartScore
    if splitting.by == "members":
        assert scores is not None
        assert networks is not None
        score = MemberRanks(whole, scores, networks, seed)
    else:
        config = config_for(proxy, space, dataset, settings)
        sizes = (splitting.width, splitting.cells)
        score = remembered(SupernetScore(whole, load(proxy), config, *sizes))
    compare: Comparison = ByScore(score, splitting.reference)
    if splitting.similarity == "gradient":
        compare = ByGradient(GradientMatch(whole, config, *sizes).cosines)
    progress: Watch | None = (phases or NoPhases()).phase(f"leaves of {space} by {proxy}", 0)
    root = grow(whole, compare, score, rules, progress)
    return Tree(space, proxy, root, splitting.by, rules)


def config_for(
    proxy: str, space: str, dataset: str, settings: ScoringSettings
) -> MeasurementConfig:
    """How mixed supernets are measured: on the images of a data set ("": the space's first)."""
    networks = without_accuracies(space, (), [dataset or SPACES[space].datasets[0]])
    measurement = settings.measurement(load(proxy), settings.seeds[0])
    return contexts_of(networks, measurement)[0].measurement


def scores_of(
    proxy: str,
    space: str,
    dataset: str,
    settings: ScoringSettings,
    published: str | None = None,
    phases: Phases | None = None,
) -> Scores:
    """What scores networks of a space by a proxy, each once: architectures -> float64 [networks].
    Raises `InputError` as `Measurements` does."""
    from eznas.predictors.measurements import Measurements  # slow to import

    measurements = Measurements(space, dataset, settings, phases, published)
    return lambda architectures: measurements.scores([proxy], architectures)[:, 0]


def remembered(score: PartScore) -> PartScore:
    """A score that is computed once for each part."""
    known: dict[Allowed, float] = {}

    def look_up(allowed: Allowed) -> float:
        if allowed not in known:
            known[allowed] = score(allowed)
        return known[allowed]

    return look_up


def bare(proxy: str) -> str:
    """A proxy's text without `run:` before the name of a run, which is the same."""
    return proxy.strip().removeprefix("run:")


def _reference(space: Space, members: int | None, seed: int) -> Sequence[str]:
    if members is not None:
        if members < 2:
            raise InputError(f"members {members}: expected 2 or more")
        return space.sample(members, seed)
    if size(space, everything(space)) is None:
        raise InputError(
            f"space {space.name}: more than {LISTED:,} combinations: expected a number of members "
            "to draw, as in --members 500"
        )
    return space.architectures()


def plot(tree: Tree, file: str) -> list[str]:
    """Draw a tree into a PNG file, and return its name in a list. Raises `InputError` where it
    cannot be written."""
    tree_plot(Path(file), tree)
    return [file]
