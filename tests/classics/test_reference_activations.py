"""Reference proxies of activations and of gradients at images against naive computations."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from eznas.spaces.nasbench201 import build
from tests import reference
from tests import reference_proxies as proxies
from tests.classics.naive import (
    BATCH,
    CLASSES,
    DEAD,
    EMPTY,
    FULL,
    SIZE,
    ZERO,
    batch,
    calls_of,
    layers_of,
    network,
)


def test_epe_nas_by_loops():
    model, (images, _) = network(), batch()
    labels = torch.tensor([2, 0, 2, 0, 2])
    expected = 0.0
    J = image_gradients(model, images)
    for images_of_class in ([0, 2, 4], [1, 3]):
        for i, j in itertools.product(images_of_class, images_of_class):
            expected -= math.log(abs(np.corrcoef(J[i], J[j])[0, 1]) + 1e-5)
    assert proxies.epe_nas(model, images, labels) == pytest.approx(expected, rel=1e-9)
    mostly_single = torch.tensor([2, 0, 2, 1, 3])
    expected = -2 * math.log(abs(np.corrcoef(J[0], J[2])[0, 1]) + 1e-5) - 5 * math.log(1 + 1e-5)
    assert proxies.epe_nas(model, images, mostly_single) == pytest.approx(expected, rel=1e-9)
    with_other_labels = proxies.epe_nas(model, images, 3 - labels)
    assert with_other_labels == pytest.approx(proxies.epe_nas(model, images, labels), rel=1e-12)


def image_gradients(model, images):
    """[batch, pixels], summed from the full Jacobian of every logit by every image."""
    model = copy.deepcopy(model).train()
    J = torch.autograd.functional.jacobian(model, images)  # [batch, classes, batch, 3, h, w]
    return J.sum((0, 1)).flatten(1).numpy()


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_zen_from_running_variances(architecture):
    model, (noise, _), (second, _) = build(architecture, CLASSES).double(), batch(), batch(1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for m in layers_of(model).values():
            m.weight.normal_(generator=generator)
    recording = copy.deepcopy(model).train()
    norms = [m for m in recording.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.momentum = 1.0  # the running variance is the last batch's, unbiased
    trunk = recording[:-2]
    with torch.no_grad():
        f = trunk(noise)
        expected = 0.0
        for m in norms:
            count = BATCH * (SIZE * 16 // m.num_features) ** 2
            v = m.running_var * (count - 1) / count
            expected += 0.5 * math.log(np.mean([0.81 + 0.19 * variance for variance in v.tolist()]))
        expected += math.log((trunk(noise + 0.01 * second) - f).abs().sum().item())
    assert proxies.zen(model, noise, second) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("architecture", [FULL, ZERO])
def test_meco_with_corrcoef(architecture):
    model, (image, _) = network(architecture), batch(count=1)
    expected, constant_maps = 0.0, 0
    for _, y in calls_of(model, image, nn.Conv2d, nn.BatchNorm2d, nn.ReLU):
        with np.errstate(divide="ignore", invalid="ignore"):
            P = np.corrcoef(y[0].flatten(1).numpy())
        constant_maps += np.isnan(P).all()
        expected += min(np.linalg.eigvals(np.nan_to_num(P, nan=0.0)).real)
    assert (constant_maps > 0) == (architecture == ZERO)
    assert proxies.meco(model, image) == pytest.approx(expected, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_meco_of_a_constant_channel(value):
    """A channel of 0.1 everywhere: row, column and diagonal are 0."""
    model, (image, _) = (
        reference.init(nn.Sequential(nn.Conv2d(3, 3, 3)), 0).double(),
        batch(count=1),
    )
    with torch.no_grad():
        model[0].weight[1] = 0
        model[0].bias[1] = value
        y = model(image)[0].flatten(1).numpy()
    r = np.corrcoef(y[0], y[2])[0, 1]
    expected = np.linalg.eigvalsh([[1, 0, r], [0, 0, 0], [r, 0, 1]])[0]
    assert proxies.meco(model, image) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("architecture", [FULL, ZERO, EMPTY])
def test_swap_with_sets(architecture):
    model, (images, _) = network(architecture), batch()
    patterns = set()
    for _, y in calls_of(model, images, nn.ReLU):
        patterns |= set(map(tuple, (y > 0).flatten(1).T.tolist()))
    assert proxies.swap(model, images) == len(patterns) <= 2**BATCH
    assert (len(patterns) == 1) == (architecture == EMPTY)
    assert proxies.swap(model, images.flip(0)) == len(patterns)
