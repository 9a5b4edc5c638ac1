"""NAS-Bench-201 after 12 epochs: beside the accuracies of 200 that come with a package."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from eznas.benchmarks.loading import load
from eznas.benchmarks.readers.nasbench201_epochs import read_curves
from eznas.errors import InputError
from tests.shared import shared

HEADER = "architecture,cifar10,cifar100,ImageNet16-120,cifar10_seconds\n"
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")


def test_curves_of_three_data_sets(tmp_path):
    benchmark = load("nasbench201")
    networks = [benchmark.architectures[i] for i in (4711, 7)]
    path = tmp_path / "short.csv"
    path.write_text(HEADER + f"{networks[0]},60,30,20,9\n{networks[1]},50,20,10,9\n")
    parts = read_curves(path)
    assert tuple(curves.dataset for curves in parts) == DATASETS
    for curves, values in zip(parts, ([60, 50], [30, 20], [20, 10]), strict=True):
        assert (curves.space, curves.architectures) == ("nasbench201", tuple(networks))
        assert (curves.epochs.tolist(), curves.total_epochs) == ([12], 200)
        assert curves.values["accuracy"][:, 0].tolist() == values
        expected = benchmark.accuracies[curves.dataset][[4711, 7]]
        np.testing.assert_array_equal(curves.accuracies, expected)


def test_errors(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text(HEADER + "resnet,1,1,1,1\n")
    with pytest.raises(InputError, match=r"short\.csv:2: .*architecture 'resnet'"):
        read_curves(path)
    path.write_text("architecture,cifar100\n")
    with pytest.raises(InputError, match=r"short\.csv:1: no columns of epochs, expected cifar10"):
        read_curves(path)


def test_the_published_table():
    curves = read_curves(shared("nasbench201_12_epochs.csv.gz"))[0]
    assert curves.architectures == load("nasbench201").architectures
    tau = kendalltau(curves.values["accuracy"][:, 0], curves.accuracies).statistic
    assert tau == pytest.approx(0.648, abs=5e-4)
