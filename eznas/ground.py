"""The ground a formula stands on: which networks, under which conditions, with what accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import DATASETS, PACKAGED, Dataset, load, read_accuracies
from eznas.benchmarks.splits import components, sample, split
from eznas.errors import InputError, unknown
from eznas.evaluation.evaluator import Evaluator, Place
from eznas.evaluation.executors import Progress, Workers, start
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.fitness import Task
from eznas.formulas.expression import Expression
from eznas.metrics import Bootstrap, bootstrap_all
from eznas.proxies.proxy import batch_of, device_of
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import Images
from eznas.system.files import digest

Array = npt.NDArray[np.float64]
JUDGES = 0  # seed of the order of held-out networks: every run is judged on the same ones
FITTED, USED, FRESH = 500, 500, 1000  # of the study: see `study`
SETS = ("all", "connected", "reachable", "search", "held-out", "study", "study-reachable")


@dataclass(frozen=True, eq=False)
class Ground:
    """Networks with accuracies, and the settings they are measured under.

    Data sets of one input size share a setting (the head of the benchmark's first), since only
    the last linear layer would differ. `accuracies`: data set -> float64 [networks].
    """

    space: str
    architectures: tuple[str, ...]
    accuracies: Mapping[str, Array]
    components: npt.NDArray[np.int64]
    settings: Mapping[str, Dataset]
    name: str = "all"
    accuracy: str = "validation"

    def part(self, indices: npt.NDArray[np.int64], name: str) -> "Ground":
        """These networks, in this order, under the name of a set."""
        return Ground(
            self.space,
            tuple(self.architectures[i] for i in indices),
            {d: a[indices] for d, a in self.accuracies.items()},
            self.components[indices],
            self.settings,
            name,
            self.accuracy,
        )

    def labelled(self) -> "Ground":
        """The same with the name of the space before those of its data sets."""
        return replace(
            self,
            accuracies={f"{self.space}/{d}": a for d, a in self.accuracies.items()},
            settings={f"{self.space}/{d}": s for d, s in self.settings.items()},
        )

    def distinct_settings(self) -> list[Dataset]:
        """One setting per input size, in the order of the data sets."""
        found: dict[int, Dataset] = {}
        for setting in self.settings.values():
            found.setdefault(setting.input_size, setting)
        return list(found.values())

    def conditions(
        self,
        *,
        raw: int,
        sketch: int,
        seed: int,
        images: str | None,
        device: str = "cpu",
        storage: str = "single",
    ) -> tuple[MeasurementConfig, ...]:
        """The conditions of each distinct setting: one batch of images, area-resized."""
        distinct = self.distinct_settings()
        device = device_of(device)
        # One batch at the data sets' own largest size, whatever else is asked for beside them.
        own = [s.input_size for d, s in self.settings.items() if "@" not in d]
        largest = max(own or [s.input_size for s in distinct])
        batch = batch_of(images, max(raw, sketch), largest, seed=0)

        def at(size: int) -> Images:
            if size == largest:
                return batch
            if size < largest:
                return batch.resized(size)
            return batch_of(images, max(raw, sketch), size, seed=0)

        return tuple(
            MeasurementConfig(
                at(s.input_size),
                s.classes,
                raw,
                sketch,
                seed=seed,
                device=device,
                storage=storage,
            )
            for s in distinct
        )

    def tasks(self) -> list[Task]:
        """One ranking task per data set."""
        sizes = [s.input_size for s in self.distinct_settings()]
        return [
            Task(d, sizes.index(s.input_size), self.accuracies[d]) for d, s in self.settings.items()
        ]

    def workers(
        self,
        conditions: tuple[MeasurementConfig, ...],
        count: int,
        statistics: tuple[str, ...] = (),
        keep: bool = False,
        progress: Progress | None = None,
        lenient: bool = False,
    ) -> Workers:
        """Workers for networks of this space; see `Evaluator`."""
        places = (Place(SPACES[self.space], conditions),)
        made = partial(Evaluator, places, statistics, keep, None, lenient)
        return start(made, count, progress)

    def digest(self) -> str:
        """Of the networks and their accuracies."""
        numbers = {d: a.tolist() for d, a in self.accuracies.items()}
        return digest(repr((self.space, self.architectures, numbers)).encode())

    def scores(self, formulas: Sequence[Expression], workers: Workers) -> dict[str, Array]:
        """Scores per data set, float64 [formulas, networks]; NaN where undefined."""
        table = FeatureTable(self.architectures, workers.evaluate)
        table.fill(formulas, table.networks)
        return {
            t.dataset: np.stack([self._row(table, formula, t.setting) for formula in formulas])
            for t in self.tasks()
        }

    def judge(
        self,
        scores: Mapping[str, Array],
        replicates: int,
        sizes: Array | None = None,
        groups: Array | None = None,
    ) -> dict[str, Bootstrap]:
        """Correlations with bootstrap replicates over components; `sizes` [sizes, networks] are
        what partial correlations hold fixed, `groups` [networks] what ties networks together."""
        return bootstrap_all(
            scores, self.accuracies, self.components, replicates, sizes=sizes, groups=groups
        )

    def _row(self, table: FeatureTable, formula: Expression, setting: int) -> Array:
        values = table.scores(formula, setting, table.networks).values
        return values if values.size else np.full(table.networks, np.nan)


def ground(space: str, datasets: Sequence[str] = ()) -> Ground:
    """All networks of a benchmark with the accuracies of some data sets (none: all)."""
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    benchmark = load(space)
    settings = _presented(space, benchmark.settings, datasets)
    return Ground(
        space,
        benchmark.architectures,
        {d: benchmark.accuracy[d.partition("@")[0]] for d in settings},
        benchmark.components,
        settings,
        accuracy=benchmark.kind,
    )


def grounds(tasks: Sequence[str], others: Sequence[str] = ()) -> tuple[list[Ground], list[Ground]]:
    """The ground of each space among the tasks, and among others: texts SPACE, SPACE/DATASET or
    SPACE/DATASET@SIZE.

    With more than one space in all, data sets are named SPACE/DATASET. `InputError` for a space
    that is in both.
    """
    found, more = (asked(texts) for texts in (tasks, others))
    if both := found.keys() & more.keys():
        raise InputError(f"space {min(both)}: among the tasks, it cannot be held out")
    alone = len(found.keys() | more.keys()) == 1
    first, second = (
        [own if alone else own.labelled() for own in (ground(s, d) for s, d in some.items())]
        for some in (found, more)
    )
    return first, second


def asked(tasks: Sequence[str]) -> dict[str, list[str]]:
    """Space -> its data sets, none for all of them: of texts as `grounds` takes them."""
    found: dict[str, list[str]] = {}
    for space, _, dataset in (t.partition("/") for t in tasks):
        found.setdefault(space, []).append(dataset)
    return {s: [] if "" in d else d for s, d in found.items()}


def _presented(
    space: str, settings: Mapping[str, Dataset], datasets: Sequence[str]
) -> dict[str, Dataset]:
    """How each of the data sets (none: all) is presented: one setting per input size, that of
    the first of the size. DATASET@SIZE is a data set with its images at another size."""
    first: dict[int, Dataset] = {}
    for setting in settings.values():
        first.setdefault(setting.input_size, setting)
    sized = {d: _sized(space, d, settings) for d in dict.fromkeys(datasets or settings)}
    return {d: first.setdefault(s.input_size, s) for d, s in sized.items()}


def _sized(space: str, text: str, settings: Mapping[str, Dataset]) -> Dataset:
    dataset, at, size = text.partition("@")
    if dataset not in settings:
        raise unknown(f"{space} dataset", dataset, settings)
    if not at:
        return settings[dataset]
    native = [str(s.input_size) for s in settings.values()]
    if not size.isdecimal() or not 8 <= int(size) <= 512 or size[0] == "0" or size in native:
        raise InputError(
            f"data set {text!r}: expected DATASET@SIZE, size 8 to 512 pixels and none of "
            f"{', '.join(dict.fromkeys(native))}, which its data sets have"
        )
    head = next(iter(settings.values())).classes
    return Dataset(int(size), head)


def searched(whole: Ground, count: int, seed: int) -> Ground:
    """A sample for a search: networks that never judge."""
    free = split(whole.components).search
    if count > len(free):
        raise InputError(
            f"configuration key networks + choice: at most {len(free)} in space {whole.space}, "
            f"got {count}; try {_fitting(len(free))}"
        )
    return whole.part(sample(free, count, seed), "search")


def _fitting(free: int) -> str:
    choice = free // 6
    settings = {"start": (free - choice) // 2, "networks": free - choice, "choice": choice}
    return " ".join(f"--set {key}={value}" for key, value in settings.items())


def held_out(whole: Ground, count: int) -> Ground:
    """Networks that judge, as many as there are up to a count: the same for every run, none of
    which takes part in a search of this space."""
    judges = split(whole.components).held_out
    return whole.part(sample(judges, min(count, len(judges)), JUDGES), "held-out, all")


def unseen(whole: Ground, count: int) -> Ground:
    """Networks of a space that no search has seen, as many as there are up to a count."""
    indices = np.arange(len(whole.architectures))
    chosen = sample(indices, min(count, len(indices)), JUDGES)
    return whole.part(chosen, "space held out, all")


def study(whole: Ground) -> tuple[Ground, Ground]:
    """Networks to fit on, and networks to judge on that no component joins to them.

    The first are `FITTED` of the search part, in the order of seed 0. The second are `FRESH` held
    out ones beyond the first `USED`, which judge runs and were seen when presets were chosen.
    """
    judged = held_out(whole, USED + FRESH)
    if len(judged.architectures) < USED + FRESH:
        raise InputError(
            f"space {whole.space}: the study needs {USED + FRESH} held-out networks, "
            f"there are {len(judged.architectures)}"
        )
    fresh = judged.part(np.arange(USED, USED + FRESH), "held-out, fresh")
    return searched(whole, FITTED, 0), fresh


def joined(first: Ground, second: Ground) -> Ground:
    """The networks of both, those of the first in front."""
    return Ground(
        first.space,
        first.architectures + second.architectures,
        {d: np.concatenate([a, second.accuracies[d]]) for d, a in first.accuracies.items()},
        np.concatenate([first.components, second.components]),
        first.settings,
        f"{first.name}; {second.name}",
        first.accuracy,
    )


class AtMost(int):
    """A number of networks, or as many as there are."""


def counted(asked: int | None, there: int) -> int:
    """How many networks were asked for: a number, `AtMost` one, or None for all that are there."""
    if asked is None:
        return there
    return min(asked, there) if isinstance(asked, AtMost) else asked


def sampled(whole: Ground, name: str, count: int | None, seed: int) -> Ground:
    """A sample of one of `SETS`; all of it where no count is given. The study comes in its own
    order, whatever the seed."""
    ordered = name.startswith("study")
    if ordered and name in SETS:
        place = {a: i for i, a in enumerate(whole.architectures)}
        indices = np.array([place[a] for part in study(whole) for a in part.architectures])
        if name == "study-reachable":
            indices = indices[_members(whole, "reachable")[indices]]
    else:
        indices = np.flatnonzero(_members(whole, name))
    count = counted(count, len(indices))
    if not 2 <= count <= len(indices):
        raise InputError(f"networks {count}: expected 2 to {len(indices)} for the set {name!r}")
    if ordered:
        return whole.part(indices[:count], name)
    chosen = np.sort(indices) if count == len(indices) else sample(indices, count, seed)
    return whole.part(chosen, name)


def given(space: str, file: str, datasets: Sequence[str] = ()) -> Ground:
    """The networks of an accuracy file, with its accuracies in place of a benchmark's.

    Without data sets: all of the space's.
    """
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    architectures, accuracies = read_accuracies(file, SPACES[space])
    if len(architectures) < 2:
        raise InputError(f"{file}: expected at least 2 rows, got {len(architectures)}")
    if space in PACKAGED:  # whose networks may be joined by others that are not in the file
        whole = ground(space, datasets)
        place = {a: i for i, a in enumerate(whole.architectures)}
        settings = whole.settings
        linked = whole.components[[place[a] for a in architectures]]
    else:
        settings = _presented(space, _known(space), datasets)
        linked = components(SPACES[space], architectures)
    shown = dict.fromkeys(settings, accuracies)
    return Ground(space, architectures, shown, linked, settings, "given", "given")


def untrained(space: str, architectures: Sequence[str], datasets: Sequence[str] = ()) -> Ground:
    """Networks as their data sets (none: all of the space's) present them, without accuracies."""
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    settings = _presented(space, _known(space), datasets)
    unknown_to = np.full(len(architectures), np.nan)
    apart = np.arange(len(architectures))
    return Ground(space, tuple(architectures), dict.fromkeys(settings, unknown_to), apart, settings)


def _known(space: str) -> dict[str, Dataset]:
    return {d: DATASETS[d] for d in SPACES[space].datasets}


def _members(whole: Ground, name: str) -> npt.NDArray[np.bool_]:
    if name not in SETS:
        raise unknown("set", name, SETS)
    if name == "all":
        return np.ones(len(whole.architectures), dtype=bool)
    if name in ("search", "held-out"):
        parts = split(whole.components)
        own = parts.search if name == "search" else parts.held_out
        return np.isin(np.arange(len(whole.architectures)), own)
    space = SPACES[whole.space]
    if name == "reachable":  # no operation off the paths from input to output
        return np.array([a == space.live_cell(a) for a in whole.architectures])
    return np.array([space.connected(a) for a in whole.architectures])
