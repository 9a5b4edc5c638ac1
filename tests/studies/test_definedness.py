"""On which networks features are defined: the shipped table is what is measured."""

import pytest
import torch

from eznas.errors import InputError
from eznas.formulas.definedness import shipped
from eznas.studies.definedness import definedness
from eznas.studies.small_models import CLASSES, SMALL_MODELS


@pytest.mark.parametrize("name", SMALL_MODELS)
def test_small_models_are_as_they_are_said_to_be(name):
    make, size = SMALL_MODELS[name]
    with torch.random.fork_rng(devices=[]):
        model = make()
        assert model(torch.randn(4, *size)).shape == (4, CLASSES)
    kinds = {type(module).__name__ for module in model.modules()}
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters < 50_000
    assert ("BatchNorm2d" in kinds) == (
        name in ("cnn", "cnn-without-relu", "cnn-one-channel", "depthwise", "dense")
    )
    assert ("MultiheadAttention" in kinds) == (name == "transformer")
    if name == "linear":
        assert kinds == {"Sequential", "Flatten", "Linear"}


def same(names):
    measured = definedness(names)
    table = shipped()
    assert dict(table.networks) | measured.networks == dict(table.networks)
    assert list(measured.undefined_on) == list(table.undefined_on)
    for feature, undefined_on in measured.undefined_on.items():
        expected = [n for n in table.undefined_on[feature] if n in measured.networks]
        assert list(undefined_on) == expected, feature


def test_the_shipped_table_is_what_is_measured():
    same(["linear", "cnn-1d", "naap440"])


@pytest.mark.slow
@pytest.mark.usefixtures("in_full")
def test_the_shipped_table_is_what_is_measured_on_all():
    same([])


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="model or space 'mixr'; did you mean 'mixer'"):
        definedness(["mixr"])
