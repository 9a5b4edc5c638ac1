"""The registry: what it refuses, and the types that primitives resolve to."""

import pytest
import torch

from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.primitives.registry import aggregation, primitive
from eznas.primitives.types import AXES, FORMS

MAPS = ValueType("maps", "layers", "raw")
SAMPLES = ValueType("samples", "layers", "raw")
KERNEL = ValueType("samples", "activations", "sketch")
WEIGHTS, MATRIX, VECTOR, SCALAR = (ValueType(f) for f in ("weights", "matrix", "vector", "scalar"))


@pytest.fixture
def registry():
    """The registry, which afterwards is as it was."""
    before = dict(PRIMITIVES)
    yield PRIMITIVES
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def test_a_name_is_registered_once():
    registered = dict(PRIMITIVES)
    with pytest.raises(ValueError, match="'add' is already registered"):

        @primitive("any any -> same")
        def add(x, y):
            """x + y again."""

    with pytest.raises(ValueError, match="'sum_layers' is already registered"):

        @aggregation("scalar -> scalar")
        def sum_layers(x, mask):
            """The sum again."""

    assert registered == PRIMITIVES


def test_a_primitive_needs_a_docstring():
    with pytest.raises(ValueError, match="'silent' needs a docstring"):

        @primitive("any -> same")
        def silent(x):
            return x

    assert "silent" not in PRIMITIVES


@pytest.mark.parametrize("entry", PRIMITIVES.values(), ids=lambda p: p.name)
def test_primitives_are_well_formed(entry):
    assert PRIMITIVES[entry.name] is entry
    assert entry.name.isidentifier()
    assert entry.meaning.endswith((".", ":"))
    assert all(len(s.arguments) == entry.arity for s in entry.signatures)
    assert entry.arity == 2 or not (entry.commutative or entry.symbol)
    assert entry.live or entry.aggregation
    assert entry.empty is None or entry.aggregation


@pytest.mark.parametrize(
    ("name", "types", "expected"),
    [
        ("add", [MAPS, MAPS], MAPS),
        ("add", [MAPS, CONSTANT], MAPS),
        ("add", [CONSTANT, NET_SCALAR], NET_SCALAR),
        ("add", [CONSTANT, CONSTANT], CONSTANT),
        ("add", [MAPS, WEIGHTS], None),
        ("add", [MAPS, ValueType("maps", "layers", "sketch")], None),
        ("add", [SCALAR, NET_SCALAR], None),
        ("add", [SCALAR, ValueType("scalar", "activations")], None),
        ("add", [MAPS], None),
        ("gram", [MAPS], SAMPLES),
        ("gram", [WEIGHTS], None),
        ("gram", [CONSTANT], None),
        ("covariance", [MAPS], MATRIX),
        ("covariance", [WEIGHTS], MATRIX),
        ("logdet", [SAMPLES], SCALAR),
        ("logdet", [MAPS], MATRIX),
        ("eigenvalues", [KERNEL], ValueType("vector", "activations")),
        ("sum", [SCALAR], None),
        ("sum", [ValueType("vector", "networks")], NET_SCALAR),
        ("entropy", [VECTOR], SCALAR),
        ("entropy", [SCALAR], None),
        ("sum_layers", [SCALAR], NET_SCALAR),
        ("sum_layers", [KERNEL], ValueType("samples", "networks", "sketch")),
        ("sum_layers", [NET_SCALAR], None),
        ("sum_layers", [CONSTANT], None),
        ("mean_layers", [KERNEL], None),
        ("weighted_mean_layers", [SCALAR, SCALAR], NET_SCALAR),
        ("weighted_mean_layers", [SCALAR, CONSTANT], None),
        ("saliency", [MAPS, MAPS], MATRIX),
        ("saliency", [MAPS, ValueType("maps", "layers", "sketch")], None),
        ("saliency", [MAPS, CONSTANT], None),
        ("pixel_mean", [ValueType("maps", "blocks", "sketch")], ValueType("matrix", "blocks")),
        ("pixel_mean", [WEIGHTS], None),
        ("channel_variance", [ValueType("maps", "norms", "raw")], ValueType("vector", "norms")),
        (
            "channel_correlation",
            [ValueType("maps", "norms", "raw")],
            ValueType("matrix", "norms"),
        ),
        ("channel_correlation", [WEIGHTS], MATRIX),
        ("channel_correlation", [MATRIX], None),
        ("unit_diagonal", [KERNEL], KERNEL),
        ("unit_diagonal", [ValueType("matrix", "blocks")], ValueType("matrix", "blocks")),
        ("unit_diagonal", [MAPS], None),
        ("sum_abs", [ValueType("vector", "norms")], ValueType("scalar", "norms")),
        ("sum_abs", [SCALAR], None),
        ("singular_values", [ValueType("matrix", "blocks")], ValueType("vector", "blocks")),
        ("add", [ValueType("scalar", "blocks"), ValueType("scalar", "norms")], None),
        ("add", [ValueType("scalar", "blocks"), CONSTANT], ValueType("scalar", "blocks")),
        (
            "weighted_mean_layers",
            [ValueType("scalar", "norms"), ValueType("scalar", "norms")],
            NET_SCALAR,
        ),
        ("weighted_mean_layers", [ValueType("scalar", "norms"), SCALAR], None),
        ("mean_layers", [ValueType("scalar", "blocks")], NET_SCALAR),
    ],
)
def test_resolve(name, types, expected):
    assert PRIMITIVES[name].resolve(types) == expected


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
    assert PRIMITIVES[name].applies(*shapes) == fits


