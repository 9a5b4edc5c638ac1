"""Moves between sums of terms: what they add, drop and keep, and their limits."""

import numpy as np
import pytest

from eznas.evolution import moves as module
from eznas.evolution import randomness
from eznas.evolution.config import DEFAULT_PRIMITIVES, EvolutionConfig
from eznas.evolution.grammar import Grammar
from eznas.evolution.moves import Moves
from eznas.evolution.sums import weighted_sum
from eznas.formulas.parser import parse
from tests.evolution.made_up_sums import CANDIDATES, VALUES, A, B, C, D, E, filled, sums

PRODUCT = parse(f"{A} * {B}").canonical


@pytest.fixture(autouse=True)
def seeded():
    saved = randomness.state()
    randomness.seed(1)
    yield
    randomness.restore(saved)


def moves(fits=None, without=(), candidates=CANDIDATES, **settings):
    primitives = [name for name in DEFAULT_PRIMITIVES if name not in without]
    grammar = Grammar(("layer_params", "params"), candidates, primitives)
    config = EvolutionConfig(**{"fit": True, "price": 0.0, "max_nodes": 80} | settings)
    return Moves(fits or sums(), config, grammar, candidates)


def parsed(*texts):
    return [parse(text).canonical for text in texts]


def explained(fits, terms):
    """The share of variance that the terms explain together."""
    x, y = np.stack([fits.row(term) for term in terms]).T, fits.y.numpy()
    weights, *_ = np.linalg.lstsq(x, y)
    return 1 - ((y - x @ weights) ** 2).mean()


def test_the_size_is_that_of_the_weighted_sum():
    for texts in ([A], [A, f"log({B})"], [A, B, f"max({C}, 0.5)", f"{A} * {D}"]):
        terms = parsed(*texts)
        for complexity in ({}, {"mul": 3, "add": 2, "log": 5}):
            made = moves(complexity=complexity)
            formula = weighted_sum(terms, [0.5] * len(terms))
            assert made.size(terms) == made._config.size_of(formula)


def test_the_added_term_is_the_best_of_those_offered():
    fits = sums()
    made = moves(fits)
    offered = []
    random_terms = made._random_terms

    def recorded(own):
        for term in random_terms(own):
            offered.append(term.formula())
            yield term

    made._random_terms = recorded
    terms = parsed(C)
    for _ in range(4):
        offered.clear()
        extended = made.extended(terms)
        assert extended[:-1] == terms
        new = [t for t in set(offered) - set(terms) if fits.row(t) is not None]
        values = [explained(fits, [*terms, t]) for t in new]
        assert explained(fits, extended) == pytest.approx(max(values), abs=1e-4)
        terms = extended


def test_without_interactions_random_terms_are_features():
    features = [candidate.canonical for candidate in CANDIDATES]
    plain, bent = (
        {term.formula() for term in moves(interactions=wanted)._random_terms(())}
        for wanted in (False, True)
    )
    assert plain
    assert plain <= set(features)
    assert bent - set(features)


@pytest.mark.parametrize("number", range(5))
def test_a_planted_product_is_found(number):
    randomness.seed(number)
    fits = sums(of=lambda a, b, c, d, e: a * b)
    made = moves(fits)
    added = made.extended(made.extended([]))
    assert explained(fits, added) > 0.6 > 0.2 > explained(fits, parsed(A, B))
    assert any({f.text for f in term.features()} == {A, B} for term in added)


@pytest.mark.parametrize("limit", [3, 5, 8, 12, 17])
def test_nothing_grows_beyond_the_limit_of_nodes(limit):
    made = moves(max_nodes=limit)
    terms = []
    for _ in range(8):
        longer = made.extended(terms)
        assert longer == terms or made.is_within(longer)
        terms = longer
    assert made.size(terms) <= limit
    assert made.extended(terms) == terms or limit - made.size(terms) >= 5  # a feature's, weighed


def test_a_price_makes_terms_short():
    fits, added = sums(of=lambda a, b, c, d, e: a * b), {}
    for price in (0.0, 1e-3, 10.0):
        randomness.seed(1)
        _, added[price] = moves(fits, price=price).extended(parsed(C))
    assert {f.text for f in added[0.0].features()} == {A, B}
    assert added[1e-3] == PRODUCT  # the shortest that does
    assert added[10.0] in CANDIDATES  # worth the least, if that: a move always adds


def test_useless_terms_are_dropped_and_the_others_stay():
    terms = parsed(A, B, f"{A} * {B}", E)
    assert moves(price=1e-3).pruned(terms) == terms[:3]
    assert moves(price=0.0).pruned(terms) == terms
    assert len(moves(price=10.0).pruned(terms)) == 1


