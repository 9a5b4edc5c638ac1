"""The reference proxies of AZ-NAS, which read blocks, against naive computations."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch

from tests import reference_proxies as proxies
from tests.classics.naive import (
    BATCH,
    FULL,
    SKIP,
    batch,
    block_outputs,
    blocks,
    network,
    random_signs,
    small_network,
)


def test_blocks_of_a_real_network():
    model, (noise, _) = network(), batch()
    outputs = proxies.block_outputs(model, noise)
    assert [len(f[0]) for f in outputs] == [16] * 6 + [32] * 6 + [64] * 6
    for output, naive in zip(outputs, block_outputs(model, noise), strict=True):
        torch.testing.assert_close(output, naive, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("architecture", [FULL, SKIP])
def test_expressivity_and_progressivity(architecture):
    model, (noise, _) = network(architecture), batch()
    expected = []
    for f in block_outputs(model, noise):
        pixels = [f[b, :, i, j].numpy() for b, i, j in np.ndindex(BATCH, *f.shape[2:])]
        values = np.linalg.svd(np.cov(np.stack(pixels), rowvar=False, bias=True))[1]
        expected.append(-sum(p * math.log(p) for p in values / values.sum() if p > 0))
    assert proxies.expressivity(model, noise) == pytest.approx(sum(expected), rel=1e-10)
    smallest_step = min(after - before for before, after in itertools.pairwise(expected))
    assert proxies.progressivity(model, noise) == pytest.approx(smallest_step, rel=1e-9, abs=1e-12)


def test_trainability_by_differences():
    """Every entry of g by moving one input, every entry of M by loops."""
    model, (noise, _) = small_network(), batch(size=8, count=2)
    signs = random_signs(model, noise)
    outputs = block_outputs(model, noise)
    model_copy, scores = copy.deepcopy(model).train(), []
    for block, x, v in zip(blocks(model_copy), outputs, signs, strict=False):
        g = np.empty(x.shape)
        with torch.no_grad():
            for index in np.ndindex(*x.shape):
                sums = []
                for step in (1e-6, -1e-6):
                    moved = x.clone()
                    moved[index] += step
                    sums.append((block(moved) * v).sum().item())
                g[index] = (sums[0] - sums[1]) / 2e-6
        scores.append(trainability_of_block(g, v.numpy()))
    assert proxies.trainability(model, noise, signs) == pytest.approx(np.mean(scores), rel=1e-5)


@pytest.mark.parametrize("architecture", [FULL, SKIP])
def test_trainability_of_a_real_network(architecture):
    model, (noise, _) = network(architecture), batch(count=2)
    signs = random_signs(model, noise)
    model_copy, scores = copy.deepcopy(model).train(), []
    for block, x, v in zip(blocks(model_copy), block_outputs(model, noise), signs, strict=False):
        x = x.clone().requires_grad_()
        block(x).backward(v)
        scores.append(trainability_of_block(x.grad.numpy(), v.numpy()))
    assert len(scores) == 17
    assert proxies.trainability(model, noise, signs) == pytest.approx(np.mean(scores), rel=1e-10)


def trainability_of_block(g, v):
    """Trainability of one block from the gradient at its input and its signs."""
    batch, _, height, width = v.shape
    stride = g.shape[2] // height
    M = 0
    for b, i, j in np.ndindex(batch, height, width):
        patch = g[b, :, stride * i : stride * (i + 1), stride * j : stride * (j + 1)]
        M = M + np.outer(patch.ravel(), v[b, :, i, j]) / (batch * height * width)
    s = np.linalg.norm(M, 2)
    return 2 - s - 1 / (s + 1e-6)
