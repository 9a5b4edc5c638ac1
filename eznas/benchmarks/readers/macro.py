"""NAS-Bench-Macro's official JSON file: three test accuracies on CIFAR-10 for each network.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021.
"""

from pathlib import Path
from typing import Any

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.readers.entries import Runs, collect_trials, read_json_object
from eznas.spaces import Space


def read(path: Path, space: Space) -> Table:
    """The table of a file that maps eight digits to a row with `test_acc`, a number per run.

    Test accuracies in percent, as in the file. `InputError` names the file and the digits whose
    row is not as expected.
    """

    def read_entry(digits: str, row: Any) -> tuple[str, dict[str, Runs]]:
        return space.canonical(digits), {"cifar10": tuple(map(float, row["test_acc"]))}

    rows = read_json_object(path, "architectures, with test_acc in each")
    trials = collect_trials(path, rows.items(), read_entry, "test_acc, a list of numbers")
    return Table(space.name, "test", trials)
