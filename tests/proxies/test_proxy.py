"""Proxies as objects: scores, measurement configs, devices, and the order of scores."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.proxies.proxy import Proxy, ranked
from eznas.statistics.config import available_device, image_batch
from eznas.statistics.images import generated


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5), nn.ReLU(), nn.Linear(5, 2))


def test_a_score_comes_with_its_seconds_and_its_reason():
    proxy = Proxy("mine", parse("params"), 2, 3)
    score = proxy.evaluate(linear(), proxy.measurement_config((3, 8, 8)))
    assert (score.value, score.reason) == (3 * 8 * 8 * 5 + 5 + 5 * 2 + 2, "")
    assert score.seconds > 0
    proxy = Proxy("mine", parse("2.0 * exp(exp(params))"), 2, 3)
    score = proxy.evaluate(linear(), proxy.measurement_config((3, 8, 8)))
    assert math.isnan(score.value)
    assert score.reason == "infinite"


def test_a_measurement_config_follows_its_arguments():
    proxy = Proxy("mine", parse("params"), 5, 3)
    config = proxy.measurement_config((3, 16, 16), seed=4)
    assert (config.raw, config.sketch, config.size, config.seed) == (5, 3, 16, 4)
    assert config.initialisation == "keep"
    assert torch.equal(config.images.pixels, generated(5, 16, seed=4).pixels)
    assert proxy.measurement_config(sketch_batch=7).sketch == 7


def test_a_batch_of_images_from_python():
    batch = generated(4, 16)
    assert image_batch(batch, 3, 16, seed=0) is batch
    assert image_batch(batch, 4, 8, seed=0).pixels.shape == (4, 3, 8, 8)
    with pytest.raises(InputError, match="expected at least 5, got 4"):
        image_batch(batch, 5, 16, seed=0)


def test_a_batch_of_images_from_a_file(tmp_path):
    file = str(tmp_path / "images.npz")
    pixels = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    np.savez(file, images=pixels, labels=np.arange(4))
    batch = image_batch(file, 4, 8, seed=0)
    assert sorted(batch.labels.tolist()) == [0, 1, 2, 3]
    score = Proxy("mine", parse("logdet(sum_all_layers(data_relu_agreement))"), 2, 4).score
    torch.manual_seed(0)
    model = linear()
    assert score(model, (3, 8, 8), images=file) == score(model, (3, 8, 8), images=batch)


def test_devices():
    assert available_device("cpu") == "cpu"
    for name in ("nonsense", "meta", "", "cuda:99", "hpu", "mps:7", "cpu:x"):
        with pytest.raises(InputError, match="not available here, expected cpu") as caught:
            available_device(name)
        assert repr(name) in str(caught.value)


def test_ranked():
    scores = [1.0, math.nan, -math.inf, 3.0, 1.0]
    assert ranked(scores) == [3, 0, 4, 2, 1]
    assert ranked([]) == []
