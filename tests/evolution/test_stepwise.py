"""Sums of terms: what a formula adds up, and the next term that least squares choose."""

import pytest
from tests.predictors.test_least_squares import CANDIDATES, COUNT, PLANTED, TASKS, A, B, C, filled

from eznas.evolution import randomness
from eznas.evolution import stepwise as additive
from eznas.evolution.fitness import judge
from eznas.evolution.stepwise import Dictionary, terms
from eznas.formulas.parser import parse


@pytest.fixture(autouse=True)
def seeded():
    before = randomness.state()
    randomness.seed(1)
    yield
    randomness.restore(before)


@pytest.fixture
def every_word(monkeypatch):
    """All words are offered, and no term is taken away."""
    monkeypatch.setattr(additive, "OFFERED", 1.0)
    monkeypatch.setattr(additive, "DROPPED", 0.0)


def dictionary(table=None):
    return Dictionary.of(CANDIDATES, table or filled(), TASKS, COUNT)


def texts(formula):
    return {t.text for t in terms(parse(formula))}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("params", {"params"}),
        ("2.0 * params - 3.0", {"params"}),
        (f"{A} + 2 * ({B} - 0.5 * {C}) - -{A}", {A, B, C}),
        (f"{A} - ({B} + {C})", {A, B, C}),
        (f"max({A}, {B} + 1) + 1.5", {f"max(1.0 + {B}, {A})"}),
        (f"{A} * {B} / 2", {f"{A} * {B} / 2.0"}),
    ],
)
def test_terms(formula, expected):
    found = texts(formula)
    assert len(found) == len(expected)
    assert {parse(t).canonical.text for t in found} == {parse(t).canonical.text for t in expected}


@pytest.mark.usefixtures("every_word")
def test_a_step_finds_the_planted_word_that_is_missing():
    formula = dictionary().step(parse(f"{A} + 0.001 * {B}"))
    assert texts(formula.text) == {A, B, C}
    [judged] = judge([formula], filled(), TASKS, COUNT)
    assert judged.fitness > 0.99


@pytest.mark.usefixtures("every_word")
def test_terms_that_are_no_words_stay_and_are_weighed():
    product = f"{A} * {B}"
    formula = dictionary().step(parse(f"5.0 * ({product})"))
    own = {parse(t).canonical.text for t in texts(formula.text)}
    assert parse(product).canonical.text in own
    assert len(own) == 2


@pytest.mark.usefixtures("every_word")
def test_the_same_seed_gives_the_same_step(monkeypatch):
    monkeypatch.setattr(additive, "OFFERED", 0.5)
    found = []
    for _ in range(2):
        randomness.seed(3)
        found.append(dictionary().step(parse(A)).text)
    assert found[0] == found[1]


def test_a_term_may_go(monkeypatch):
    monkeypatch.setattr(additive, "OFFERED", 0.0)
    monkeypatch.setattr(additive, "DROPPED", 1.0)
    formula = dictionary().step(parse(f"{A} + {B} + {C}"))
    assert len(texts(formula.text)) == 2
    assert texts(formula.text) < {A, B, C}


@pytest.mark.usefixtures("every_word")
def test_where_nothing_can_be_fitted_the_formula_comes_back():
    flat = {name: [1.0] * COUNT for name in (c.text for c in CANDIDATES)}
    formula = parse(A)
    assert dictionary(filled(PLANTED | flat)).step(formula) is formula


@pytest.mark.usefixtures("every_word")
def test_a_constant_beyond_the_finite_numbers_leaves_the_formula():
    tiny = {name: (5e-324 * (1 + (i % 3)) for i in range(COUNT)) for name in (A,)}
    planted = {name: [*values] for name, values in tiny.items()}
    formula = parse(A)
    with_huge = Dictionary.of([parse(A)], filled(planted, [parse(A)]), TASKS, COUNT)
    assert with_huge.step(formula).text == formula.text
