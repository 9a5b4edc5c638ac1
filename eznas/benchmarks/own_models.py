"""A user's own models and accuracies as a benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eznas.benchmarks.benchmark import Benchmark, Dataset
from eznas.benchmarks.readers.entries import located
from eznas.benchmarks.readers.plain_csv import read_models
from eznas.errors import InputError, unknown
from eznas.spaces.own_models import NAME, Model, own_space

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
        columns = _columns(accuracies, len(models))
        space = own_space(models, input_size, initialisation)
    for name in datasets:
        if name not in columns:
            raise unknown("data set", name, columns)
    selected = {name: columns[name] for name in datasets or columns}
    [architectures] = space.positions
    return Benchmark(
        NAME,
        architectures,
        dict.fromkeys(selected, _FORM),
        selected,
        np.arange(len(architectures)),
        "given",
        own_space=space,
    )


def _columns(accuracies: Any, count: int) -> dict[str, np.ndarray]:
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
