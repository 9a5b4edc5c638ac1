"""NAAP-440's folder: test accuracies and learning curves of all its networks.

Source: Hakim, "NAAP-440 Dataset and Baseline for Neural Architecture Accuracy Prediction", 2022.
The folder holds `generated_schemes.json`, the layers of every network, and a CSV file (`FILES`)
with a row for each: `ModelId` (its place among the schemes, from 1), `NumParams`, `MaxAccuracy`
(the best of 90 epochs), and for each epoch `e1LossMean`, `e1Accuracy` and so on. Accuracies are
those on the test images, fractions in the file. The learning rate falls over three epochs and
starts again, so a curve rises and falls with it. The accuracy of a network in the table is the mean
over the last three: the best of 90 is chosen on the test images.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.curves import Curves
from eznas.benchmarks.readers.curve_csv import Layout, Row, read_layout
from eznas.benchmarks.readers.entries import located
from eznas.errors import InputError
from eznas.spaces import SPACES, Space
from eznas.system.files import read_json

SCHEMES = "generated_schemes.json"
FILES = ("naap440.csv", "naap440.csv.gz", "naap440dataset.csv")  # the last is the author's name
CYCLE = 3  # epochs in which the learning rate falls, before it starts again
LAYERS = "layers with kernel_size, width, stride and residual"
LAYOUT = Layout(
    required=("ModelId", "NumParams"),
    points={"accuracy": "e{}Accuracy", "train_loss": "e{}LossMean"},
    accuracy="MaxAccuracy",
    scale=1,
)


def read(path: Path, space: Space) -> Table:
    """The table of a folder: the mean test accuracy of each network over the last cycle of the
    learning rate, in percent.

    Raises `InputError` as `read_curves` does.
    """
    [curves] = _read(path, space)
    means = curves.values["accuracy"][:, -CYCLE:].mean(axis=1).round(6)
    runs = {a: (float(n),) for a, n in zip(curves.architectures, means, strict=True)}
    return Table(space.name, "test", {"cifar10": runs})


def read_curves(path: Path) -> tuple[Curves, ...]:
    """The learning curves of a folder.

    `InputError` names the file, and the line or scheme, that is not as expected, such as a row
    whose number of parameters is not that of its scheme.
    """
    return _read(path, SPACES["naap440"])


def _read(path: Path, space: Space) -> tuple[Curves, ...]:
    schemes = _schemes(path / SCHEMES, space)

    def network_of(row: Row) -> str:
        model, size = row["ModelId"].strip(), row["NumParams"].strip()
        if model not in schemes:
            raise InputError(f"expected ModelId from 1 to {len(schemes)}, found {model!r}")
        if (params := _params(schemes[model], space)) != size:
            raise InputError(f"scheme {model} has {params} parameters, expected NumParams {size!r}")
        return schemes[model]

    file = next((path / name for name in FILES if (path / name).is_file()), path / FILES[0])
    curves = read_layout(
        file, LAYOUT, network_of, name=space.name, space=space.name, dataset="cifar10"
    )
    return (curves,)


def _schemes(path: Path, space: Space) -> dict[str, str]:
    """The architecture of every scheme, by its number."""
    content = read_json(path)
    if not isinstance(content, list):
        raise InputError(f"{path}: expected a list of schemes, {LAYERS} in each")
    architectures = {}
    for number, scheme in enumerate(content, 1):
        with located(f"{path}: scheme {number}", LAYERS):
            architectures[str(number)] = space.canonical("-".join(map(_layer, scheme)))
    return architectures


def _layer(layer: Mapping[str, Any]) -> str:
    shortcut = "r" if layer["residual"] else ""
    return f"{layer['kernel_size']}x{layer['width']}s{layer['stride']}{shortcut}"


@functools.cache
def _params(architecture: str, space: Space) -> str:
    with torch.device("meta"):
        return str(sum(p.numel() for p in space.build(architecture).parameters()))
