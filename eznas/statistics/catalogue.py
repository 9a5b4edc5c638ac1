"""The catalogue of statistics: one row for each measured tensor that a formula may name.

A row says where in the network the tensor is read (`site`), how the network is excited (`probe`),
on how many images (`batch`, see `MeasurementConfig.batch`), whether the value or its gradient is
taken, and what condenses it (`sketch`: a primitive of the language or a function of
`eznas.statistics.sketches`) as soon as it is computed, so that the tensor itself can be freed.
"""

from eznas.primitives import NET_SCALAR, ValueType
from eznas.statistics.statistic import Statistic
from eznas.statistics.structure import PATH_QUANTITIES

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

_FEATURES = ValueType("maps", "layers", "raw")
_WEIGHTS = ValueType("weights")
_SCALAR = ValueType("scalar")
_MATRIX = ValueType("matrix")
_SAMPLES = ValueType("samples", "layers", "raw")
_BLOCK_MATRIX = ValueType("matrix", "blocks")
_NET_MATRIX = ValueType("matrix", "networks")
_SITE_MEANINGS = {
    "relu_input": "the input of the layer's activation",
    "conv_input": "the layer's input",
    "conv_output": "the layer's output",
    "bn_output": "the output of the layer's batch norm",
    "block_output": "the output of every block",
    "weight": "the layer's weight",
}
_PROBE_MEANINGS = {
    "data": "on images",
    "noise": "on standard normal noise",
    "shift": "on perturbed minus plain images",
}


def _raw_tensor(probe: str, site: str, gradient: bool, source: str = "") -> Statistic:
    name = f"{probe}_{site}" + "_grad" * gradient
    value_type = _WEIGHTS if site == "weight" else _FEATURES
    prefix = "gradient of the summed logits at " * gradient
    meaning = f"{prefix}{_SITE_MEANINGS[site]}, {_PROBE_MEANINGS[probe]}"
    return Statistic(name, value_type, probe, site, meaning, source, "raw", gradient)


def _condensed(
    probe: str,
    site: str,
    sketch: str,
    description: str,
    value_type: ValueType = _MATRIX,
    source: str = "",
) -> Statistic:
    name = f"{probe}_{site}_{sketch}"
    meaning = f"{description} of {_SITE_MEANINGS[site]}, {_PROBE_MEANINGS[probe]}"
    return Statistic(
        name, value_type, probe, site, meaning, source, sketch=sketch, semidefinite=True
    )


def _weight_gradient(
    probe: str, description: str, source: str, batch: str = "label", gradient: bool = True
) -> Statistic:
    name, meaning = f"{probe}_weight_grad", f"{description} at the layer's weight"
    return Statistic(name, _WEIGHTS, probe, "weight", meaning, source, batch, gradient)


def _over_images(sketch: str, description: str, source: str = "") -> Statistic:
    name, site = f"label_weight_grad_{sketch.removeprefix('image_')}", "weight_per_image"
    meaning = f"{description}, over images, of each image's contribution to label_weight_grad"
    return Statistic(name, _WEIGHTS, "label", site, meaning, source, "label", True, sketch)


def _channel_correlation(axis: str, site: str) -> Statistic:
    name, value_type = f"data_{site}_correlation", ValueType("matrix", axis)
    meaning = f"correlation between channels at every {site.replace('_', ' ')}, on one image"
    sketch = "channel_correlation"
    return Statistic(
        *(name, value_type, "data", site, meaning, JIANG, "single"),
        sketch=sketch,
        semidefinite=True,
    )


def _size(name: str, meaning: str, value_type: ValueType = _SCALAR) -> Statistic:
    return Statistic(name, value_type, "structure", name, meaning)


_QUANTITY_MEANINGS = {
    "convs": "number of convolutions",
    "pools": "number of poolings",
    "field": "growth of the receptive field in pixels",
    "params": "summed ln of each layer's number of weights",
    "length": "number of layers, activations, norms and poolings",
}
_SUMMARIES = {  # short name -> attribute of `Paths`, meaning
    "mean": ("mean", "mean"),
    "std": ("std", "standard deviation"),
    "min": ("smallest", "minimum"),
    "max": ("largest", "maximum"),
    "soft": ("soft", "soft minimum, -ln of the summed exp(-x),"),
}
OVER_PATHS: dict[str, tuple[str, str]] = {  # name -> quantity, attribute of `Paths`
    f"paths_{quantity}_{short}": (quantity, attribute)
    for quantity in PATH_QUANTITIES
    for short, (attribute, _) in _SUMMARIES.items()
}
PATHS = ("paths_count", *OVER_PATHS)


def _over_paths(name: str) -> Statistic:
    _, quantity, short = name.split("_")
    meaning = f"{_SUMMARIES[short][1]} of the {_QUANTITY_MEANINGS[quantity]}"
    return _size(name, f"{meaning} over the paths from image to logits", NET_SCALAR)


