"""Ridge regression from sums of products: one space by hand, several with scales of their own."""

import pytest
import torch

from eznas.evolution.ridge import LEAST, MOST, ridge_weights

ROWS, TERMS = 300, 3
PLANTED = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def sums_of(rows, targets):
    """Grams and products of rows [spaces][terms, rows] and targets [spaces][rows]."""
    return (
        torch.stack([x @ x.T for x in rows]),
        torch.stack([x @ y for x, y in zip(rows, targets, strict=True)]),
    )


def drawn(spaces=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(spaces, TERMS, ROWS, dtype=torch.float64, generator=generator)


def unit(values):
    return values / values.norm()


def test_one_space_is_plain_ridge_regression():
    [x] = drawn(1)
    y = PLANTED @ x + 0.1 * drawn()[1, 0]
    weights, scales = ridge_weights(*sums_of([x], [y]), ridge=0.7)
    expected = torch.linalg.solve(x @ x.T + 0.7 * torch.eye(TERMS), x @ y)
    torch.testing.assert_close(weights, expected)
    assert scales.tolist() == [1]


def test_spaces_in_which_values_spread_differently_have_their_own_scales():
    """The same formula everywhere, and targets of unit deviation: twice the spread, half the
    scale."""
    first, second = drawn()
    rows = [first, 2 * second]
    targets = [PLANTED @ first, PLANTED @ second]
    weights, scales = ridge_weights(*sums_of(rows, targets), ridge=1e-6)
    torch.testing.assert_close(unit(weights), unit(PLANTED), rtol=1e-3, atol=1e-3)
    assert scales[0] / scales[1] == pytest.approx(2, rel=1e-2)
    assert scales.square().mean() == pytest.approx(1)


def test_scales_explain_more_of_spaces_that_differ():
    first, second = drawn()
    rows = [first, torch.tensor([[4.0], [0.5], [1.0]]) * second]
    targets = [PLANTED @ first, PLANTED @ rows[1] / 3]
    weights, scales = ridge_weights(*sums_of(rows, targets), ridge=1e-6)
    plain, _ = ridge_weights(*(s.sum(0, keepdim=True) for s in sums_of(rows, targets)), ridge=1e-6)
    errors = [
        sum(
            float((y - scale * (w @ x)).square().sum())
            for x, y, scale in zip(rows, targets, of_spaces, strict=True)
        )
        for w, of_spaces in ((weights, scales), (plain, torch.ones(2)))
    ]
    assert errors[0] < 0.1 * errors[1]


def test_a_space_is_never_ranked_the_other_way_round_nor_ignored():
    first, second = drawn()
    targets = [PLANTED @ first, -0.5 * (PLANTED @ second)]
    weights, scales = ridge_weights(*sums_of([first, second], targets), ridge=1e-6)
    assert weights @ PLANTED > 0
    assert (scales > 0).all()
    assert scales.max() / scales.min() <= MOST / LEAST


def test_a_space_in_which_no_term_varies():
    first, second = drawn()
    rows, targets = [first, 0 * second], [PLANTED @ first, second[0]]
    weights, scales = ridge_weights(*sums_of(rows, targets), ridge=1e-6)
    torch.testing.assert_close(unit(weights), unit(PLANTED), rtol=1e-3, atol=1e-3)
    assert scales.isfinite().all()


def test_leading_axes_are_independent():
    grams, products = sums_of(drawn(2), drawn(3)[1:, 0])
    many = ridge_weights(
        torch.stack([grams, 2 * grams.flip(0)]), torch.stack([products, products.flip(0)]), 1.0
    )
    for i, one in enumerate(((grams, products), (2 * grams.flip(0), products.flip(0)))):
        for batched, single in zip(many, ridge_weights(*one, 1.0), strict=True):
            torch.testing.assert_close(batched[i], single)
