"""Sums of terms: what a formula adds up, and the next term that least squares choose."""

import pytest

from eznas.evolution import randomness, stepwise
from eznas.evolution.fitness import evaluate_fitness
from eznas.evolution.stepwise import StepwiseCandidates, terms
from eznas.formulas.parser import parse
from tests.predictors.made_up import CANDIDATES, COUNT, TASKS, A, B, C, filled


@pytest.fixture(autouse=True)
def seeded():
    saved = randomness.state()
    randomness.seed(1)
    yield
    randomness.restore(saved)


@pytest.fixture
def all_offered(monkeypatch):
    """All candidates are offered, and no term is dropped."""
    monkeypatch.setattr(stepwise, "OFFERED", 1.0)
    monkeypatch.setattr(stepwise, "DROPPED", 0.0)


def step(formula, table=None, candidates=CANDIDATES):
    return StepwiseCandidates.of(candidates, table or filled(), TASKS, COUNT).step(formula)


def canonical(texts):
    return {parse(text).canonical.text for text in texts}


def term_texts(formula):
    return {term.text for term in terms(formula)}


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
    texts = term_texts(parse(formula))
    assert len(texts) == len(expected)
    assert canonical(texts) == canonical(expected)


@pytest.mark.usefixtures("all_offered")
def test_a_step_finds_the_planted_term_that_is_missing():
    formula = step(parse(f"{A} + 0.001 * {B}"))
    assert term_texts(formula) == {A, B, C}
    [result] = evaluate_fitness([formula], filled(), TASKS, COUNT)
    assert result.fitness > 0.99


@pytest.mark.usefixtures("all_offered")
def test_terms_that_are_no_candidates_stay_and_are_weighed():
    product = f"{A} * {B}"
    texts = canonical(term_texts(step(parse(f"5.0 * ({product})"))))
    assert canonical([product]) < texts
    assert len(texts) == 2


@pytest.mark.usefixtures("all_offered")
def test_the_same_seed_gives_the_same_step(monkeypatch):
    monkeypatch.setattr(stepwise, "OFFERED", 0.5)
    texts = []
    for _ in range(2):
        randomness.seed(3)
        texts.append(step(parse(A)).text)
    assert texts[0] == texts[1]


def test_a_term_may_be_dropped(monkeypatch):
    monkeypatch.setattr(stepwise, "OFFERED", 0.0)
    monkeypatch.setattr(stepwise, "DROPPED", 1.0)
    texts = term_texts(step(parse(f"{A} + {B} + {C}")))
    assert len(texts) == 2
    assert texts < {A, B, C}


@pytest.mark.usefixtures("all_offered")
def test_where_nothing_can_be_fitted_the_formula_comes_back():
    equal = {candidate.text: [1.0] * COUNT for candidate in CANDIDATES}
    formula = parse(A)
    assert step(formula, filled(equal)) is formula


@pytest.mark.usefixtures("all_offered")
def test_where_a_weight_would_be_infinite_the_formula_comes_back():
    formula = parse(A)
    tiny = {A: [5e-324 * (1 + i % 3) for i in range(COUNT)]}
    assert step(formula, filled(tiny, [formula]), [formula]) is formula
