"""The catalogue: every statistic that a formula may name, one row each.

A row says where the tensor is read (`site`), under which excitation (`probe`), at which batch
(see `MeasurementConfig.batch`), whether the value or its gradient, and what condenses it while it is in
hand (`sketch`: a word of the language, or one of `condensing`), so that the tensor itself can be
let go.
"""

from dataclasses import dataclass

from eznas.primitives import NET_SCALAR, PRIMITIVES, ValueType
from eznas.statistics.structure import CARRIED

MELLOR = "Mellor et al., 2021 (NASWOT; jacob_cov in its first version, 2020)"
EZNAS = "Akhauri et al., 2022 (EZNAS)"
TANAKA = "Tanaka et al., 2020 (SynFlow)"
LEE = "Lee et al., 2019 (SNIP)"
THEIS = "Theis et al., 2018; Turner et al., 2020 (Fisher)"
WANG = "Wang et al., 2020 (GraSP)"
LI = "Li et al., 2023 (ZiCo)"
ZHANG = "Zhang & Jia, 2022 (GradSign)"
JIANG = "Jiang et al., 2023 (MeCo)"
LIN = "Lin et al., 2021 (Zen)"
HAM = "Lee & Ham, 2024 (AZ-NAS)"
PENG = "Peng et al., 2024 (SWAP)"
LOPES = "Lopes et al., 2021 (EPE-NAS)"
TYBL = "Tybl & Neumann, 2025 (VKDNW)"

SITES = {
    "relu_input": ("activation", "input"),
    "relu_output": ("activation", "output"),
    "relu_change": ("activation", "output"),
    "conv_input": ("layer", "input"),
    "conv_output": ("layer", "output"),
    "weight": ("layer", "weight"),
    "weight_per_image": ("layer", "output"),  # the gradient there, met with the layer's input
    "bn_input": ("norm", "input"),
    "bn_output": ("norm", "output"),
    "block_output": ("block", "output"),
    "image": ("image", "input"),
    "network": ("network", ""),
}


@dataclass(frozen=True)
class Statistic:
    """One row: `value_type` as the language sees it; `probe` is "structure" for what needs no pass."""

    name: str
    type: ValueType
    probe: str
    site: str
    meaning: str
    source: str = ""
    batch: str = "raw"
    gradient: bool = False
    sketch: str = ""

    @property
    def excitation(self) -> tuple[str, str]:
        """The pass that yields it: (probe, batch)."""
        return self.probe, self.batch

    @property
    def with_value(self) -> bool:
        """Whether the sketch takes the value beside its gradient."""
        return self.gradient and self.sketch in PRIMITIVES and PRIMITIVES[self.sketch].arity == 2


_FEATURES = ValueType("maps", "layers", "raw")
_WEIGHTS = ValueType("weights")
_SCALAR = ValueType("scalar")
_MATRIX = ValueType("matrix")
_PLACES = {
    "relu_input": "the input of the layer's activation",
    "conv_input": "the layer's input",
    "conv_output": "the layer's output",
    "bn_output": "the output of the layer's batch norm",
    "weight": "the layer's weight",
}
_PROBES = {
    "data": "on images",
    "noise": "on standard normal noise",
    "shift": "on perturbed minus plain images",
}


def _site(probe: str, site: str, gradient: bool, source: str = "") -> Statistic:
    name = f"{probe}_{site}" + "_grad" * gradient
    value_type = _WEIGHTS if site == "weight" else _FEATURES
    what = f"gradient of the summed logits at {_PLACES[site]}" if gradient else _PLACES[site]
    return Statistic(
        name, value_type, probe, site, f"{what}, {_PROBES[probe]}", source, "raw", gradient
    )


def _sketch(probe: str, site: str, word: str, what: str) -> Statistic:
    value_type = ValueType("samples", "layers", "raw") if word == "gram" else _MATRIX
    meaning = f"{what} of {_PLACES[site]}, {_PROBES[probe]}"
    return Statistic(f"{probe}_{site}_{word}", value_type, probe, site, meaning, sketch=word)


def _at_weight(probe: str, meaning: str, source: str, batch: str = "label") -> Statistic:
    what = f"{meaning} at the layer's weight"
    return Statistic(f"{probe}_weight_grad", _WEIGHTS, probe, "weight", what, source, batch, True)


def _per_image(sketch: str, what: str, source: str = "") -> Statistic:
    name, site = f"label_weight_grad_{sketch.removeprefix('image_')}", "weight_per_image"
    meaning = f"{what} over images of their parts in label_weight_grad"
    return Statistic(name, _WEIGHTS, "label", site, meaning, source, "label", True, sketch)


def _alone(axis: str, site: str) -> Statistic:
    return Statistic(
        f"data_{site}_correlation",
        ValueType("matrix", axis),
        "data",
        site,
        f"correlation between channels at every {site.replace('_', ' ')}, on one image",
        JIANG,
        "single",
        sketch="channel_correlation",
    )


def _size(name: str, meaning: str, value_type: ValueType = _SCALAR) -> Statistic:
    return Statistic(name, value_type, "structure", name, meaning)


_CARRIED = {
    "convs": "convolutions",
    "pools": "poolings",
    "field": "growth of the receptive field in pixels",
    "params": "ln parameters of the layers",
    "length": "layers, activations, norms and poolings",
}
_SUMMARIES = {
    "mean": ("mean", "mean"),
    "std": ("std", "standard deviation"),
    "min": ("smallest", "smallest"),
    "max": ("largest", "largest"),
    "soft": ("soft", "-ln of the summed exp(-x)"),
}
OVER_PATHS: dict[str, tuple[str, str]] = {  # name -> quantity, attribute of `Paths`
    f"paths_{quantity}_{short}": (quantity, attribute)
    for quantity in CARRIED
    for short, (attribute, _) in _SUMMARIES.items()
}
PATHS = ("paths_count", *OVER_PATHS)


