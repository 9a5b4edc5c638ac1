"""Proxies as objects: batches, devices, and the order of scores."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.proxies.proxy import Proxy, batch_of, device_of, ranked
from eznas.statistics.images import generated


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5), nn.ReLU(), nn.Linear(5, 2))


def test_a_measured_score_says_how_long_and_why():
    proxy = Proxy("mine", parse("params"), 2, 3)
    found = proxy.measured(linear(), proxy.conditions((3, 8, 8)))
    assert (found.value, found.reason) == (3 * 8 * 8 * 5 + 5 + 5 * 2 + 2, "")
    assert found.seconds > 0
    proxy = Proxy("mine", parse("2.0 * exp(exp(params))"), 2, 3)
    found = proxy.measured(linear(), proxy.conditions((3, 8, 8)))
    assert math.isnan(found.value)
    assert found.reason == "infinite"


def test_conditions_are_what_was_asked_for():
    proxy = Proxy("mine", parse("params"), 5, 3)
    found = proxy.conditions((3, 16, 16), seed=4)
    assert (found.raw, found.sketch, found.size, found.seed) == (5, 3, 16, 4)
    assert found.initialisation == "keep"
    assert torch.equal(found.images.pixels, generated(5, 16, seed=4).pixels)
    assert proxy.conditions(batch=7).sketch == 7


def test_a_batch_given_in_python():
    batch = generated(4, 16)
    assert batch_of(batch, 3, 16, seed=0) is batch
    assert batch_of(batch, 4, 8, seed=0).pixels.shape == (4, 3, 8, 8)
    with pytest.raises(InputError, match="expected at least 5, got 4"):
        batch_of(batch, 5, 16, seed=0)


def test_a_batch_from_a_file(tmp_path):
    images = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(4))
    found = batch_of(str(tmp_path / "own.npz"), 4, 8, seed=0)
    assert sorted(found.labels.tolist()) == [0, 1, 2, 3]
    score = Proxy("mine", parse("logdet(sum_all_layers(data_relu_agreement))"), 2, 4).score
    torch.manual_seed(0)
    model = linear()
    assert score(model, (3, 8, 8), images=str(tmp_path / "own.npz")) == score(
        model, (3, 8, 8), images=found
    )


def test_devices():
    assert device_of("cpu") == "cpu"
    for name in ("nonsense", "meta", "", "cuda:99", "hpu", "mps:7", "cpu:x"):
        with pytest.raises(InputError, match="not available here, expected cpu") as caught:
            device_of(name)
        assert repr(name) in str(caught.value)


def test_ranked():
    scores = [1.0, math.nan, -math.inf, 3.0, 1.0]
    assert ranked(scores) == [3, 0, 4, 2, 1]
    assert ranked([]) == []
