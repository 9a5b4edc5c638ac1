"""A formula as a weighted sum of terms."""

import pytest

from eznas.formulas.parser import parse
from eznas.formulas.terms import weighted_terms
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.loading import load


@pytest.mark.parametrize(
    ("formula", "weights", "constant"),
    [
        ("params", {"params": 1.0}, 0.0),
        ("2.0 * params - 3.0 * paths_count + 1.5", {"params": 2.0, "paths_count": -3.0}, 1.5),
        ("2.0 * (params - 3.0 * paths_count)", {"params": 2.0, "paths_count": -6.0}, 0.0),
        ("params + params", {"params": 2.0}, 0.0),
        ("-(params - 1.0)", {"params": -1.0}, 1.0),
        ("params * paths_count", {"params * paths_count": 1.0}, 0.0),
        ("log(params + paths_count)", {"log(params + paths_count)": 1.0}, 0.0),
    ],
)
def test_terms_and_their_weights(formula, weights, constant):
    terms, added = weighted_terms(parse(formula))
    assert {term.text: weight for term, weight in terms.items()} == weights
    assert added == constant


@pytest.mark.parametrize("name", DISCOVERED)
def test_discovered_proxies_are_sums(name):
    """Every term is a formula that can be measured by itself."""
    terms, _ = weighted_terms(load(name).formula)
    assert len(terms) > 3
    assert all(parse(term.text).statistics() for term in terms)