@pytest.mark.parametrize(
    ("value_type", "name"),
    [
        (MAPS, "Features(raw)"),
        (KERNEL, "SampleMatrix(activations, sketch)"),
        (MATRIX, "ChannelMatrix"),
        (NET_SCALAR, "NetScalar"),
        (ValueType("matrix", "networks"), "NetMatrix"),
        (CONSTANT, "Constant"),
        (ValueType("matrix", "blocks"), "ChannelMatrix(blocks)"),
        (ValueType("vector", "norms"), "Vector(norms)"),
        (ValueType("scalar", "activations"), "Scalar(activations)"),
        (ValueType("maps", "norms", "raw"), "Features(norms, raw)"),
        (ValueType("vector", "networks"), "NetVector"),
    ],
)
def test_types_are_named_as_in_the_manual(value_type, name):
    assert str(value_type) == name


def test_every_type_has_a_name_of_its_own():
    batched = ("maps", "samples")
    types = [ValueType(f, axis, "raw" if f in batched else "") for f in FORMS for axis in AXES]
    assert len(set(map(str, types))) == len(types)


def test_a_type_has_a_form():
    with pytest.raises(ValueError, match="no such form: 'tensor'"):
        ValueType("tensor")


@pytest.mark.parametrize(
    "result", [lambda x: x.sum(), lambda x: x.sum((1, 2))[:1], lambda x: x.sum(1)]
)
def test_a_result_of_the_wrong_shape_names_the_primitive(registry, result):
    def wrong(x):
        """Not a scalar for each row."""
        return result(x)

    primitive("tensor -> scalar")(wrong)
    with pytest.raises(ValueError, match=r"'wrong' gave a tensor of shape .*, expected \[2\]"):
        registry["wrong"](torch.ones(2, 3, 4))


@pytest.mark.parametrize("signature", ["tensor -> scaler", "tenser -> scalar", "tensor", ""])
def test_a_wrong_signature_is_refused_where_it_is_written(registry, signature):
    with pytest.raises(ValueError, match="expected forms, as in 'tensor -> scalar'"):
        primitive(signature)


def test_only_the_module_that_defined_a_primitive_may_define_it_anew(registry):
    for meaning in ("The first.", "The second."):

        def again(x):
            return x

        again.__doc__ = meaning
        primitive("any -> same")(again)
        assert registry["again"].meaning == meaning

    def from_elsewhere(x):
        """The third."""

    from_elsewhere.__module__ = "elsewhere"
    with pytest.raises(ValueError, match="'again' is already registered"):
        primitive("any -> same", name="again")(from_elsewhere)
