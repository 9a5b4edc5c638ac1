"""Banks on disk: they come back as they were, to the bit, and leave nothing behind."""

import tempfile

import pytest
import torch

from eznas.errors import InputError
from eznas.evaluation.bank import stack
from eznas.evaluation.bank_on_disk import BankOnDisk
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure

STATISTICS = (
    "data_conv_output",
    "weight",
    "flow_weight_grad",
    "layer_params",
    "data_bn_output",
    "params",
)
ARCHITECTURES = (
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
)


@pytest.fixture(scope="module")
def bank():
    config = MeasurementConfig(generated(4, size=8), raw=2, sketch=4)
    rows = [CATALOGUE[name] for name in STATISTICS]
    models = [SPACES["nasbench201"].build(architecture) for architecture in ARCHITECTURES]
    return stack([measure(model, config, rows) for model in models])


def test_a_bank_comes_back_to_the_bit(bank, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    on_disk = BankOnDisk(bank)
    assert not list(tmp_path.iterdir())  # the file has no name
    for _ in range(2):
        opened = on_disk.opened()
        assert (opened.networks, opened.axes, opened.present) == (2, bank.axes, bank.present)
        assert opened.blocks.keys() == bank.blocks.keys()
        for name, blocks in bank.blocks.items():
            for block, expected in zip(opened.blocks[name], blocks, strict=True):
                assert (block is None) == (expected is None)
                assert block is None or torch.equal(block, expected)
                assert block is None or block.dtype == expected.dtype
        on_disk.release()


def test_an_empty_bank(bank):
    assert BankOnDisk(bank.restricted_to(())).opened().blocks == {}


def test_a_folder_that_cannot_be_written_to(bank, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(InputError, match="/nowhere: cannot hold the bank: No such file"):
        BankOnDisk(bank)
