"""Baker's own learning curves: names of networks, and how epochs are counted."""

import numpy as np
import pytest

from eznas.benchmarks.readers import baker
from eznas.errors import InputError
from tests.shared import shared

LAYERS = '"[C(64,1,1), SM(10)]"'


def test_metaqnn(tmp_path):
    path = tmp_path / "metaqnn.csv"
    path.write_text(f"net,num_params,acc_1,acc_2\n{LAYERS},5,0.25,0.5\nb,5,0.125,0.25\n")
    [curves] = baker.read_metaqnn(path)
    assert (curves.name, curves.space, curves.dataset) == ("metaqnn-cifar10", "", "cifar10")
    assert curves.architectures == ("[C(64,1,1), SM(10)]", "b")
    assert (curves.epochs.tolist(), curves.total_epochs) == ([1, 2], 2)
    assert curves.values["accuracy"].tolist() == [[25, 50], [12.5, 25]]
    assert curves.accuracies.tolist() == [50, 25]


def test_epochs_of_resnets_are_counted_from_0(tmp_path):
    path = tmp_path / "resnets.csv"
    path.write_text("num_params,lr,acc_0,acc_1\n100,0.1,0.25,0.5\n")
    [curves] = baker.read_resnets(path)
    assert curves.name == "deep-resnets-cifar10"
    assert (curves.architectures, curves.epochs.tolist()) == (("100",), [1, 2])
    path.write_text("num_params,lr,acc_0,acc_1\n100,0.1,0.25,0.5\n100,0.1,0.25,\n")
    with pytest.raises(InputError, match=r"resnets\.csv:3: network 100 was already read, line 2"):
        baker.read_resnets(path)
    path.write_text("num_params,lr,acc_0,acc_1\n100,0.1,0.25,\n")
    with pytest.raises(InputError, match=r"resnets\.csv:2: expected a finite number as acc_1"):
        baker.read_resnets(path)


def test_the_published_curves():
    [metaqnn] = baker.read_metaqnn(shared("curves/metaqnn_cifar10.csv.gz"))
    [resnets] = baker.read_resnets(shared("curves/deep_resnets_cifar10.csv.gz"))
    for curves, networks, epochs in ((metaqnn, 1000, 20), (resnets, 486, 50)):
        assert len(curves.architectures) == networks
        assert curves.epochs.tolist() == [*range(1, epochs + 1)]
        np.testing.assert_array_equal(curves.accuracies, curves.values["accuracy"][:, -1])
    assert resnets.values["accuracy"][:, 0].min() > 14  # not the chance of untrained networks: 10
