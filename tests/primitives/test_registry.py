"""The library's door, and the resolution of kinds."""

import pytest

from eznas.primitives import CONSTANT, NET_SCALAR, WORDS, Kind
from eznas.primitives.kinds import AXES, FORMS
from eznas.primitives.registry import aggregation, word

FEATURES = Kind("features", "layers", "raw")
SAMPLES = Kind("samples", "layers", "raw")
KERNEL = Kind("samples", "activations", "sketch")
WEIGHTS, MATRIX, VECTOR, SCALAR = (Kind(f) for f in ("weights", "matrix", "vector", "scalar"))


def test_a_name_is_taken_once():
    before = dict(WORDS)
    with pytest.raises(ValueError, match="'add' is there already"):

        @word("any any -> same")
        def add(x, y):
            """x + y again."""

    with pytest.raises(ValueError, match="'sum_layers' is there already"):

        @aggregation("scalar -> scalar")
        def sum_layers(x, mask):
            """The sum again."""

    assert before == WORDS


def test_a_word_needs_a_docstring():
    with pytest.raises(ValueError, match="'silent' needs a docstring"):

        @word("any -> same")
        def silent(x):
            return x

    assert "silent" not in WORDS


@pytest.mark.parametrize("entry", WORDS.values(), ids=lambda w: w.name)
def test_words_are_well_formed(entry):
    assert WORDS[entry.name] is entry
    assert entry.name.isidentifier()
    assert entry.meaning.endswith((".", ":"))
    assert all(len(s.arguments) == entry.arity for s in entry.signatures)
    assert entry.arity == 2 or not (entry.commutative or entry.symbol)
    assert entry.live or entry.aggregation
    assert entry.empty is None or entry.aggregation


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("add", [FEATURES, FEATURES], FEATURES),
        ("add", [FEATURES, CONSTANT], FEATURES),
        ("add", [CONSTANT, NET_SCALAR], NET_SCALAR),
        ("add", [CONSTANT, CONSTANT], CONSTANT),
        ("add", [FEATURES, WEIGHTS], None),
        ("add", [FEATURES, Kind("features", "layers", "sketch")], None),
        ("add", [SCALAR, NET_SCALAR], None),
        ("add", [SCALAR, Kind("scalar", "activations")], None),
        ("add", [FEATURES], None),
        ("gram", [FEATURES], SAMPLES),
        ("gram", [WEIGHTS], None),
        ("gram", [CONSTANT], None),
        ("covariance", [FEATURES], MATRIX),
        ("covariance", [WEIGHTS], MATRIX),
        ("logdet", [SAMPLES], SCALAR),
        ("logdet", [FEATURES], MATRIX),
        ("eigenvalues", [KERNEL], Kind("vector", "activations")),
        ("sum", [SCALAR], None),
        ("sum", [Kind("vector", "networks")], NET_SCALAR),
        ("entropy", [VECTOR], SCALAR),
        ("entropy", [SCALAR], None),
        ("sum_layers", [SCALAR], NET_SCALAR),
        ("sum_layers", [KERNEL], Kind("samples", "networks", "sketch")),
        ("sum_layers", [NET_SCALAR], None),
        ("sum_layers", [CONSTANT], None),
        ("mean_layers", [KERNEL], None),
        ("weighted_mean_layers", [SCALAR, SCALAR], NET_SCALAR),
        ("weighted_mean_layers", [SCALAR, CONSTANT], None),
        ("saliency", [FEATURES, FEATURES], MATRIX),
        ("saliency", [FEATURES, Kind("features", "layers", "sketch")], None),
        ("saliency", [FEATURES, CONSTANT], None),
        ("pixel_mean", [Kind("features", "blocks", "sketch")], Kind("matrix", "blocks")),
        ("pixel_mean", [WEIGHTS], None),
        ("channel_variance", [Kind("features", "norms", "raw")], Kind("vector", "norms")),
        ("channel_correlation", [Kind("features", "norms", "raw")], Kind("matrix", "norms")),
        ("channel_correlation", [WEIGHTS], MATRIX),
        ("channel_correlation", [MATRIX], None),
        ("unit_diagonal", [KERNEL], KERNEL),
        ("unit_diagonal", [Kind("matrix", "blocks")], Kind("matrix", "blocks")),
        ("unit_diagonal", [FEATURES], None),
        ("sum_abs", [Kind("vector", "norms")], Kind("scalar", "norms")),
        ("sum_abs", [SCALAR], None),
        ("singular_values", [Kind("matrix", "blocks")], Kind("vector", "blocks")),
        ("add", [Kind("scalar", "blocks"), Kind("scalar", "norms")], None),
        ("add", [Kind("scalar", "blocks"), CONSTANT], Kind("scalar", "blocks")),
        ("weighted_mean_layers", [Kind("scalar", "norms"), Kind("scalar", "norms")], NET_SCALAR),
        ("weighted_mean_layers", [Kind("scalar", "norms"), SCALAR], None),
        ("mean_layers", [Kind("scalar", "blocks")], NET_SCALAR),
    ],
)
def test_resolve(name, given, expected):
    assert WORDS[name].resolve(given) == expected


@pytest.mark.parametrize(
    ("name", "shapes", "fits"),
    [
        ("add", [(2, 3), (2, 3)], True),
        ("add", [(2, 3), (2, 4)], False),
        ("add", [(2, 3), ()], True),
        ("add", [(), ()], True),
        ("logdet", [(2, 3, 3)], True),
        ("logdet", [(2, 3, 4)], False),
        ("matmul", [(2, 3, 3), (2, 3, 3)], True),
        ("matmul", [(2, 3, 3), (2, 4, 4)], False),
        ("singular_values", [(2, 3, 4)], True),
        ("unit_diagonal", [(2, 3, 3)], True),
        ("unit_diagonal", [(2, 3, 4)], False),
        ("saliency", [(2, 3, 4, 5, 5), (2, 3, 4, 5, 5)], True),
        ("saliency", [(2, 3, 4, 5, 5), (2, 3, 4, 6, 5)], False),
    ],
)
def test_applies(name, shapes, fits):
    assert WORDS[name].applies(*shapes) == fits


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FEATURES, "Features(raw)"),
        (KERNEL, "SampleMatrix(activations, sketch)"),
        (MATRIX, "ChannelMatrix"),
        (NET_SCALAR, "NetScalar"),
        (Kind("matrix", "networks"), "NetMatrix"),
        (CONSTANT, "Constant"),
        (Kind("matrix", "blocks"), "ChannelMatrix(blocks)"),
        (Kind("vector", "norms"), "Vector(norms)"),
        (Kind("scalar", "activations"), "Scalar(activations)"),
        (Kind("features", "norms", "raw"), "Features(norms, raw)"),
        (Kind("vector", "networks"), "NetVector"),
    ],
)
def test_kinds_are_named_as_in_the_manual(kind, text):
    assert str(kind) == text


def test_every_kind_has_a_name_of_its_own():
    batched = ("features", "samples")
    kinds = [Kind(f, axis, "raw" if f in batched else "") for f in FORMS for axis in AXES]
    assert len({str(kind) for kind in kinds}) == len(kinds)


def test_a_kind_has_a_form():
    with pytest.raises(ValueError, match="no such form: 'tensor'"):
        Kind("tensor")
