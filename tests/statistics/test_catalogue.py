"""The catalogue: complete, named by one scheme, and in agreement with the language."""

import pytest

from eznas.formulas.parser import parse_any
from eznas.statistics.catalogue import CATALOGUE, SITES, Statistic
from primitives import WORDS, Kind

PROBES = {"structure", "data", "noise", "shift", "flow", "label"}
EVERY = pytest.mark.parametrize("row", CATALOGUE.values(), ids=CATALOGUE)


def test_the_tensors_of_eznas() -> None:
    """8 on images, 7 each on noise and shift: the weight is one tensor for all three."""
    sites = ("relu_input", "conv_input", "bn_output")
    names = {f"{probe}_{site}" for probe in ("data", "noise", "shift") for site in sites}
    names |= {f"{name}_grad" for name in names}
    names |= {f"{probe}_weight_grad" for probe in ("data", "noise", "shift")} | {"weight"}
    assert len(names) == 22
    assert names <= CATALOGUE.keys()
    assert {name for name, row in CATALOGUE.items() if "EZNAS" in row.source} == names


def test_published_proxies_have_their_tensors() -> None:
    published = {"flow_weight_grad", "label_weight_grad", "data_relu_agreement", "data_jacobian"}
    assert published <= CATALOGUE.keys()
    assert all(CATALOGUE[name].source for name in published)


@EVERY
def test_a_row_explains_itself(row: Statistic) -> None:
    assert CATALOGUE[row.name] is row
    assert row.meaning
    assert "\n" not in row.meaning
    assert row.probe in PROBES
    assert row.batch in ("raw", "sketch")
    assert row.probe == "structure" or row.site in SITES


@EVERY
def test_a_row_is_named_after_what_it_holds(row: Statistic) -> None:
    assert row.name.isidentifier()
    assert row.name not in WORDS
    if row.probe != "structure":
        assert row.name.startswith(f"{row.probe}_")
    assert row.name.endswith("_grad") == (row.gradient and row.site != "image")


@EVERY
def test_a_row_is_a_formula(row: Statistic) -> None:
    expression = parse_any(row.name)
    assert expression.kind == row.kind
    assert expression.statistics() == [row.name]


@EVERY
def test_the_kind_follows_from_site_and_sketch(row: Statistic) -> None:
    """What keeps its batch says which; the axis is the one that the site lies on."""
    assert row.kind.batch == (row.batch if row.kind.form in ("features", "samples") else "")
    if row.site == "relu_output":
        assert row.kind.axis == "activations"
    if row.sketch:
        features = Kind("features", row.kind.axis, row.batch)
        assert WORDS[row.sketch].resolve([features]) == row.kind
    elif row.site in ("relu_input", "conv_input", "conv_output", "bn_output"):
        assert row.kind == Kind("features", "layers", "raw")
    elif row.site == "weight":
        assert row.kind == Kind("weights")


def test_only_condensed_rows_are_measured_at_the_large_batch() -> None:
    """Raw tensors at 64 images would not fit into memory."""
    large = [row for row in CATALOGUE.values() if row.batch == "sketch"]
    assert large
    assert all(row.sketch or row.site == "image" for row in large)
