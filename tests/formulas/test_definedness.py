"""The table of where features are defined: its form, and what ships."""

import pytest

from eznas.evolution.config import DEFAULT_STATISTICS
from eznas.formulas.candidates import candidate_features
from eznas.formulas.definedness import Definedness, everywhere, shipped
from eznas.formulas.parser import parse
from eznas.spaces import SPACES

TABLE = Definedness(
    {"mlp": "", "nasbench101-1": "1001111011:3m1"},
    {"params": (), "log(params)": ("mlp",), "max_layers(layer_area)": ("mlp", "nasbench101-1")},
)
TEXT = """\
network mlp
network nasbench101-1: 1001111011:3m1
feature params
feature log(params): mlp
feature max_layers(layer_area): mlp nasbench101-1
"""


def test_a_table_as_text_and_back():
    text = TABLE.as_text()
    assert [line for line in text.splitlines(keepends=True) if line[0] != "#"] == TEXT.splitlines(
        keepends=True
    )
    assert Definedness.of_text(text) == TABLE


@pytest.mark.parametrize(
    ("feature", "expected"),
    [("params", True), ("log(params)", False), ("sum_layers(layer_area)", False)],
)
def test_what_is_undefined_somewhere_or_was_not_tried_is_not_everywhere(feature, expected):
    assert TABLE.is_everywhere(parse(feature)) == expected


def test_the_shipped_table_has_every_short_feature_of_the_default_statistics():
    texts = {feature.text for feature in candidate_features(DEFAULT_STATISTICS)}
    assert texts <= set(shipped().undefined_on)
    assert Definedness.of_text(shipped().as_text()) == shipped()


def test_it_has_two_networks_of_every_space_and_twelve_small_models():
    networks = shipped().networks
    small = [name for name, architecture in networks.items() if not architecture]
    assert len(small) == 12
    for name, space in SPACES.items():
        architectures = [networks[f"{name}-{i}"] for i in (1, 2)]
        assert [space.canonical(a) for a in architectures] == architectures
        assert len(set(architectures)) == 2
    assert len(networks) == 12 + 2 * len(SPACES)
    named = {name for names in shipped().undefined_on.values() for name in names}
    assert named <= set(networks)


def test_features_of_activations_are_not_defined_everywhere():
    """A linear model has none."""
    texts = ("sum_layers(layer_params)", "mean_layers(norm(data_relu_agreement))")
    features = [parse(text).canonical for text in texts]
    assert everywhere(features) == features[:1]
    assert shipped().undefined_on[features[1].text] == ("linear",)