def test_undefined_terms_are_dropped():
    undefined = VALUES[C].copy()
    undefined[1, 4] = np.nan
    made = moves(sums(filled({C: undefined})))
    assert made.pruned(parsed(A, C, f"{C} * {B}", B)) == parsed(A, B)
    assert made.pruned(parsed(C)) == made.pruned([]) == []
    extended = made.extended(parsed(C))
    assert len(extended) == 2
    assert C not in [f.text for f in extended[1].features()]


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"max_nodes": 11}, 2),
        ({"max_terms": 3}, 3),
        ({"max_constants": 2}, 2),
        ({"max_depth": 4}, 3),  # of a sum of n: n - 1, a product and a feature of depth 1
        ({"complexity": {"mul": 10}, "max_nodes": 40}, 2),
    ],
)
def test_what_is_pruned_is_within_the_limits(limits, most):
    made = moves(**limits)
    kept = made.pruned(parsed(D, B, E, A, C))
    assert made.is_within(kept)
    assert len(kept) == most
    assert kept == parsed(*[t for t in (D, B, E, A, C) if parse(t) in kept])  # in order
    assert parse(A) in kept  # the two that were planted
    assert parse(B) in kept


def test_merged_sums_keep_what_is_worth_most():
    first, second = parsed(D, A), parsed(E, f"{A} * {B}", A, B)
    merged = moves(price=1e-3).merged(first, second)
    assert set(merged) == {*parsed(A, B), PRODUCT}
    assert len(moves(price=0.0).merged(first, second)) == 5  # each once


def test_exchanges_change_some_terms_and_keep_others():
    made = moves()
    terms = parsed(A, B, C)
    kept, added = [], []
    for _ in range(30):
        changed = made.exchanged(terms)
        assert made.is_within(changed)
        kept.append(len(set(terms) & set(changed)))
        added.append(len(set(changed) - set(terms)))
    assert {2, 3} <= set(kept)
    assert set(added) <= {0, 1, 2, 3, 4}
    assert {1, 2} <= set(added)


def test_equal_seeds_equal_moves():
    results = []
    for seed in (3, 3, 4):
        randomness.seed(seed)
        made = moves()
        results.append([made.exchanged(parsed(A, C)) for _ in range(3)])
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_terms_have_the_primitives_of_the_grammar_alone():
    without = {"min", "max", "log"}
    made = moves(without=without)
    terms = {term.formula() for _ in range(4) for term in made._random_terms([])}
    said = {name for term in terms for name in term.primitives()}
    assert not said & without
    assert {"mul", "div", "sub", "sigmoid"} <= said
    everything = {
        name
        for _ in range(4)
        for term in moves()._random_terms([])
        for name in term.formula().primitives()
    }
    assert without < everything


def test_a_feature_beyond_the_grammar_does_not_forbid_forms_of_others():
    """A seed's feature may be the first that is defined."""
    foreign = parse("max_layers(norm(weight))")
    values = {foreign.text: VALUES[A][::-1] + 1.0}
    fits = sums(filled(values), candidates=[foreign, *CANDIDATES])
    made = moves(fits, without={"norm"}, candidates=[foreign, *CANDIDATES])
    assert len(made._forms) == len(moves()._forms)


def test_where_every_feature_is_constant_nothing_is_added():
    constant = {text: np.full_like(VALUES[text], 0.25) for text in VALUES}
    made = moves(sums(filled(constant)))
    assert made.extended([]) == []
    assert made.exchanged(parsed(A)) in ([], parsed(A))


def test_values_too_far_apart_for_a_constant_are_no_harm():
    values = {A: 1e150 * VALUES[A], B: 1e-160 * VALUES[B]}
    fits = sums(filled(values))
    made = moves(fits)
    for _ in range(5):
        terms = made.exchanged(parsed(C))
        assert all(parse(term.text) == term for term in terms)
        assert fits.fitted(terms) is not None


def test_features_that_say_more_are_drawn_more_often():
    made = moves()
    drawn = [made._random_feature([]).feature.text for _ in range(2000)]
    assert drawn.count(A) > 2 * drawn.count(D)
    assert all(drawn.count(text) > 20 for text in (A, B, C, D, E))
    own = [made._random_feature([D]).feature.text for _ in range(500)]
    assert own.count(D) > 200


def test_all_forms_are_offered(monkeypatch):
    monkeypatch.setattr(module, "OFFERED", 400)
    made = moves()
    terms = {term.formula() for term in made._random_terms([])}
    assert PRODUCT in terms
    outermost = {term.name for term in terms}
    assert {"mul", "div", "min", "max", "log", "sigmoid"} <= outermost


def test_a_term_is_not_added_twice():
    without = {"min", "max", "log", "mul", "div", "sigmoid"}
    made = moves(without=without, candidates=CANDIDATES[:1])
    assert made.extended([]) == parsed(A)
    assert made.extended(parsed(A)) == parsed(A)
