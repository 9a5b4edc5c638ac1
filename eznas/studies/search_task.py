"""What a search looks through: the networks of a space, or a part of it, that have an accuracy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from eznas.benchmarks import Dataset
from eznas.benchmarks.loading import from_accuracy_file
from eznas.benchmarks.loading import load as load_benchmark
from eznas.errors import InputError
from eznas.search import Settings
from eznas.spaces import SPACES, Space
from eznas.supernets.parts import inside, numbered, part
from eznas.supernets.tree_file import leaf_of

if TYPE_CHECKING:
    from eznas.predictors.measurements import Measurements


@dataclass(frozen=True)
class Task:
    """What is searched: a space on one data set, the accuracies of its networks, the part in which
    they are searched (the space itself, unless a leaf is named), and those that lie in it."""

    space: Space
    dataset: str
    presented: Dataset
    kind: str
    accuracies: Mapping[str, float]
    part: Space
    members: tuple[str, ...]
    within: str | None = None


def task_of(space: str, dataset: str | None, labels: str | None, within: str | None) -> Task:
    """The networks that have an accuracy, those of a CSV file where there is one.

    Raises `InputError` for a space, data set, file or leaf that cannot be used.
    """
    names = [dataset] if dataset else []
    load = partial(from_accuracy_file, space, labels) if labels else partial(load_benchmark, space)
    benchmark = load(names)
    name, presented = next(iter(benchmark.datasets.items()))
    pairs = zip(benchmark.architectures, benchmark.accuracies[name].tolist(), strict=True)
    known = {architecture: a for architecture, a in pairs if not math.isnan(a)}
    space = benchmark.space  # SPACE:NAME names a table of it
    whole = SPACES[space]
    if within is None:
        return Task(whole, name, presented, benchmark.kind, known, whole, tuple(known))
    leaf_space, allowed = leaf_of(within)
    if leaf_space != space:
        raise InputError(f"{within}: a part of {leaf_space}, expected one of {space}")
    is_inside = inside(numbered(whole, tuple(known)), allowed).tolist()
    members = tuple(a for a, is_member in zip(known, is_inside, strict=True) if is_member)
    if not members:
        raise InputError(f"{within}: none of the {len(known)} networks that have an accuracy")
    leaf = part(whole, allowed)
    return Task(whole, name, presented, benchmark.kind, known, leaf, members, within)


def with_scores(settings: Settings, task: Task, measurements: "Measurements") -> Task:
    """The task with those networks alone that stand in the files of scores which are read; a word
    on them where these are not all. `InputError` where they are fewer than the queries."""
    from eznas.predictors.base import Predictor  # slow to import
    from eznas.studies.known_scores import networks_with_scores

    predictors = [p for p in [settings.predictor] if isinstance(p, Predictor)]
    proxies = [*settings.proxies, *settings.warm_start]
    scored = networks_with_scores(predictors, measurements, proxies)
    if scored is None or scored.issuperset(task.members):
        return task
    members = tuple(a for a in task.members if a in scored)
    if len(members) < settings.queries:
        raise InputError(
            f"queries {settings.queries}: expected 1 to {len(members)}, the networks whose scores "
            f"stand in the files that are read, of {len(task.members)} that have an accuracy"
        )
    where = f"the {len(members):,} networks that have scores"
    return replace(task, members=members, within=", ".join(filter(None, (task.within, where))))
