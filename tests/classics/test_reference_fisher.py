"""The reference proxies of the Fisher information (VKDNW) against naive computations."""

import math

import numpy as np
import pytest
import torch
from torch.func import functional_call

from tests import reference_proxies as proxies
from tests.classics.naive import DEAD, FULL, SKIP, batch, network


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_fisher_deciles_as_the_covariance_of_scores(architecture):
    """F is the mean of the outer products of d ln p / dw, over images and labels drawn from p."""
    model, (images, _) = network(architecture).eval(), batch(count=2)
    parameters = {n: p.detach() for n, p in model.named_parameters()}
    names = list(parameters)[:128]

    def log_p(entries):
        moved = dict(parameters)
        for entry, name in zip(entries, names, strict=True):
            flat = parameters[name].flatten()
            moved[name] = torch.cat([entry[None], flat[1:]]).reshape(parameters[name].shape)
        return functional_call(model, moved, images).log_softmax(1)

    entries = torch.stack([parameters[n].flatten()[0] for n in names])
    scores = torch.autograd.functional.jacobian(log_p, entries)  # [batch, classes, entries]
    p = log_p(entries).exp()
    information = sum(
        p[b, c] * torch.outer(scores[b, c], scores[b, c]) / len(images)
        for b, c in np.ndindex(*p.shape)
    )
    values = sorted(max(v, 0.0) for v in np.linalg.eigvalsh(information.numpy()))
    expected = []
    for tenth in range(1, 10):
        low, rest = divmod(tenth * (len(values) - 1), 10)
        upper = values[min(low + 1, len(values) - 1)]
        expected.append(values[low] + rest / 10 * (upper - values[low]))
    deciles = proxies.fisher_deciles(model, images)
    assert len(deciles) == 9
    assert deciles == pytest.approx(expected, rel=1e-8, abs=1e-12 * max(values))


def test_vkdnw_entropy():
    model, (images, _) = network(SKIP), batch(count=6)
    deciles = proxies.fisher_deciles(model, images)
    shares = [d / sum(deciles) for d in deciles if d > 0]
    expected = -sum(p * math.log(p) for p in shares)
    assert 0 < expected < math.log(9)
    assert proxies.vkdnw_entropy(model, images) == pytest.approx(expected, rel=1e-12)
