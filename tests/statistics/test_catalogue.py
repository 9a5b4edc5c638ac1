"""The catalogue: complete, named by one scheme, and consistent with the language."""

from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from eznas.formulas.parser import parse_any
from eznas.primitives import NET_SCALAR, PRIMITIVES, ValueType
from eznas.statistics import probes, sketches
from eznas.statistics.catalogue import CATALOGUE, OVER_PATHS, PATHS
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.paths import Paths
from eznas.statistics.statistic import SITES, Statistic
from eznas.statistics.structure import PATH_QUANTITIES

PROBES = {
    *("structure", "data", "noise", "shift", "flow"),
    *("label", "label2", "curvature", "local", "zen", "fisher"),
}
LABELLED = {"label", "label2", "curvature"}
BATCHES = {"raw", "sketch", "label", "single"}
EVERY_ROW = pytest.mark.parametrize("row", CATALOGUE.values(), ids=CATALOGUE)

# Sketch -> last part of the name, where this is not the last part of the sketch's name.
ENDINGS = {"codes": "patterns", "sum_abs": "change"}
# Site -> axis of tensors stored as they are, axis of those that are condensed; "" for neither.
AXES = {
    "relu_input": ("layers", ""),  # of a layer's activation
    "relu_output": ("", "activations"),
    "relu_change": ("", "activations"),
    "conv_input": ("layers", "layers"),
    "conv_output": ("layers", "layers"),
    "weight": ("layers", ""),
    "weight_per_image": ("", "layers"),
    "bn_input": ("", "norms"),
    "bn_output": ("layers", "norms"),  # of a layer's batch norm; of every one
    "block_output": ("", "blocks"),
    "image": ("networks", ""),
    "network": ("networks", ""),
}
FORMS = {"weight": {"weights"}, "image": {"matrix"}, "network": {"vector", "matrix", "scalar"}}
SKETCHES = {  # those that are no primitives: site, type
    "codes": ("relu_output", NET_SCALAR),
    "image_std": ("weight_per_image", ValueType("weights")),
    "image_signs": ("weight_per_image", ValueType("weights")),
    "transfer": ("block_output", ValueType("matrix", "blocks")),
}


def naming(row: Statistic) -> Iterator[str]:
    """<probe>_<site>_<sketch>; a statistic of the structure has its own name as its site."""
    if not row.name.isidentifier() or row.name in PRIMITIVES:
        yield "the name is no identifier, or that of a primitive"
    if row.probe == "structure":
        if row.site not in (row.name, "network"):
            yield "the site is not the name"
        return
    probe, *parts = row.name.split("_")
    if probe != row.probe:
        yield "the probe does not come first"
    site = row.site.split("_")[0]
    if site not in ("image", "network") and row.sketch != "codes" and site not in parts:
        yield "the site is missing"
    ending = ENDINGS.get(row.sketch, row.sketch.split("_")[-1])
    if row.sketch and parts[-1] != ending:
        yield "the sketch does not come last"
    raw = not row.sketch and row.site != "image"
    if (parts[-1] == "grad") != (raw and (row.gradient or row.probe == "curvature")):
        yield "the name ends in grad, but it is no gradient, or the other way round"


def excitation(row: Statistic) -> Iterator[str]:
    """The probe and the batch exist and fit together."""
    if row.probe not in PROBES or row.batch not in BATCHES:
        yield "no such pass"
    if (row.batch == "label") != (row.probe in LABELLED):
        yield "the batch with labels belongs to the probes that use labels"
    if row.batch in ("sketch", "single") and row.probe != "data":
        yield "only images are measured on this batch"
    if row.batch == "sketch" and not (row.sketch or row.site == "image"):
        yield "a raw tensor at the large batch does not fit into memory"
    if row.gradient and row.probe in ("structure", "local", "zen", "fisher", "curvature"):
        yield "the probe has no backward pass"


