"""The catalogue: every statistic that a formula may name, one row each.

A row says where the tensor is read (`site`), under which excitation (`probe`), at which batch
(`raw`: few images, `sketch`: many), whether the value or its gradient, and which word of the
language condenses it while it is in hand (`sketch`), so that the tensor itself can be let go.
"""

from dataclasses import dataclass

from primitives import NET_SCALAR, Kind

MELLOR = "Mellor et al., 2021 (NASWOT; jacob_cov in its first version, 2020)"
EZNAS = "Akhauri et al., 2022 (EZNAS)"
TANAKA = "Tanaka et al., 2020 (SynFlow)"
LEE = "Lee et al., 2019 (SNIP)"

SITES = {
    "relu_input": ("activation", "input"),
    "relu_output": ("activation", "output"),
    "conv_input": ("layer", "input"),
    "conv_output": ("layer", "output"),
    "weight": ("layer", "weight"),
    "bn_output": ("norm", "output"),
    "image": ("image", "input"),
}


@dataclass(frozen=True)
class Statistic:
    """One row: `kind` as the language sees it; `probe` is "structure" for what needs no pass."""

    name: str
    kind: Kind
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


_FEATURES = Kind("features", "layers", "raw")
_WEIGHTS = Kind("weights")
_SCALAR = Kind("scalar")
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
    kind = _WEIGHTS if site == "weight" else _FEATURES
    what = f"gradient of the summed logits at {_PLACES[site]}" if gradient else _PLACES[site]
    return Statistic(name, kind, probe, site, f"{what}, {_PROBES[probe]}", source, "raw", gradient)


def _sketch(probe: str, site: str, word: str, what: str) -> Statistic:
    kind = Kind("samples", "layers", "raw") if word == "gram" else Kind("matrix")
    meaning = f"{what} of {_PLACES[site]}, {_PROBES[probe]}"
    return Statistic(f"{probe}_{site}_{word}", kind, probe, site, meaning, sketch=word)


def _size(name: str, meaning: str, kind: Kind = _SCALAR) -> Statistic:
    return Statistic(name, kind, "structure", name, meaning)


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
    Statistic(
        "flow_weight_grad",
        _WEIGHTS,
        "flow",
        "weight",
        "gradient at the layer's weight: absolute weights, input of ones, no batch norm, float64",
        TANAKA,
        gradient=True,
    ),
    Statistic(
        "label_weight_grad",
        _WEIGHTS,
        "label",
        "weight",
        "gradient of the cross-entropy at the layer's weight, on labelled images",
        LEE,
        gradient=True,
    ),
    Statistic(
        "data_relu_agreement",
        Kind("samples", "activations", "sketch"),
        "data",
        "relu_output",
        "for each pair of images, how many units of the activation are on in both or off in both",
        MELLOR,
        "sketch",
        sketch="agreement",
    ),
    Statistic(
        "data_jacobian",
        Kind("matrix", "networks"),
        "data",
        "image",
        "gradient of the summed logits at every image: [images, pixels]",
        MELLOR,
        "sketch",
        gradient=True,
    ),
    _size("layer_params", "parameters of the layer: weight and bias"),
    _size("layer_flops", "multiply-adds of the layer for one image"),
    _size("layer_kernel", "side of the layer's kernel"),
    _size("layer_channels", "output channels of the layer"),
    _size("layer_area", "output positions of the layer for one image"),
    _size("params", "parameters of the network, unreachable ones too", NET_SCALAR),
)

CATALOGUE: dict[str, Statistic] = {row.name: row for row in _ROWS}
