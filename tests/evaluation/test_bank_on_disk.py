"""Shards on disk: they come back as they were, to the bit, and leave nothing behind."""

import tempfile
from pathlib import Path

import pytest
import torch

from eznas.errors import InputError
from eznas.evaluation.bank import stack
from eznas.evaluation.bank_on_disk import Mapped
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure

NAMES = (
    "data_conv_output",
    "weight",
    "flow_weight_grad",
    "layer_params",
    "data_bn_output",
    "params",
)
STRINGS = (
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
)


@pytest.fixture(scope="module")
def shard():
    conditions = MeasurementConfig(generated(4, size=8), raw=2, sketch=4)
    rows = [CATALOGUE[n] for n in NAMES]
    models = [SPACES["nasbench201"].build(a) for a in STRINGS]
    return stack([measure(m, conditions, rows) for m in models])


def test_a_shard_comes_back_to_the_bit(shard, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mapped = Mapped(shard)
    assert not list(tmp_path.iterdir())  # the file has no name
    for _ in range(2):
        found = mapped.shard()
        assert (found.networks, found.axes, found.present) == (2, shard.axes, shard.present)
        assert found.blocks.keys() == shard.blocks.keys()
        for name, blocks in shard.blocks.items():
            for there, expected in zip(found.blocks[name], blocks, strict=True):
                assert (there is None) == (expected is None)
                assert there is None or torch.equal(there, expected)
                assert there is None or there.dtype == expected.dtype
        mapped.release()


def test_an_empty_shard(shard):
    assert Mapped(shard.only(())).shard().blocks == {}


def test_where_there_is_no_room(shard, monkeypatch):
    nowhere = str(Path("/nowhere"))
    monkeypatch.setattr(tempfile, "tempdir", nowhere)
    with pytest.raises(InputError, match="/nowhere: cannot hold the bank: No such file"):
        Mapped(shard)
