"""Heads: what they learn, that they can be differentiated, and that they come back."""

import pytest
import torch

from eznas.search.latent.heads import BATCH, Heads, batches


def data(n=300):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(n, 4, generator=generator)
    columns = torch.stack([inputs[:, 0] * 1e6, (inputs[:, 1] ** 2).exp() * 0 + 5, inputs.sum(1)], 1)
    return inputs, columns.double()


def fitted(seed=0):
    inputs, columns = data()
    heads = Heads(4, 3, hidden=16, members=2, seed=seed)
    heads.scale_to(inputs, columns)
    heads.fit(inputs, columns, steps=300, rate=1e-2)
    return heads


def test_columns_of_any_scale_are_learned():
    inputs, columns = data()
    predicted = fitted()(inputs)
    assert predicted.dtype == torch.float64
    error = (predicted - columns).abs().mean(0) / columns.std(0).clamp(min=1)
    assert error.max() < 0.1


def test_gradients_are_those_of_finite_differences():
    heads, inputs = fitted(), data(3)[0].requires_grad_()
    heads(inputs)[:, 2].sum().backward()
    step = torch.zeros(3, 4)
    step[:, 0] = 1e-2
    with torch.no_grad():
        difference = (heads(inputs + step) - heads(inputs - step))[:, 2] / 2e-2
    assert torch.allclose(inputs.grad[:, 0].double(), difference, rtol=0.05)


def test_equal_seeds_give_equal_heads_and_state_brings_them_back():
    first, inputs = fitted(), data()[0]
    assert torch.equal(first(inputs), fitted()(inputs))
    assert not torch.equal(first(inputs), fitted(1)(inputs))
    assert torch.equal(Heads.from_state(first.state())(inputs), first(inputs))
    with pytest.raises(KeyError):
        Heads.from_state({})


def test_batches_have_every_row_once_before_any_comes_again():
    assert [len(rows) for rows in batches(5, 3, 0)] == [5, 5, 5]
    rows = torch.cat(list(batches(3 * BATCH, 3, 0)))
    assert rows.sort().values.tolist() == list(range(3 * BATCH))