def condensed(row: Statistic) -> Iterator[str]:
    """By a primitive, or by a function of `sketches` at its site."""
    if row.sketch and (row.sketch in PRIMITIVES) == (row.sketch in SKETCHES):
        yield "no such sketch"
    elif row.sketch in SKETCHES:
        if SKETCHES[row.sketch] != (row.site, row.type):
            yield "the sketch belongs to another site or type"
    elif row.sketch:
        primitive = PRIMITIVES[row.sketch]
        features = ValueType("maps", row.type.axis, row.batch)
        if primitive.resolve([features] * primitive.arity) != row.type:
            yield "the primitive returns another type"
        if primitive.arity == 2 and not row.gradient:
            yield "a primitive of two arguments takes a value and its gradient"
    if row.with_value != (row.gradient and row.sketch == "saliency"):
        yield "the value beside its gradient is for a primitive that takes both"


def types(row: Statistic) -> Iterator[str]:
    """The batch, the axis and the form of the type fit the site."""
    if row.type.batch != (row.batch if row.type.form in ("maps", "samples") else ""):
        yield "the batch is not that of the type"
    if row.probe == "structure" and row.site != "weight":
        return
    if row.site not in SITES:
        yield "no such site"
        return
    axis = AXES[row.site][bool(row.sketch)]
    if row.type.axis != ("networks" if row.sketch == "codes" else axis):
        yield "the axis is not that of the site"
    if not row.sketch and row.type.form not in FORMS.get(row.site, {"maps"}):
        yield "the form is not that of the site"


RULES = (naming, excitation, condensed, types)


def violations(row: Statistic) -> list[str]:
    return [violation for rule in RULES for violation in rule(row)]


@EVERY_ROW
def test_a_row_follows_the_scheme(row: Statistic) -> None:
    assert violations(row) == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("data_conv_input", {"name": "noise_conv_input"}),
        ("data_conv_input", {"name": "data_relu_input"}),
        ("data_conv_input", {"name": "data_conv_input_grad"}),
        ("data_conv_input", {"name": "data conv_input"}),
        ("data_conv_input", {"probe": "dream", "name": "dream_conv_input"}),
        ("data_conv_input", {"batch": "large"}),
        (
            "data_conv_input",
            {"batch": "sketch", "type": ValueType("maps", "layers", "sketch")},
        ),
        (
            "data_conv_input",
            {"batch": "label", "type": ValueType("maps", "layers", "label")},
        ),
        ("data_conv_input", {"type": ValueType("maps", "layers", "sketch")}),
        ("data_conv_input", {"type": ValueType("maps", "layers")}),
        ("data_conv_input", {"type": ValueType("weights")}),
        ("data_conv_input", {"type": ValueType("maps", "activations", "raw")}),
        ("data_conv_input", {"site": "conv", "name": "data_conv"}),
        ("data_conv_input_grad", {"name": "data_conv_input"}),
        ("data_conv_input_grad", {"gradient": False}),
        ("noise_conv_output_gram", {"sketch": "covariance"}),
        ("noise_conv_output_gram", {"sketch": ""}),
        ("noise_conv_output_gram", {"sketch": "gram_matrix", "name": "noise_conv_output_matrix"}),
        ("noise_conv_output_gram", {"batch": "sketch"}),
        ("noise_conv_output_gram", {"type": ValueType("matrix")}),
        ("data_relu_agreement", {"type": ValueType("samples", "layers", "sketch")}),
        ("data_bn_output_correlation", {"type": ValueType("matrix", "layers")}),
        ("data_bn_output_correlation", {"batch": "label"}),
        ("data_jacobian", {"type": ValueType("matrix", "layers")}),
        ("data_jacobian", {"name": "data_jacobian_grad"}),
        ("data_patterns", {"type": ValueType("scalar", "activations")}),
        ("data_patterns", {"site": "bn_output"}),
        ("label_weight_grad", {"batch": "raw"}),
        ("label2_weight_grad", {"name": "label_weight_grad2"}),
        ("curvature_weight_grad", {"name": "curvature_weight"}),
        ("curvature_weight_grad", {"gradient": True}),
        ("label_weight_grad_std", {"site": "weight"}),
        ("label_weight_grad_std", {"sketch": "image_signs"}),
        ("label_weight_grad_std", {"type": ValueType("matrix")}),
        ("label_conv_output_saliency", {"gradient": False}),
        ("noise_block_output_covariance", {"type": ValueType("matrix", "layers")}),
        ("local_block_transfer", {"type": ValueType("matrix", "layers")}),
        ("local_block_transfer", {"batch": "single"}),
        ("zen_relu_output_change", {"type": ValueType("scalar", "layers")}),
        ("zen_bn_input_variance", {"name": "zen_bn_input"}),
        ("fisher_deciles", {"type": ValueType("vector", "layers")}),
        ("fisher_deciles", {"type": ValueType("weights", "networks")}),
        ("weight", {"type": ValueType("matrix")}),
        ("layer_params", {"name": "layer_parameters"}),
        ("params", {"name": "sum", "site": "sum"}),
    ],
)
def test_a_row_that_breaks_the_scheme_is_noticed(name: str, changes: dict[str, object]) -> None:
    assert violations(replace(CATALOGUE[name], **changes))


