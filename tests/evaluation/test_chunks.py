"""The part of a plan that runs in chunks: which it is, and that chunks change nothing."""

import dataclasses

import numpy as np
import pytest
import torch

from eznas.evaluation import chunks
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.status import Status
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from tests.evaluation.hand_made import BANK, VARIED


def large_texts(text):
    return chunks.large(Plan.of([parse(text)]).steps)


def test_what_is_large_and_what_is_computed_from_it_runs_in_chunks():
    text = "sum_layers(log(norm(square(weight))) / layer_params)"
    assert large_texts(text) >= {"square(weight)", "norm(square(weight))"}
    assert not large_texts(text) & {"log(norm(square(weight)))", text}
    assert large_texts("logdet(sum_layers(data_relu_agreement)) + params * 2") == set()
    assert large_texts("sum_layers(entropy(eigenvalues(covariance(data_conv_output))))") >= {
        "covariance(data_conv_output)"
    }


@pytest.mark.parametrize("units", [1, 40, 100, 1 << 30])
def test_the_size_of_chunks_changes_last_bits_only(units, monkeypatch):
    plan = Plan.of([parse(text) for text in VARIED])
    expected = evaluate(plan, BANK)
    monkeypatch.setattr(chunks, "UNITS", units)
    values = evaluate(plan, BANK)
    np.testing.assert_array_equal(values.coverage, expected.coverage)
    np.testing.assert_array_equal(values.status, expected.status)
    known = expected.status != Status.EMPTY
    np.testing.assert_allclose(values.values[known], expected.values[known], rtol=1e-6)


def test_large_roots_are_returned_in_full():
    plan = Plan.of([parse("sum_layers(mean(square(weight)))").arguments[0].arguments[0]])
    [value] = plan.run(BANK)
    for block, weights in zip(value.blocks, BANK.blocks["weight"], strict=True):
        assert torch.equal(block, weights.square())


def test_out_of_memory_is_answered_by_smaller_chunks(monkeypatch):
    """As a GPU would say it; a single row that does not fit is an error."""
    most_rows, row_counts = 1, []

    def square(x):
        row_counts.append(len(x))
        if len(x) > most_rows:
            raise torch.OutOfMemoryError("no room")
        return x * x

    plan = Plan.of([parse("sum_layers(mean(square(weight)))")])
    expected = evaluate(plan, BANK).values
    monkeypatch.setitem(
        PRIMITIVES, "square", dataclasses.replace(PRIMITIVES["square"], function=square)
    )
    np.testing.assert_allclose(evaluate(plan, BANK).values, expected, rtol=1e-12)
    assert max(row_counts) > 1
    most_rows = 0
    with pytest.raises(torch.OutOfMemoryError):
        evaluate(plan, BANK)
