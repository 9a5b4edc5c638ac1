"""A user's own models and accuracies as a benchmark."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from eznas.benchmarks.benchmark import Benchmark, Dataset
from eznas.benchmarks.readers.entries import located
from eznas.benchmarks.readers.plain_csv import read_models
from eznas.errors import InputError, unknown
from eznas.spaces import Space
from eznas.spaces.own_models import NAME, Model, own_space
from eznas.system.arguments import described

_FORM = Dataset(32, 10)  # a place holder: each model is presented in its own way


def own_benchmark(
    models: str | Sequence[Model],
    accuracies: Any = None,
    *,
    datasets: Sequence[str] = (),
    input_size: Any = None,
    initialisation: str | None = None,
) -> Benchmark:
    """The benchmark of a user's own models, each of which is made once to see whether that works.

    `models`: a CSV file, see `read_models`, or a list as `own_space` takes it; `accuracies` of a
    list: numbers [models], larger is better, or those of several data sets by name. `datasets`:
    some of these (none are named: all). `input_size`, `initialisation`: see `own_space`.

    Raises `InputError` for a file that cannot be read, accuracies that are no finite numbers or not
    as many as models, an unknown data set, and models that `own_space` refuses.
    """
    if isinstance(models, str):
        if accuracies is not None:
            raise InputError(f"accuracies: expected none beside the file {models}, which has them")
        names, columns = read_models(Path(models))
        with located(models):
            space = own_space(names, input_size, initialisation)
    else:
        models = _listed(models)
        columns = _columns(accuracies, len(models))
        space = own_space(models, input_size, initialisation)
    for name in datasets:
        if name not in columns:
            raise unknown("data set", name, columns)
    selected = {name: columns[name] for name in datasets or columns}
    return _benchmark(space, selected)


def unlabelled(
    models: Sequence[Model], input_size: Any = None, initialisation: str | None = None
) -> Benchmark:
    """A user's own models, one at least, without accuracies: those of the data set "accuracy" are
    NaN. Raises `InputError` for models that `own_space` refuses."""
    space = own_space(_listed(models), input_size, initialisation, fewest=1)
    [architectures] = space.positions
    return _benchmark(space, {"accuracy": np.full(len(architectures), np.nan)})


def _benchmark(space: Space, accuracies: Mapping[str, NDArray[np.float64]]) -> Benchmark:
    [architectures] = space.positions
    return Benchmark(
        NAME,
        architectures,
        dict.fromkeys(accuracies, _FORM),
        accuracies,
        np.arange(len(architectures)),
        "given",
        own_space=space,
    )


def _listed(models: Any) -> list[Model]:
    """A list of models; `InputError` for anything else, such as a single one."""
    if isinstance(models, str | nn.Module) or not isinstance(models, Iterable):
        raise InputError(f"models: expected a list, got {described(models)}")
    return list(models)


def _columns(accuracies: Any, count: int) -> dict[str, NDArray[np.float64]]:
    """Accuracies by data set, float64 [models]."""
    by_name = accuracies if isinstance(accuracies, Mapping) else {"accuracy": accuracies}
    if accuracies is None or not by_name:
        raise InputError("accuracies: expected a number for each of the models")
    columns = {}
    for name, values in by_name.items():
        try:
            column = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"accuracies of {name}: expected numbers") from None
        if column.shape != (count,):
            shape = list(column.shape)
            raise InputError(f"accuracies of {name}: expected one for each of {count}, got {shape}")
        if not np.isfinite(column).all():
            index = int(np.flatnonzero(~np.isfinite(column))[0])
            number = column[index]
            raise InputError(f"accuracies of {name}: expected finite numbers, {index} is {number}")
        columns[str(name)] = column
    return columns
