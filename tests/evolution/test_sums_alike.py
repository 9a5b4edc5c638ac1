"""Fitted sums where every space weighs as much, and where samples are of different sizes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import FeatureValues
from eznas.evolution.ridge import ridge_weights
from eznas.evolution.row_weights import alike_in_spaces
from eznas.evolution.sums import RIDGE, Sums
from eznas.formulas.parser import parse
from eznas.metrics import component_folds
from tests.evolution.made_up_sums import (
    CANDIDATES,
    COMPONENTS,
    COUNT,
    FEATURES,
    NAMES,
    VALUES,
    A,
    B,
    filled,
    rows_of_folds,
    sums,
    tasks,
)

SPACES = ("first", "second", "first")  # of the tasks: the second has a context of its own
FEW = 40  # networks of the smaller sample


def rows_of(fits, texts):
    return [fits.row(parse(text)) for text in texts]


def test_weights_add_up_to_as_much_in_each_space():
    weights = [np.array([1.0, 3.0]), np.array([2.0]), np.array([1.0, 1.0, 2.0])]
    scaled = alike_in_spaces(weights, ["a", "a", "b"])
    assert np.concatenate(scaled) == pytest.approx([0.375, 1.125, 1.5, 0.75, 0.75, 1.5])


def test_tasks_without_rows_do_no_harm():
    scaled = alike_in_spaces([np.array([]), np.array([2.0, 2.0])], ["a", "b"])
    assert [w.tolist() for w in scaled] == [[], [0.5, 0.5]]


def test_rows_have_these_weights_and_unit_deviation():
    fits = sums(spaces=SPACES, alike=True)
    totals = [float(fits._root.square()[fits._task == task].sum()) for task in range(3)]
    assert totals == pytest.approx([0.75 * COUNT, 1.5 * COUNT, 0.75 * COUNT])
    for row in (*rows_of(fits, [A, f"{A} * {B}"]), fits.y):
        assert float(row.square().mean()) == pytest.approx(1)


def test_weights_are_those_of_plain_loops():
    fits = sums(spaces=SPACES, alike=True)
    x = torch.stack(rows_of(fits, [A, B]))
    grams, products = [], []
    for tasks_of_space in ([0, 2], [1]):
        at = torch.isin(fits._task, torch.tensor(tasks_of_space))
        grams.append(x[:, at] @ x[:, at].T)
        products.append(x[:, at] @ fits.y[at])
    expected, scales = ridge_weights(torch.stack(grams), torch.stack(products), RIDGE * len(fits.y))
    torch.testing.assert_close(fits.fit(list(x)).weights, expected)
    of_rows = fits._scales(list(x))
    for space, tasks_of_space in enumerate(([0, 2], [1])):
        at = torch.isin(fits._task, torch.tensor(tasks_of_space))
        assert of_rows[at].tolist() == pytest.approx([float(scales[space])] * int(at.sum()))


def test_folds_keep_components_whole_in_every_space():
    fits = sums(spaces=SPACES, alike=True)
    for task in range(3):
        folds = component_folds(COMPONENTS[task], 5)
        for number, fold in enumerate(rows_of_folds(fits)):
            networks = fits._index[fold][fits._task[fold] == task] % COUNT
            assert set(networks.tolist()) == set(np.flatnonzero(folds == number).tolist())


def test_gains_and_losses_are_beside_the_scales_of_the_terms():
    """As plain regressions on scaled rows say."""
    fits = sums(spaces=SPACES, alike=True)
    first, second = rows_of(fits, [A, B])
    scales = fits._scales([first])
    scaled, offered = (scales * row for row in (first, second))
    explained = [
        float((fits.y - x @ torch.linalg.lstsq(x, fits.y[:, None]).solution[:, 0]).square().sum())
        for x in (torch.stack([scaled], 1), torch.stack([scaled, offered], 1))
    ]
    gain = (explained[0] - explained[1]) / len(fits.y)
    assert fits.gains([first], second[None]).tolist() == pytest.approx([gain])
    assert (fits.losses([first, second]) > 0).all()


def test_one_space_is_fitted_as_ever():
    """But for the weights of tasks, which are equal here anyway."""
    texts = [A, B, f"{A} * {B}"]
    alike, ever = (sums(alike=alike) for alike in (True, False))
    fits = [fits.fit(rows_of(fits, texts)) for fits in (alike, ever)]
    torch.testing.assert_close(fits[0].weights, fits[1].weights)
    torch.testing.assert_close(fits[0].correlations, fits[1].correlations)


@pytest.mark.parametrize("alike", [True, False])
def test_what_is_the_same_for_all_networks_of_a_space_says_nothing_there(alike):
    level = 123456.789  # of which means are not exact
    constant = {}
    for text in (A, B):
        constant[text] = VALUES[text].copy()
        constant[text][1] = level  # the second task's context
    fits = sums(filled(constant), spaces=SPACES, alike=alike)
    rows = rows_of(fits, [A, B])
    for row in rows:
        assert not row[fits._task == 1].any()
        assert row[fits._task == 0].square().mean() > 0.5
    fit = fits.fit(rows)
    assert fit.correlations[1] == 0
    elsewhere = sums(spaces=SPACES, alike=alike)
    expected = elsewhere.fit(rows_of(elsewhere, [A, B])).correlations
    assert fit.correlations[[0, 2]].tolist() == pytest.approx(expected[[0, 2]].tolist(), abs=0.05)


def unequal(networks=COUNT, few=FEW, **options):
    """Fits in which the second context has a sample of few networks."""
    samples = [NAMES, NAMES[:few]]

    def evaluate(shards, texts):
        answers = []
        for shard in shards:
            at = shard.context, [NAMES.index(name) for name in shard.architectures]
            values = np.stack([VALUES[text][at] for text in texts])
            zeros = np.zeros(values.shape, np.int8)
            answers.append(FeatureValues(values, np.ones(values.shape), zeros))
        return answers

    table = FeatureTable(samples, evaluate)
    table.fill([parse(text) for text in FEATURES], networks)
    shorter = [
        Task(t.dataset, t.context, t.accuracies[: len(samples[t.context])], space)
        for t, space in zip(tasks(), SPACES, strict=True)
    ]
    components = [c[: len(samples[t.context])] for c, t in zip(COMPONENTS, shorter, strict=True)]
    return Sums(table, shorter, components, networks, CANDIDATES, **options)


@pytest.mark.parametrize("alike", [True, False])
def test_a_smaller_sample_gives_what_it_has(alike):
    """Of the task whose sample is small the fits see the same as where all samples are."""
    fits = unequal(alike=alike)
    assert [int((fits._task == task).sum()) for task in range(3)] == [COUNT, FEW, COUNT]
    only = [replace(t, accuracies=t.accuracies[:FEW]) for t in tasks()[1:2]]
    alone = Sums(filled(networks=FEW), only, [COMPONENTS[1][:FEW]], FEW, CANDIDATES)
    of_task = fits._task == 1
    targets = (fits.y / fits._root)[of_task].tolist()
    assert targets == pytest.approx((alone.y / alone._root).tolist())
    assert fits.fit(rows_of(fits, [A])).correlations[1] == pytest.approx(
        float(alone.fit(rows_of(alone, [A])).correlations[0]), abs=0.1
    )
    assert fits.coverage(parse(f"{A} + {B}")) == 1


def test_networks_beyond_the_smaller_sample_change_nothing_there():
    small, large = unequal(networks=48), unequal(networks=48, few=COUNT)
    assert [int((f._task == 1).sum()) for f in (small, large)] == [FEW, 48]
    assert small.fit(rows_of(small, [A])).correlations.isfinite().all()