def test_the_lists_are_those_of_the_code() -> None:
    """A new probe, site or sketch needs an entry in the tables above."""
    assert probes._PROBES.keys() == PROBES - {"structure"}
    assert sketches.SKETCHES.keys() == SKETCHES.keys()
    assert AXES.keys() == SITES.keys()
    assert {row.probe for row in CATALOGUE.values()} == PROBES
    assert {row.batch for row in CATALOGUE.values()} == BATCHES
    assert {row.site for row in CATALOGUE.values()} >= SITES.keys()


def test_batches() -> None:
    """Two batches with labels fit into one of sketches."""
    config = MeasurementConfig(generated(12, size=8), raw=5, sketch=11)
    assert {b: config.batch(b) for b in BATCHES} == {
        "raw": 5,
        "sketch": 11,
        "label": 5,
        "single": 1,
    }


@EVERY_ROW
def test_a_row_explains_itself(row: Statistic) -> None:
    assert CATALOGUE[row.name] is row
    assert row.meaning
    assert "\n" not in row.meaning
    assert row.meaning not in {r.meaning for r in CATALOGUE.values() if r is not row}


@EVERY_ROW
def test_a_row_is_a_formula(row: Statistic) -> None:
    expression = parse_any(row.name)
    assert expression.type == row.type
    assert expression.statistics() == [row.name]


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
    names = {
        *("flow_weight_grad", "label_weight_grad", "label2_weight_grad", "curvature_weight_grad"),
        *("label_weight_grad_signs", "label_conv_output_saliency", "data_relu_agreement"),
        *("data_jacobian", "data_patterns", "same_class", "fisher_deciles"),
        *("zen_relu_output_change", "zen_bn_input_variance"),
        *("noise_block_output_covariance", "local_block_transfer"),
        *(f"data_{site}_output_correlation" for site in ("conv", "relu", "bn")),
    }
    assert names <= CATALOGUE.keys()
    assert all(CATALOGUE[name].source for name in names)


def test_every_quantity_has_every_statistic_of_its_paths() -> None:
    """And each is an attribute of `Paths`, none of them named twice."""
    assert len(OVER_PATHS) == len(PATH_QUANTITIES) * (len(fields(Paths)) - 1)
    assert {quantity for quantity, _ in OVER_PATHS.values()} == set(PATH_QUANTITIES)
    attributes = {attribute for _, attribute in OVER_PATHS.values()}
    assert attributes == {f.name for f in fields(Paths)} - {"log_count"}
    assert len(set(OVER_PATHS.values())) == len(OVER_PATHS)
    for name, (quantity, _) in OVER_PATHS.items():
        assert name.startswith(f"paths_{quantity}_")
        assert (CATALOGUE[name].type, CATALOGUE[name].probe) == (NET_SCALAR, "structure")
    assert set(PATHS) == {n for n in CATALOGUE if n.startswith("paths_")}
    others = set(PATHS) - OVER_PATHS.keys()
    assert others == {"paths_count"}
