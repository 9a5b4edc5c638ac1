"""Published proxies as formula text: one line each, with its source."""

from dataclasses import dataclass

_LOGSYNFLOW = "sum_all_layers(sum(abs(weight * log1p(flow_weight_grad))))"
_KERNEL = "sum_all_layers(data_relu_agreement)"  # [images, images]
_NASWOT = f"logdet({_KERNEL})"
_SPECTRUM = "eigenvalues(correlation(data_jacobian)) + 1e-05"
_DIVERGENCE = f"log({_SPECTRUM}) + 1.0 / ({_SPECTRUM})"


@dataclass(frozen=True)
class Classic:
    """A named formula and where it comes from."""

    name: str
    formula: str
    source: str


_ROWS = (
    Classic("params", "params", "parameters of the network, unreachable ones too"),
    Classic(
        "live_params",
        "sum_layers(layer_params)",
        "parameters of convolutions and linear layers between input and logits",
    ),
    Classic(
        "flops",
        "sum_all_layers(layer_flops)",
        "multiply-adds of convolutions and linear layers for one image",
    ),
    Classic(
        "depth", "sum_layers(ones(layer_params))", "number of live convolutions and linear layers"
    ),
    Classic("logsynflow", _LOGSYNFLOW, "Cavagnero et al., 2023 (FreeREA)"),
    Classic("naswot", _NASWOT, "Mellor et al., 2021"),
    Classic(
        "hybrid",
        # NASWOT per image, so that the weights hold for any batch; chosen on networks of the
        # search part (see README).
        f"2e-08 * {_LOGSYNFLOW} + 0.0384 * {_NASWOT} / sqrt(numel({_KERNEL}))",
        "Poeta, 2023: weighted sum of LogSynflow and NASWOT; weights fixed here, see README",
    ),
    Classic("jacob_cov", f"-sum({_DIVERGENCE})", "Mellor et al., 2020 (first version)"),
    Classic(
        "jacob_cov_x_params",
        # The divergence is at least 1 per image; what exceeds it takes the place of ranks.
        f"log(params) - log(sum({_DIVERGENCE} - 1.0))",
        "jacob_cov (Mellor et al., 2020) x parameters: logs of values, not of ranks",
    ),
)

CLASSICS: dict[str, Classic] = {row.name: row for row in _ROWS}
