"""Fitted sums: their weights and folds, compared with plain loops, and what has no row."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from eznas.benchmarks import Task
from eznas.evaluation.status import Status
from eznas.evolution import sums as module
from eznas.evolution.row_weights import POWER, network_weights
from eznas.evolution.sums import FOLDS, RIDGE, Sums
from eznas.formulas.expression import constant
from eznas.formulas.parser import parse
from eznas.metrics import component_folds
from tests.evolution.made_up_sums import (
    CANDIDATES,
    COMPONENTS,
    CONTEXTS,
    COUNT,
    FEATURES,
    VALUES,
    A,
    B,
    C,
    D,
    filled,
    rows_of_folds,
    sums,
    tasks,
)

TERMS = {  # text -> the same of the values of a context
    A: lambda v: v[A],
    f"{A} * {B}": lambda v: v[A] * v[B],
    f"max({C}, 0.5)": lambda v: np.maximum(v[C], 0.5),
    f"log({D})": lambda v: np.log(np.abs(v[D])),
}


def changed(text, where, value):
    """The values of a feature with another one on some networks of context 0."""
    values = VALUES[text].copy()
    values[0, where] = value
    return {text: values}


def flags(where, flag, other=0):
    """The same number everywhere, but `flag` on some networks of both contexts."""
    values = np.full((CONTEXTS, COUNT), other)
    values[:, where] = flag
    return dict.fromkeys(FEATURES, values)


def reference(terms, used=range(COUNT)):
    """(weights of terms on the scale of their values, correlation of each task), by plain loops.

    `terms`: functions of the values of a context; `used`: the networks that make rows.
    """
    rows = []  # (task, fold, weight, y, values of the terms), one for each network and task
    for number, (task, all_components) in enumerate(zip(tasks(), COMPONENTS, strict=True)):
        lot = np.random.default_rng(0).permutation(len(set(all_components.tolist())))
        fold_of = {c: lot[i] % FOLDS for i, c in enumerate(sorted(set(all_components.tolist())))}
        components = [int(all_components[i]) for i in used]
        weights = np.array([components.count(c) ** -POWER for c in components])
        weights /= weights.mean()
        y = norm.ppf((rankdata(task.accuracies[list(used)]) - 0.5) / len(used))
        y = y - np.average(y, weights=weights)
        y = y / math.sqrt(np.average(y**2, weights=weights))
        values = {text: VALUES[text][task.context] for text in FEATURES}
        columns = []
        for term in terms:
            column = term(values)[list(used)]
            columns.append(column - np.average(column, weights=weights))
        for i, component in enumerate(components):
            x = [column[i] for column in columns]
            rows.append((number, fold_of[component], weights[i], y[i], x))
    number, fold, weight, y = (np.array([row[k] for row in rows]) for k in range(4))
    x = np.array([row[4] for row in rows])
    deviations = np.sqrt((weight[:, None] * x**2).mean(0))
    x = x / deviations

    def ridge(at):
        gram, product = RIDGE * len(rows) * np.eye(len(terms)), np.zeros(len(terms))
        for i in np.flatnonzero(at):
            gram += weight[i] * np.outer(x[i], x[i])
            product += weight[i] * y[i] * x[i]
        return np.linalg.solve(gram, product)

    predicted = np.array([x[i] @ ridge(fold != fold[i]) for i in range(len(rows))])
    correlations = []
    for task in range(3):
        at = number == task
        covariance = np.cov(predicted[at], y[at], aweights=weight[at])
        correlations.append(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1]))
    return ridge(fold >= 0) / deviations, correlations


def rows_of(fits, texts):
    return [fits.row(parse(text)) for text in texts]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_fit_is_that_of_plain_loops(count):
    texts, functions = list(TERMS)[:count], list(TERMS.values())[:count]
    fits = sums()
    fit = fits.fit(rows_of(fits, texts))
    weights, correlations = reference(functions)
    assert fit.correlations.tolist() == pytest.approx(correlations)
    formula = fits.formula([parse(text) for text in texts], fit.weights)
    assert formula.constants()[0] == pytest.approx(weights[0], rel=1e-3)
    scaled = [
        w / fits.spread(parse(t))[1] for w, t in zip(fit.weights.tolist(), texts, strict=True)
    ]
    assert scaled == pytest.approx(weights)


def test_a_planted_sum_is_rated_highly_and_noise_is_not():
    fits = sums()
    planted = fits.fit(rows_of(fits, [A, B, f"{A} * {B}"]))
    assert all(planted.correlations > 0.85)
    assert all(fits.fit(rows_of(fits, [D])).correlations < 0.3)


def test_rows_are_centred_within_tasks_and_of_unit_deviation():
    fits = sums()
    for text in TERMS:
        row = fits.row(parse(text))
        assert row.square().mean().item() == pytest.approx(1)
        for task in range(3):
            assert (row * fits._root)[fits._task == task].sum().item() == pytest.approx(0)
    assert fits.y.square().mean().item() == pytest.approx(1)


def test_networks_of_large_components_count_less():
    """Of one component of 16 and many of 1: a quarter each, on average 1."""
    weights = network_weights(np.array([*[7] * 16, *range(100, 104)]))
    assert weights == pytest.approx(np.array([*[0.25] * 16, *[1.0] * 4]) / 0.4)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=80))
def test_components_never_straddle_folds(components):
    folds = component_folds(np.array(components), FOLDS)
    assert set(folds.tolist()) <= set(range(FOLDS))
    for component in set(components):
        assert len({f for f, c in zip(folds, components, strict=True) if c == component}) == 1
    sizes = np.bincount([folds[components.index(c)] for c in set(components)], minlength=FOLDS)
    assert sizes.max() - sizes.min() <= 1  # in components


def test_rows_of_a_fold_are_of_other_components_than_the_rest():
    fits = sums()
    component = {}
    for number, task in enumerate(tasks()):
        for network in range(COUNT):
            component[number, task.context * COUNT + network] = COMPONENTS[number][network]
    folds = rows_of_folds(fits)
    assert sorted(torch.cat(folds).tolist()) == list(range(len(fits.y))) == list(range(3 * COUNT))
    for number in range(3):
        by_fold = [
            {
                component[number, i]
                for i, t in zip(fits._index[s].tolist(), fits._task[s].tolist(), strict=True)
                if t == number
            }
            for s in folds
        ]
        assert sum(map(len, by_fold)) == len(set.union(*by_fold)) == len(set(COMPONENTS[number]))


def test_networks_beyond_the_sample_change_nothing():
    few = sums(filled(networks=56), networks=56)
    more = sums(filled(), networks=56)
    for text in TERMS:
        assert few.row(parse(text)).tolist() == more.row(parse(text)).tolist()
    assert len(few.y) == 3 * 56


@pytest.mark.parametrize(
    "text",
    [
        f"{A} - {A}",
        f"max({A}, 1000.0)",
        f"({A} + 3.0) * 0.0",
        f"1e308 * (1e10 + {A})",  # infinite
        f"exp(1000.0 * {A})",  # finite, but its deviation is not
        f"1e200 * {A}",
    ],
)
def test_terms_that_are_constant_or_too_large_have_no_row(text):
    fits = sums()
    assert fits.row(parse(text)) is None
    assert fits.fitted([parse(text)]) is None
    assert fits.fitted([parse(text), parse(B)]) == fits.fitted([parse(B)])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_terms_that_are_undefined_on_a_network_have_no_row(value):
    fits = sums(filled(changed(A, 5, value)))
    assert fits.row(parse(A)) is None
    assert fits.row(parse(f"{A} * {B}")) is None
    assert fits.row(parse(B)) is not None
    assert sums(filled(changed(A, 60, value), networks=56), networks=56).row(parse(A)) is not None


def test_terms_of_thin_coverage_have_no_row():
    coverage = {A: np.ones((CONTEXTS, COUNT)), B: np.ones((CONTEXTS, COUNT))}
    coverage[A][1, 3], coverage[B][1, 3] = 0.79, 0.81
    fits = sums(filled(coverage=coverage))
    assert fits.row(parse(A)) is None
    assert fits.row(parse(B)) is not None
    assert fits.coverage(parse(f"{A} + {B}")) == 0.79
    assert fits.coverage(parse(f"{B} * {C}")) == 0.81


def test_no_term_no_sum():
    assert sums().fitted([]) is None
    assert sums().fitted([constant(2.0)]) is None


EMPTY = [3, 17, 40]


@pytest.mark.parametrize(
    "table",
    [
        filled(status=flags(EMPTY, Status.EMPTY)),
        filled(
            {t: np.where(f, math.nan, VALUES[t]) for t, f in flags(EMPTY, 1).items()},
            status=flags(EMPTY, Status.NETWORK_KILLED),
            coverage=flags(EMPTY, 0.0, 1.0),
        ),
    ],
    ids=["nothing to aggregate", "not measured"],
)
def test_networks_without_values_are_left_out_of_the_rows(table):
    fits = sums(table)
    used = [i for i in range(COUNT) if i not in EMPTY]
    assert len(fits.y) == 3 * len(used)
    fit = fits.fit(rows_of(fits, TERMS))
    _, correlations = reference(TERMS.values(), used)
    assert fit.correlations.tolist() == pytest.approx(correlations)
    formula = fits.fitted([parse(text) for text in TERMS])
    exact = table.scores(formula, 0, COUNT)
    assert not exact.reason
    assert fits.coverage(formula) == exact.coverage == 1


def test_losses_are_those_of_fits_without_each_term():
    fits = sums()
    rows = rows_of(fits, TERMS)
    ridge = RIDGE * len(fits.y)

    def objective(some):
        x, y = np.stack(some).T, fits.y.numpy()
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(len(some)), x.T @ y)
        return ((y - x @ weights) ** 2).sum() + ridge * (weights**2).sum()

    expected = [
        (objective(rows[:i] + rows[i + 1 :]) - objective(rows)) / len(fits.y)
        for i in range(len(rows))
    ]
    assert fits.losses(rows).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("texts", [[], [A], [A, f"{A} * {B}"]])
def test_gains_are_those_of_fits_with_each_term(texts):
    fits = sums()
    rows = rows_of(fits, texts)
    offered = rows_of(fits, [B, C, f"log({D})", f"{A} * {C}"])

    def unexplained(some):
        if not some:
            return (fits.y.numpy() ** 2).sum()
        x, y = np.stack(some).T, fits.y.numpy()
        weights, *_ = np.linalg.lstsq(x, y)
        return ((y - x @ weights) ** 2).sum()

    expected = [(unexplained(rows) - unexplained([*rows, new])) / len(fits.y) for new in offered]
    assert fits.gains(rows, torch.stack(offered)).tolist() == pytest.approx(expected)


def test_what_is_explained_already_gains_nothing():
    fits = sums()
    again = rows_of(fits, [f"3.0 * {A} + 1.0", f"{A} - 2.0 * {B}"])
    assert fits.gains(rows_of(fits, [A, B]), torch.stack(again)).tolist() == [0, 0]


def test_scores_of_the_formula_are_what_was_fitted():
    table = filled()
    fits = sums(table)
    terms = [parse(text) for text in TERMS]
    fit = fits.fit(rows_of(fits, TERMS))
    formula = fits.formula(terms, fit.weights)
    scores = np.stack([table.scores(formula, c, COUNT).values for c in range(CONTEXTS)])
    predicted = fit.weights @ torch.stack(rows_of(fits, TERMS))
    for task in range(3):
        at = fits._task == task
        values = scores.reshape(-1)[fits._index[at]]
        linear = (predicted / fits._root)[at]
        assert np.corrcoef(values, linear)[0, 1] > 1 - 1e-6


def test_weights_have_four_digits():
    formula = sums().fitted([parse(text) for text in (A, B, C)])
    assert len(formula.constants()) == 3
    assert all(value == float(f"{value:.4g}") for value in formula.constants())
    assert parse(formula.text) == formula


def test_rows_are_forgotten_rather_than_piled_up(monkeypatch):
    monkeypatch.setattr(module, "ROWS_KEPT", 2)
    fits = sums()
    first = fits.row(parse(A))
    for text in TERMS:
        fits.row(parse(text))
    assert len(fits._rows) <= 2
    assert fits.row(parse(A)).tolist() == first.tolist()


def test_the_spread_of_a_feature_is_its_mean_and_its_deviation_within_tasks():
    shifted = {A: VALUES[A] + np.array([[0.0], [100.0]])}
    fits = sums(filled(shifted))
    mean, deviation = fits.spread(parse(A))
    expected = np.mean([shifted[A][context].mean() for context in (0, 1, 0)])
    assert mean == pytest.approx(expected)
    assert 0.7 < deviation < 1.3


def test_equal_accuracies_correlate_with_nothing():
    equal = [Task("equal", 0, np.ones(COUNT)), tasks()[1]]
    fits = Sums(filled(), equal, COMPONENTS[:2], COUNT, CANDIDATES)
    first, second = fits.fit(rows_of(fits, [A])).correlations.tolist()
    assert first == 0
    assert second > 0.5
