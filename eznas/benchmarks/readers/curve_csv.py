"""Learning curves from a CSV file, plain or gzipped: a user's own, and published ones.

A file has a row for each network and a column for each epoch. Which columns hold what is said by a
`Layout`; the rest is the same for all files.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eznas.benchmarks.curves import Curves, Floats
from eznas.benchmarks.readers.entries import located
from eznas.benchmarks.readers.plain_csv import Rows, csv_text, finite_number, table_rows
from eznas.errors import InputError
from eznas.spaces import Space

Row = Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """Which columns of a CSV file hold learning curves.

    `required`: columns that a file must have, those that name the networks.
    `points`: what was measured ("accuracy", "train_loss") -> its columns, with {} for the epoch; a
    name without {} is the column of the epoch `single`.
    `accuracy`: the column of the accuracy to be predicted; "" if it is that of the last epoch, None
    if it is not known.
    `scale`: an accuracy of 100 % in the file.
    `first`: the number in the file of the first epoch.
    """

    required: tuple[str, ...]
    points: Mapping[str, str]
    accuracy: str | None = ""
    scale: float = 100
    first: int = 1
    single: int = 1


OWN = Layout(
    required=("architecture",),
    points={"accuracy": "accuracy_{}", "train_loss": "loss_{}"},
    accuracy="accuracy",
)


def read_curves(
    path: str | Path,
    space: Space,
    dataset: str = "",
    total_epochs: int | None = None,
    *,
    with_accuracy: bool = True,
) -> Curves:
    """A user's own learning curves, in file order.

    The first line is a header with the columns `architecture`, `accuracy` (at the end of training,
    in percent) and, for the epochs that are known, `accuracy_1`, `accuracy_2`, ... in percent,
    `loss_1`, `loss_2`, ... (training loss), or both at the same epochs; others are ignored. Epochs
    may be left out. `dataset`: the first of the space unless given. `total_epochs` of the whole
    training: the last epoch in the file unless given. `with_accuracy`: whether the column
    `accuracy` is read; without it, these accuracies are NaN.

    `InputError` names file and line where a column is missing or stands there twice, a row has
    another number of cells than the header, an architecture is not of the space
    or stands in an earlier line, or a number is missing or is not finite (of an accuracy: not from
    0 to 100); and the file where no accuracy is above 1 (fractions), it has no rows or cannot be
    read.
    """
    file = Path(path)
    curves = read_layout(
        file,
        OWN if with_accuracy else replace(OWN, accuracy=None),
        lambda row: space.canonical(row["architecture"]),
        name=file.name,
        space=space.name,
        dataset=dataset or space.datasets[0],
        total_epochs=total_epochs,
    )
    points = curves.values.get("accuracy", np.empty(0))
    check_percent(file, np.append(curves.accuracies, points))
    return curves


def check_percent(file: str | Path, accuracies: Floats) -> None:
    """`InputError` where the accuracies of a file, float64 [any] with NaN for what is not known,
    are surely fractions: none is above 1."""
    highest = np.fmax.reduce(accuracies, initial=np.nan)
    if highest <= 1:
        raise InputError(
            f"{file}: expected accuracies in percent, the highest is {highest:g}: these look like "
            "fractions"
        )


def has_curves(path: str | Path) -> bool:
    """Whether a CSV file has columns of learning curves as `read_curves` takes them; `InputError`
    names the file where it cannot be read."""
    with csv_text(Path(path)) as file:
        header, _ = table_rows(file, Path(path))
    return any(_epochs(header, pattern, OWN) for pattern in OWN.points.values())


def read_layout(
    path: Path,
    layout: Layout,
    network_of: Callable[[Row], str],
    *,
    name: str,
    space: str,
    dataset: str,
    total_epochs: int | None = None,
) -> Curves:
    """The learning curves of a CSV file with this layout; errors are as those of `read_curves`.

    network_of: the network of a row; raises `InputError` where that is not one.
    """
    with _table(path, layout) as (header, rows):
        columns = _columns(header, layout, f"{path}:1")
        numbers_of = _read_rows(path, rows, network_of, lambda row: _numbers(row, layout, columns))
    if layout.accuracy == "" and "accuracy" not in columns:
        raise InputError(f"{path}:1: expected columns {layout.points['accuracy'].format(1)}, ...")
    if not numbers_of:
        raise InputError(f"{path}: no rows; expected at least one below the header")
    table = np.array([*numbers_of.values()])  # [networks, points of all values, and the accuracy]
    epochs = np.array([*next(iter(columns.values()))], dtype=np.int64)
    values = {
        key: table[:, start * len(epochs) : (start + 1) * len(epochs)]
        for start, key in enumerate(columns)
    }
    with located(str(path)):
        return Curves(
            name=name,
            space=space,
            dataset=dataset,
            architectures=tuple(numbers_of),
            epochs=epochs,
            values=values,
            accuracies=_last(table, values, layout),
            total_epochs=int(epochs[-1]) if total_epochs is None else total_epochs,
        )


def _last(table: Floats, values: Mapping[str, Floats], layout: Layout) -> Floats:
    """The accuracies that are to be predicted, float64 [networks]."""
    if layout.accuracy is None:
        return np.full(len(table), np.nan)
    last: Floats = table[:, -1] if layout.accuracy else values["accuracy"][:, -1]
    return last


def _read_rows(
    path: Path,
    rows: Rows,
    network_of: Callable[[Row], str],
    numbers: Callable[[Row], Iterator[float]],
) -> dict[str, list[float]]:
    """Network -> the numbers of its row, in file order."""
    line_of: dict[str, int] = {}
    numbers_of: dict[str, list[float]] = {}
    for line, row in rows:
        with located(f"{path}:{line}"):
            network = network_of(row)
            if network in line_of:
                raise InputError(f"network {network} was already read, line {line_of[network]}")
            numbers_of[network] = [*numbers(row)]
        line_of[network] = line
    return numbers_of


@contextmanager
def _table(path: Path, layout: Layout) -> Iterator[tuple[list[str], Rows]]:
    """The header and the rows of a file whose header has the required columns."""
    with csv_text(path) as file:
        header, rows = table_rows(file, path)
        required = [*layout.required, *([layout.accuracy] if layout.accuracy else [])]
        if missing := [name for name in required if name not in header]:
            raise InputError(
                f"{path}:1: no column {' or '.join(missing)}; found {_shown(header) or 'nothing'}"
            )
        yield header, rows


def _columns(header: Sequence[str], layout: Layout, where: str) -> dict[str, dict[int, str]]:
    """What was measured -> ascending epoch -> column; `InputError` where the epochs differ."""
    columns = {key: _epochs(header, pattern, layout) for key, pattern in layout.points.items()}
    columns = {key: of_epoch for key, of_epoch in columns.items() if of_epoch}
    if not columns:
        expected = " or ".join(p.format(layout.first) for p in layout.points.values())
        raise InputError(f"{where}: no columns of epochs, expected {expected} and so on")
    for key, of_epoch in columns.items():
        for other, of_other_epoch in columns.items():
            if lacking := of_other_epoch.keys() - of_epoch.keys():
                number = min(lacking) - 1 + layout.first
                raise InputError(
                    f"{where}: {layout.points[other].format(number)} without "
                    f"{layout.points[key].format(number)}; expected both at the same epochs"
                )
    return columns


def _epochs(header: Sequence[str], pattern: str, layout: Layout) -> dict[int, str]:
    """Ascending epoch -> the column that the pattern gives it."""
    before, braces, after = pattern.partition("{}")
    if not braces:
        return {layout.single: pattern} if pattern in header else {}
    numbered = re.compile(rf"{re.escape(before)}(0|[1-9][0-9]{{0,5}}){re.escape(after)}")
    matches = (match for name in header if (match := numbered.fullmatch(name)))
    return dict(sorted((int(match[1]) + 1 - layout.first, match[0]) for match in matches))


def _numbers(row: Row, layout: Layout, columns: Mapping[str, Mapping[int, str]]) -> Iterator[float]:
    """The numbers of a row: all values of one kind, those of the next, and the accuracy at the
    end."""
    for key, of_epoch in columns.items():
        for column in of_epoch.values():
            yield (
                _percent(row, column, layout.scale)
                if key == "accuracy"
                else finite_number(row[column], column)
            )
    if layout.accuracy:
        yield _percent(row, layout.accuracy, layout.scale)


def _percent(row: Row, column: str, scale: float) -> float:
    value = finite_number(row[column], column)
    if not 0 <= value <= scale:
        raise InputError(f"expected an accuracy from 0 to {scale:g} as {column}, found {value}")
    return value * 100 / scale


def _shown(header: Sequence[str]) -> str:
    return ",".join(header[:10]) + (",..." if len(header) > 10 else "")
