"""NAS-Bench-101 as JSON: what the authors' package tells of every network, trained 108 epochs.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019.
The official file is read by that package alone (github.com/google-research/nasbench); where it is
installed, these lines make the file that is read here:

    import json
    from nasbench import api

    bench, rows = api.NASBench("nasbench_only108.tfrecord"), {}
    for key in bench.hash_iterator():
        fixed, computed = bench.get_metrics_from_hash(key)
        rows[key] = {
            "module_adjacency": fixed["module_adjacency"].tolist(),
            "module_operations": fixed["module_operations"],
            "trainable_parameters": fixed["trainable_parameters"],
        }
        for name in ("final_validation_accuracy", "final_test_accuracy"):
            rows[key][name] = [run[name] for run in computed[108]]
    with open("nasbench101.json", "w") as file:
        json.dump(rows, file)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eznas.benchmarks.benchmark import Table
from eznas.errors import InputError
from eznas.spaces import Space, nasbench101
from eznas.system.files import read_json

LETTERS = {"conv3x3-bn-relu": "3", "conv1x1-bn-relu": "1", "maxpool3x3": "m"}
ROW = "module_adjacency, module_operations and final_validation_accuracy"


def read(path: Path, space: Space) -> Table:
    """The table of a file that maps hashes to rows: of each the validation accuracies, fractions
    in the file and percent in the table. `InputError` names the file and the hash where it is not
    as expected."""
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: expected an object of hashes, with {ROW} in each")
    trials: dict[str, tuple[float, ...]] = {}
    hashes: dict[str, str] = {}
    for key, row in content.items():
        try:
            architecture = space.canonical(_architecture(row))
            accuracies = tuple(map(_percent, row["final_validation_accuracy"]))
        except InputError as error:
            raise InputError(f"{path}: {key}: {error}") from None
        except (LookupError, TypeError, ValueError):
            raise InputError(f"{path}: {key}: expected {ROW}") from None
        if architecture in hashes:
            raise InputError(f"{path}: {key}: the network of {hashes[architecture]} once more")
        hashes[architecture] = key
        trials[architecture] = accuracies
    return Table(space.name, "validation", {"cifar10": trials})


def _architecture(row: Mapping[str, Any]) -> str:
    matrix, operations = row["module_adjacency"], row["module_operations"]
    count = len(operations)
    square = len(matrix) == count and all(len(line) == count for line in matrix)
    ends = operations[:1] == ["input"] and operations[-1:] == ["output"]
    if not square or not ends or not set(operations[1:-1]) <= LETTERS.keys():
        raise InputError(
            "expected a square adjacency and operations from input to output, of "
            + ", ".join(LETTERS)
        )
    edges = [(a, b) for a, line in enumerate(matrix) for b, bit in enumerate(line) if bit]
    if any(a >= b for a, b in edges):
        raise InputError("expected an adjacency with ones above the diagonal alone")
    letters = "".join(LETTERS[operation] for operation in operations[1:-1])
    return nasbench101.spelled(nasbench101.pruned(edges, letters, f"of {letters or 'no vertices'}"))


def _percent(accuracy: Any) -> float:
    fraction = float(accuracy)
    if not 0 <= fraction <= 1:
        raise InputError(f"accuracy {fraction}: expected a fraction, 0 to 1")
    return 100 * fraction