_EZNAS_MAPS = ("relu_input", "conv_input", "bn_output")
_EZNAS_SITES = ("relu_input", "conv_input", "weight", "bn_output")
_ROWS = (
    # The 22 tensors of EZNAS (T1 to T4 and their gradients, for images, noise and the shift).
    Statistic("weight", _WEIGHTS, "structure", "weight", "the layer's weight", EZNAS),
    *(_raw_tensor(p, s, False, EZNAS) for p in _PROBE_MEANINGS for s in _EZNAS_MAPS),
    *(_raw_tensor(p, s, True, EZNAS) for p in _PROBE_MEANINGS for s in _EZNAS_SITES),
    # The layer's own output, before any normalisation, and its condensed forms.
    *(_raw_tensor(p, "conv_output", g) for p in _PROBE_MEANINGS for g in (False, True)),
    *(_condensed(p, "conv_output", "covariance", "channel covariance") for p in ("data", "noise")),
    *(
        _condensed(p, s, "gram", "inner products between samples", _SAMPLES)
        for p in ("data", "noise")
        for s in ("conv_input", "conv_output")
    ),
    _channel_correlation("layers", "conv_output"),
    _channel_correlation("activations", "relu_output"),
    _channel_correlation("norms", "bn_output"),
    _condensed("noise", "block_output", "covariance", "channel covariance", _BLOCK_MATRIX, HAM),
    # Gradients at the weights.
    _weight_gradient(
        "flow",
        "gradient of the summed logits (absolute weights, input of ones, no batch norm, float64)",
        TANAKA,
        "raw",
    ),
    _weight_gradient("label", "gradient of the cross-entropy, on labelled images,", LEE),
    _weight_gradient("label2", "gradient of the cross-entropy, on other labelled images,", LI),
    _weight_gradient("curvature", "cross-entropy's Hessian times gradient", WANG, gradient=False),
    _over_images("image_std", "standard deviation"),
    _over_images("image_signs", "sum of signs", ZHANG),
    Statistic(
        "label_conv_output_saliency",
        _MATRIX,
        "label",
        "conv_output",
        "the layer's output times its cross-entropy gradient, summed: [images, channels]",
        THEIS,
        "label",
        True,
        "saliency",
    ),
    # How differently the network responds to different images.
    Statistic(
        "data_relu_agreement",
        ValueType("samples", "activations", "sketch"),
        "data",
        "relu_output",
        "for each pair of images, how many units of the activation are on in both or off in both",
        MELLOR,
        "sketch",
        sketch="agreement",
        semidefinite=True,
    ),
    Statistic(
        "data_patterns",
        NET_SCALAR,
        "data",
        "relu_output",
        "number of different on-off patterns over the images among the units of all activations",
        PENG,
        sketch="codes",
    ),
    Statistic(
        "data_jacobian",
        _NET_MATRIX,
        "data",
        "image",
        "gradient of the summed logits at every image: [images, pixels]",
        MELLOR,
        "sketch",
        True,
    ),
    Statistic(
        "same_class",
        _NET_MATRIX,
        "structure",
        "network",
        "1 for each pair of images of one class, else 0: [images, images] of data_jacobian's batch",
        LOPES,
        semidefinite=True,
    ),
    # Probes with passes of their own.
    Statistic(
        "local_block_transfer",
        _BLOCK_MATRIX,
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
        "summed |change| at every activation's output for 1 % more noise; standard normal weights",
        LIN,
        sketch="sum_abs",
    ),
    Statistic(
        "zen_bn_input_variance",
        ValueType("vector", "norms"),
        "zen",
        "bn_input",
        "variance of the channels at every batch norm's input, on noise; standard normal weights",
        LIN,
        sketch="channel_variance",
    ),
    Statistic(
        "fisher_deciles",
        ValueType("vector", "networks"),
        "fisher",
        "network",
        "deciles of the eigenvalues of the Fisher information of a sample of the parameters",
        TYBL,
    ),
    # Read off the traced graph.
    _size("layer_params", "parameters of the layer: weight and bias"),
    _size("layer_flops", "multiply-adds of the layer for one image"),
    _size("layer_kernel", "height of the layer's kernel"),
    _size("layer_channels", "output channels of the layer"),
    _size("layer_area", "output positions of the layer for one image"),
    _size("params", "parameters of the network, unused ones included", NET_SCALAR),
    _size("operations", "operations for one image, norms and poolings included", NET_SCALAR),
    _size("paths_count", "ln of the number of paths from image to logits", NET_SCALAR),
    *map(_over_paths, OVER_PATHS),
)

CATALOGUE: dict[str, Statistic] = {row.name: row for row in _ROWS}
