"""Results stay what they are, whatever is moved or renamed: see `figures`.

On another processor or torch build last bits differ: scores are then compared to a relative 1e-6,
and what hangs on the comparison of two near-equal numbers (a journal) is skipped.
"""

import json

import pytest

from tests.golden import figures

TEXTS = (
    *("fingerprints", "formulas", "archives", "random_trees", "grammar_quick", "grammar_paper"),
)


def golden(name):
    return json.loads((figures.HOME / f"{name}.json").read_text(encoding="utf-8"))


def plain(content):
    return json.loads(json.dumps(content))


def same_machine():
    return (figures.HOME / "machine.txt").read_text().strip() == figures.machine()


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_what_they_were(name):
    assert plain(figures.FIGURES[name]()) == golden(name)


@pytest.mark.parametrize("name", ["classics", "champions"])
def test_scores_are_what_they_were(name):
    now, before = figures.FIGURES[name](), golden(name)
    if same_machine():
        assert now == before
    else:
        assert now.keys() == before.keys()
        for proxy, scores in now.items():
            expected = pytest.approx([*map(float, before[proxy])], rel=1e-6, nan_ok=True)
            assert [*map(float, scores)] == expected


def alike(now, before):
    """Equal texts and counts; metrics to 1e-12."""
    assert type(now) is type(before)
    if isinstance(now, dict):
        assert now.keys() == before.keys()
        for key, value in now.items():
            alike(value, before[key])
    elif isinstance(now, list):
        assert len(now) == len(before)
        for pair in zip(now, before, strict=True):
            alike(*pair)
    elif isinstance(now, float):
        assert now == pytest.approx(before, abs=1e-12)
    else:
        assert now == before


def test_recorded_values_give_the_correlations_that_they_gave():
    alike(plain(figures.FIGURES["recorded_correlation"]()), golden("recorded_correlation"))


@pytest.mark.slow
def test_networks_give_the_correlations_that_they_gave():
    if not same_machine():
        pytest.skip("figures were taken on another processor or torch build")
    alike(plain(figures.FIGURES["measured_correlation"]()), golden("measured_correlation"))


def test_a_small_run_goes_as_it_went():
    if not same_machine():
        pytest.skip("figures were taken on another processor or torch build")
    now, before = plain(figures.journal()), golden("journal")
    for exact in ("generations", "champion", "evaluations"):
        assert now[exact] == before[exact]
    alike(now, before)
