"""Seconds of training: the published means, and None where none are known."""

import pickle

import numpy as np
import pytest

from eznas.benchmarks.costs import training_seconds
from eznas.benchmarks.readers import nasbench201
from eznas.errors import InputError
from eznas.spaces.nasbench201 import SPACE, table_key

KEYS = [table_key(a) for a in SPACE.architectures()]


def test_seconds_of_nasbench201():
    times = {d: training_seconds("nasbench201", d) for d in SPACE.datasets}
    for time in times.values():
        assert (time.epochs, time.seconds.shape) == (200, (15_625,))
        assert time.seconds.dtype == np.float64
        assert not time.seconds.flags.writeable
    cifar10, cifar100, imagenet = (time.seconds for time in times.values())
    assert cifar10.mean() == pytest.approx(1_828, abs=0.1)
    np.testing.assert_allclose(cifar100, 2 * cifar10)
    np.testing.assert_allclose(imagenet, 151.7 / 25 * cifar10)
    # A network of 3x3 convolutions takes longer than one of 1x1, and that longer than none.
    seconds = [cifar10[KEYS.index(6 * digit)] for digit in "321"]
    assert len(set(seconds)) == 3


def test_what_is_not_known():
    assert training_seconds("naap440", "cifar10") is None
    with pytest.raises(InputError, match="unknown space 'naap'"):
        training_seconds("naap", "cifar10")
    with pytest.raises(InputError, match="unknown nasbench201 dataset 'cifar'"):
        training_seconds("nasbench201", "cifar")
    with pytest.raises(InputError, match="unknown nasbench201 dataset 'svhn'"):
        nasbench201.load_seconds("svhn")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"train_time": [1.0, 2.0]}, "key 000003: expected one number of seconds"),
        ({"train_time": [float("nan")]}, "key 000003: expected one number of seconds"),
        ({"val_acc": [1.0]}, "rows with a list 'train_time'; KeyError"),
    ],
)
def test_an_unexpected_table_is_explained(tmp_path, row, message):
    table = {key: {"train_time": [50.0, 50.0]} for key in KEYS} | {"000003": row}
    (tmp_path / "table.pkl").write_bytes(pickle.dumps(table))
    with pytest.raises(InputError, match=rf"table\.pkl: .*{message}"):
        nasbench201.read_seconds(tmp_path / "table.pkl")
