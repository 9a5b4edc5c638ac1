"""NAS-Bench-Macro's official JSON file: three test accuracies on CIFAR-10 for each network.

Source: Su et al., CVPR 2021.
"""

from pathlib import Path

from eznas.benchmarks.benchmark import Table
from eznas.errors import InputError
from eznas.spaces import Space
from eznas.system.files import read_json


def read(path: Path, space: Space) -> Table:
    """The table of a file that maps eight digits to a row with `test_acc`, a number per run.

    `InputError` names the file and the network where it is not as expected.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: expected an object of architectures, with test_acc in each")
    rows = {}
    for digits, row in content.items():
        try:
            architecture = space.canonical(digits)
            rows[architecture] = tuple(float(a) for a in row["test_acc"])
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (LookupError, TypeError, ValueError):
            raise InputError(f"{path}: {digits}: expected test_acc, a list of numbers") from None
    return Table(space.name, "test", {"cifar10": rows})
