"""NAS-Bench-101 as JSON: the dicts that the official package's `get_metrics_from_hash` returns
(google-research/nasbench, nasbench/api.py), adjacency as lists."""

import json

import pytest
import torch

from eznas.benchmarks.readers import nasbench101
from eznas.errors import InputError
from eznas.spaces import SPACES

SPACE = SPACES["nasbench101"]
CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"

# The paper's example of a cell, as the package's README writes it: 5x5 as two 3x3.
INCEPTION = {
    "module_adjacency": [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    "module_operations": ["input", CONV1, CONV3, CONV3, CONV3, POOL, "output"],
    "trainable_parameters": 2694282,
    "final_validation_accuracy": [0.9376, 0.9424, 0.9408],
    "final_test_accuracy": [0.93, 0.94, 0.935],
}
POOLING = {
    "module_adjacency": [[0, 1, 1], [0, 0, 1], [0, 0, 0]],
    "module_operations": ["input", POOL, "output"],
    "final_validation_accuracy": [0.5],
}


def read(tmp_path, content):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(content))
    return nasbench101.read(path, SPACE)


def test_fractions_become_percent(tmp_path):
    table = read(tmp_path, {"00005c142e6f48ac74fdcf73e3439874": INCEPTION, "0a": POOLING})
    assert (table.space, table.kind, [*table.trials]) == ("nasbench101", "validation", ["cifar10"])
    (inception, inception_runs), pooling = table.trials["cifar10"].items()
    assert inception == "111010000010001100011:1333m"  # the bits row by row
    assert inception_runs == pytest.approx((93.76, 94.24, 94.08))
    assert pooling == ("111:m", (50.0,))


def test_the_network_has_the_parameters_that_the_package_reports(tmp_path):
    """`NASBench.ipynb` of the package prints it for this cell."""
    [architecture] = read(tmp_path, {"0": INCEPTION}).trials["cifar10"]
    with torch.device("meta"):
        model = SPACE.build(architecture)
    assert sum(p.numel() for p in model.parameters()) == INCEPTION["trainable_parameters"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (3, "expected module_adjacency"),
        (
            {k: v for k, v in POOLING.items() if k != "module_operations"},
            "expected module_adjacency",
        ),
        (POOLING | {"final_validation_accuracy": 0.5}, "expected module_adjacency"),
        (POOLING | {"final_validation_accuracy": ["high"]}, "expected module_adjacency"),
        (POOLING | {"final_validation_accuracy": [93.1]}, "accuracy 93.1: expected a fraction"),
        (
            POOLING | {"final_validation_accuracy": [float("nan")]},
            "accuracy nan: expected a fraction",
        ),
        (POOLING | {"module_operations": ["input", "conv", "output"]}, "operations from input"),
        (POOLING | {"module_operations": ["input", "output"]}, "a square adjacency"),
        (POOLING | {"module_adjacency": [[0, 1], [0, 0, 1], [0, 0, 0]]}, "a square adjacency"),
        (POOLING | {"module_adjacency": [[0, 1, 1], [1, 0, 1], [0, 0, 0]]}, "above the diagonal"),
        (POOLING | {"module_adjacency": [[0, 1, 0], [0, 0, 0], [0, 0, 0]]}, "no path from input"),
    ],
)
def test_errors_name_file_and_hash(tmp_path, row, message):
    with pytest.raises(InputError, match=rf"bench\.json: 0b: .*{message}"):
        read(tmp_path, {"0a": INCEPTION, "0b": row})


def test_one_network_under_two_hashes_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"bench\.json: 0b: network 111:m was already read from 0a"
    ):
        read(tmp_path, {"0a": POOLING, "0b": POOLING})


@pytest.mark.parametrize("content", [[], {}, 3])
def test_a_file_of_another_structure_is_refused(tmp_path, content):
    with pytest.raises(InputError, match=r"bench\.json: expected an object of hashes"):
        read(tmp_path, content)
