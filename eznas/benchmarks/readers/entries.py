"""What readers of official files share: entries collected into trials, errors that name them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from eznas.errors import InputError
from eznas.system.files import read_json

Runs = tuple[float, ...]  # accuracies of one network in percent, one for each training run
Content = TypeVar("Content")


@contextmanager
def located(where: str, expected: str = "") -> Iterator[None]:
    """A context whose `InputError` says where it occurred: a file, with the line or entry.

    With `expected`, the errors that content of another structure raises (a missing key, a value of
    the wrong type) become an `InputError` too, which says what was expected.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError):
        if not expected:
            raise
        raise InputError(f"{where}: expected {expected}") from None


def read_json_object(path: Path, expected: str) -> dict[str, Any]:
    """The content of a JSON file that is one object with at least one key.

    Raises `InputError` if the file is missing or damaged, or holds anything else; `expected` then
    tells what the object should be like.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: expected an object of {expected}")
    return content


def collect_trials(
    path: Path,
    entries: Iterable[tuple[str, Content]],
    read_entry: Callable[[str, Content], tuple[str, Mapping[str, Runs]]],
    expected: str,
    join_runs: bool = False,
) -> dict[str, dict[str, Runs]]:
    """The trials of all entries of a file: data set -> architecture -> runs, as `Table` has them.

    entries: name, as errors show it, and content of each.
    read_entry: takes name and content; returns the architecture (canonical) and its runs on each
        data set.
    expected: what every entry should contain, for errors.
    join_runs: whether several entries of one architecture are further runs of it.

    `InputError` names the file and the entry that is not as expected or, unless runs are joined,
    has the architecture of an earlier one.
    """
    trials: dict[str, dict[str, Runs]] = {}
    entry_names: dict[str, str] = {}  # architecture -> the entry that it was read from
    for name, content in entries:
        with located(f"{path}: {name}", expected):
            architecture, runs_by_dataset = read_entry(name, content)
        if architecture in entry_names and not join_runs:
            raise InputError(
                f"{path}: {name}: network {architecture} was already read from "
                f"{entry_names[architecture]}; expected each network once"
            )
        entry_names[architecture] = name
        for dataset, runs in runs_by_dataset.items():
            runs_of = trials.setdefault(dataset, {})
            runs_of[architecture] = runs_of.get(architecture, ()) + runs
    return trials
