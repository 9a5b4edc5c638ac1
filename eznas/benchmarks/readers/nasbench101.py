"""NAS-Bench-101 as JSON: the validation accuracies of every network after 108 epochs.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019.
Only the authors' package (github.com/google-research/nasbench) reads the official file. Where it is
installed, these lines export the JSON file that is read here:

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
from eznas.benchmarks.readers.entries import Runs, collect_trials, read_json_object
from eznas.errors import InputError
from eznas.spaces import Space, nasbench101

LETTERS = {"conv3x3-bn-relu": "3", "conv1x1-bn-relu": "1", "maxpool3x3": "m"}
ROW = "module_adjacency, module_operations and final_validation_accuracy"


def read(path: Path, space: Space) -> Table:
    """The table of a file that maps the hash of each network to its row.

    Validation accuracies: fractions in the file, percent in the table. `InputError` names the file
    and the hash whose row is not as expected, or describes the network of an earlier hash.
    """

    def read_entry(_: str, row: Mapping[str, Any]) -> tuple[str, dict[str, Runs]]:
        architecture = space.canonical(_architecture(row))
        return architecture, {"cifar10": tuple(map(_percent, row["final_validation_accuracy"]))}

    rows = read_json_object(path, f"hashes, with {ROW} in each")
    return Table(space.name, "validation", collect_trials(path, rows.items(), read_entry, ROW))


def _architecture(row: Mapping[str, Any]) -> str:
    matrix, operations = row["module_adjacency"], row["module_operations"]
    count = len(operations)
    is_square = len(matrix) == count and all(len(line) == count for line in matrix)
    has_ends = operations[:1] == ["input"] and operations[-1:] == ["output"]
    if not is_square or not has_ends or not set(operations[1:-1]) <= LETTERS.keys():
        raise InputError(
            "expected a square adjacency matrix and operations from input to output, out of "
            + ", ".join(LETTERS)
        )
    edges = [(a, b) for a, line in enumerate(matrix) for b, bit in enumerate(line) if bit]
    if any(a >= b for a, b in edges):
        raise InputError("expected an adjacency matrix with ones above the diagonal only")
    letters = "".join(LETTERS[operation] for operation in operations[1:-1])
    return nasbench101.spelled(nasbench101.pruned(edges, letters, f"of {letters or 'no vertices'}"))


def _percent(accuracy: Any) -> float:
    fraction = float(accuracy)
    if not 0 <= fraction <= 1:
        raise InputError(f"accuracy {fraction}: expected a fraction, 0 to 1")
    return 100 * fraction