def _path(name: str) -> Statistic:
    quantity, short = name.split("_")[1:]
    meaning = f"{_SUMMARIES[short][1]} of the {_CARRIED[quantity]} along the paths"
    return _size(name, f"{meaning} from image to logits", NET_SCALAR)


_ROWS = (
    # The 22 tensors of EZNAS (T1 to T4 and their gradients, for images, noise and the shift).
    Statistic("weight", _WEIGHTS, "structure", "weight", "the layer's weight", EZNAS),
    *(
        _site(p, s, False, EZNAS)
        for p in _PROBES
        for s in ("relu_input", "conv_input", "bn_output")
    ),
    *(
        _site(p, s, True, EZNAS)
        for p in _PROBES
        for s in ("relu_input", "conv_input", "weight", "bn_output")
    ),
    # The layer's own output, before any normalisation, and its condensed forms.
    *(_site(p, "conv_output", g) for p in _PROBES for g in (False, True)),
    *(_sketch(p, "conv_output", "covariance", "channel covariance") for p in ("data", "noise")),
    *(
        _sketch(p, s, "gram", "inner products between samples")
        for p in ("data", "noise")
        for s in ("conv_input", "conv_output")
    ),
    _alone("layers", "conv_output"),
    _alone("activations", "relu_output"),
    _alone("norms", "bn_output"),
    Statistic(
        "noise_block_output_covariance",
        ValueType("matrix", "blocks"),
        "noise",
        "block_output",
        "channel covariance of the output of every block, on standard normal noise",
        HAM,
        sketch="covariance",
    ),
    # Gradients at the weights.
    _at_weight(
        "flow",
        "gradient (absolute weights, input of ones, no batch norm, float64)",
        TANAKA,
        "raw",
    ),
    _at_weight("label", "gradient of the cross-entropy, on labelled images,", LEE),
    _at_weight("label2", "gradient of the cross-entropy, on as many other images,", LI),
    Statistic(
        "curvature_weight_grad",
        _WEIGHTS,
        "curvature",
        "weight",
        "Hessian of the cross-entropy times its gradient at the layer's weight",
        WANG,
        "label",
    ),
    _per_image("image_std", "standard deviation"),
    _per_image("image_signs", "sum of signs", ZHANG),
    Statistic(
        "label_conv_output_saliency",
        _MATRIX,
        "label",
        "conv_output",
        "the layer's output times the gradient of the cross-entropy there, summed over positions: "
        "[images, channels]",
        THEIS,
        "label",
        True,
        "saliency",
    ),
    # The network as it tells images apart.
    Statistic(
        "data_relu_agreement",
        ValueType("samples", "activations", "sketch"),
        "data",
        "relu_output",
        "for each pair of images, how many units of the activation are on in both or off in both",
        MELLOR,
        "sketch",
        sketch="agreement",
    ),
    Statistic(
        "data_patterns",
        NET_SCALAR,
        "data",
        "relu_output",
        "how many different on-off patterns over the images the units of all activations show",
        PENG,
        sketch="codes",
    ),
    Statistic(
        "data_jacobian",
        ValueType("matrix", "networks"),
        "data",
        "image",
        "gradient of the summed logits at every image: [images, pixels]",
        MELLOR,
        "sketch",
        gradient=True,
    ),
    Statistic(
        "same_class",
        ValueType("matrix", "networks"),
        "structure",
        "network",
        "1 for each pair of images of one class, as many as data_jacobian has",
        LOPES,
    ),
    # Passes of their own.
    Statistic(
        "local_block_transfer",
        ValueType("matrix", "blocks"),
        "local",
        "block_output",
        "random signs at the output of every block but the first, times their gradient at its "
        "input: [input channels, output channels]",
        HAM,
        sketch="transfer",
    ),
    Statistic(
        "zen_relu_output_change",
        ValueType("scalar", "activations"),
        "zen",
        "relu_change",
        "what a hundredth more noise changes at every activation's output, summed |change|; "
        "standard normal weights",
        LIN,
        sketch="sum_abs",
    ),
    Statistic(
        "zen_bn_input_variance",
        ValueType("vector", "norms"),
        "zen",
        "bn_input",
        "variance of every channel at the input of every batch norm, on noise; "
        "standard normal weights",
        LIN,
        sketch="channel_variance",
    ),
    Statistic(
        "fisher_deciles",
        ValueType("vector", "networks"),
        "fisher",
        "network",
        "deciles of the eigenvalues of the Fisher information of a few parameters",
        TYBL,
    ),
    # What needs no pass.
    _size("layer_params", "parameters of the layer: weight and bias"),
    _size("layer_flops", "multiply-adds of the layer for one image"),
    _size("layer_kernel", "side of the layer's kernel"),
    _size("layer_channels", "output channels of the layer"),
    _size("layer_area", "output positions of the layer for one image"),
    _size("params", "parameters of the network, unreachable ones too", NET_SCALAR),
    _size(
        "operations",
        "operations for one image: of layers, activations, batch norms and poolings",
        NET_SCALAR,
    ),
    _size("paths_count", "ln of the number of paths from image to logits", NET_SCALAR),
    *map(_path, OVER_PATHS),
)

CATALOGUE: dict[str, Statistic] = {row.name: row for row in _ROWS}
