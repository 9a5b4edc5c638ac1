"""The part of a plan that runs in chunks: which it is, and that chunks change nothing."""

import dataclasses

import numpy as np
import pytest
import torch

from eznas.evaluation import chunks
from eznas.evaluation.plan import Plan, evaluate
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from tests.evaluation.test_plan import SHARD, VARIED


def chunked(text):
    return chunks.large(Plan.of([parse(text)]).steps)


def test_what_is_large_and_what_is_made_of_it_runs_in_chunks():
    text = "sum_layers(log(norm(square(weight))) / layer_params)"
    assert chunked(text) >= {"square(weight)", "norm(square(weight))"}
    assert not chunked(text) & {"log(norm(square(weight)))", text}
    assert chunked("logdet(sum_layers(data_relu_agreement)) + params * 2") == set()
    assert chunked("sum_layers(entropy(eigenvalues(covariance(data_conv_output))))") >= {
        "covariance(data_conv_output)"
    }


@pytest.mark.parametrize("units", [1, 40, 100, 1 << 30])
def test_the_size_of_chunks_changes_last_bits_only(units, monkeypatch):
    plan = Plan.of([parse(text) for text in VARIED])
    expected = evaluate(plan, SHARD)
    monkeypatch.setattr(chunks, "UNITS", units)
    values, coverage = evaluate(plan, SHARD)
    np.testing.assert_array_equal(coverage, expected[1])
    known = ~np.isnan(expected[1])
    np.testing.assert_allclose(values[known], expected[0][known], rtol=1e-6)


def test_large_values_that_are_asked_for_come_whole():
    plan = Plan.of([parse("sum_layers(mean(square(weight)))").arguments[0].arguments[0]])
    [found] = plan.run(SHARD)
    for block, weights in zip(found.blocks, SHARD.blocks["weight"], strict=True):
        assert torch.equal(block, weights.square())


def test_out_of_memory_is_answered_by_smaller_chunks(monkeypatch):
    """As a GPU would say it; a single row that does not fit is an error."""
    most, sizes = 1, []

    def square(x):
        sizes.append(len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError("no room")
        return x * x

    text = "sum_layers(mean(square(weight)))"
    expected = evaluate(Plan.of([parse(text)]), SHARD)
    monkeypatch.setitem(
        PRIMITIVES, "square", dataclasses.replace(PRIMITIVES["square"], function=square)
    )
    found = evaluate(Plan.of([parse(text)]), SHARD)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    assert max(sizes) > 1
    most = 0
    with pytest.raises(torch.OutOfMemoryError):
        evaluate(Plan.of([parse(text)]), SHARD)


def test_half_precision_is_computed_with_in_single():
    half = dataclasses.replace(SHARD, blocks=dict(SHARD.blocks))
    half.blocks["weight"] = [b.to(torch.bfloat16) for b in SHARD.blocks["weight"]]
    text = "sum_layers(norm(weight))"
    rounded, exact = (evaluate(Plan.of([parse(text)]), s)[0] for s in (half, SHARD))
    assert not np.array_equal(rounded, exact)
    np.testing.assert_allclose(rounded, exact, rtol=0.01)
