"""The learning curves on which early stopping by prediction was shown first, on CIFAR-10.

Source: Baker, Gupta, Raskar & Naik, "Accelerating Neural Architecture Search using Performance
Prediction", 2017; data from the authors' accelerating_nas (MIT). A CSV file has a row for each
network and accuracies as fractions. MetaQNN's networks are named by their layers (`net`) and their
epochs counted from 1 (`acc_1`); the deep ResNets, of which only `num_params` is published, are
named by it, and their epochs counted from 0: after `acc_0` no network is at the level of chance.
"""

from pathlib import Path

from eznas.benchmarks.curves import Curves
from eznas.benchmarks.readers.curve_csv import Layout, read_layout

POINTS = {"accuracy": "acc_{}"}
METAQNN = Layout(required=("net",), points=POINTS, scale=1)
RESNETS = Layout(required=("num_params",), points=POINTS, scale=1, first=0)


def read_metaqnn(path: Path) -> tuple[Curves, ...]:
    """The curves of MetaQNN's networks; the accuracy to be predicted is that of the last epoch.

    `InputError` names the file and the line that is not as expected.
    """
    return _read(path, METAQNN, "metaqnn-cifar10")


def read_resnets(path: Path) -> tuple[Curves, ...]:
    """The curves of the deep ResNets, as `read_metaqnn` reads the others."""
    return _read(path, RESNETS, "deep-resnets-cifar10")


def _read(path: Path, layout: Layout, name: str) -> tuple[Curves, ...]:
    [label] = layout.required
    curves = read_layout(
        path, layout, lambda row: row[label].strip(), name=name, space="", dataset="cifar10"
    )
    return (curves,)
