"""Published proxies as formula text: one line each, with its source.

Where the authors count every layer, so does the formula, those that no path from input to output
passes included; the same over live layers only is a proxy of its own, named `live_...`. A `note`
says what differs from the authors' code.
"""

from dataclasses import dataclass

_LOGSYNFLOW = "sum(abs(weight * log1p(flow_weight_grad)))"
_KERNEL = "sum_all_layers(data_relu_agreement)"  # [images, images]
_NASWOT = f"logdet({_KERNEL})"
_SPECTRUM = "eigenvalues(correlation(data_jacobian)) + 1e-05"
_DIVERGENCE = f"log({_SPECTRUM}) + 1.0 / ({_SPECTRUM})"
_ENTROPY = "entropy(eigenvalues(noise_block_output_covariance))"
_GAIN = "largest(singular_values(local_block_transfer))"
_TRAINABILITY = f"mean_layers(2.0 - {_GAIN} - 1.0 / ({_GAIN} + 1e-06))"
_FLOPS = "sum_all_layers(layer_flops)"
_MECO_TERM = "sum_all_layers(smallest(eigenvalues(data_{}_output_correlation)))"
_EZNAS = "norm(sigmoid(logdet(sign({}))))"


@dataclass(frozen=True)
class Classic:
    """A named formula, its source, and a note on how it differs from its authors' code ("" where it
    does not)."""

    name: str
    formula: str
    source: str
    note: str = ""


_ROWS = (
    # Sizes.
    Classic("params", "params", "parameters of the network, unreachable ones too"),
    Classic(
        "live_params",
        "sum_layers(layer_params)",
        "parameters of convolutions and linear layers between input and logits",
    ),
    Classic("flops", _FLOPS, "multiply-adds of convolutions and linear layers for one image"),
    Classic(
        "operations",
        "operations",
        "FLOPs as counted by NAS-Bench-Suite-Zero (Krishnakumar et al., 2022)",
        "multiply-adds, 1 per activated unit, 2 per normalised one, the window per pooled one",
    ),
    Classic("live_flops", "sum_layers(layer_flops)", "the same between input and logits"),
    Classic(
        "depth", "sum_layers(ones(layer_flops))", "number of live convolutions and linear layers"
    ),
    # Weights and their gradients.
    Classic(
        "l2_norm",
        "sum_all_layers(norm(weight))",
        "Abdelfattah et al., 2021",
        "the norm of freshly drawn weights depends on the sizes of layers alone: networks whose "
        "layers have equal sizes are ranked by the draw",
    ),
    Classic("live_l2_norm", "sum_layers(norm(weight))", "Abdelfattah et al., 2021; live layers"),
    Classic("plain", "sum_all_layers(sum(weight * label_weight_grad))", "Mozer & Smolensky, 1988"),
    Classic("snip", "sum_all_layers(sum(abs(weight * label_weight_grad)))", "Lee et al., 2019"),
    Classic("grad_norm", "sum_all_layers(norm(label_weight_grad))", "Abdelfattah et al., 2021"),
    Classic(
        "fisher",
        "sum_all_layers(0.5 * mean(square(label_conv_output_saliency)) * numel(weight))",
        "Theis et al., 2018; Turner et al., 2020",
        "every channel counts as often as it has weights, as in Abdelfattah et al., 2021",
    ),
    Classic(
        "grasp",
        "-sum_all_layers(sum(weight * curvature_weight_grad))",
        "Wang et al., 2020",
        "signed as in Abdelfattah et al., 2021",
    ),
    Classic(
        "synflow", "sum_all_layers(sum(abs(weight * flow_weight_grad)))", "Tanaka et al., 2020"
    ),
    Classic("logsynflow", f"sum_all_layers({_LOGSYNFLOW})", "Cavagnero et al., 2023 (FreeREA)"),
    Classic(
        "zico",
        "sum_layers(log(sum((abs(label_weight_grad) + abs(label2_weight_grad)) / "
        "abs(label_weight_grad - label2_weight_grad))))",
        "Li et al., 2023",
        "live layers only: no gradient reaches the others",
    ),
    Classic(
        "gradsign",
        "sum_all_layers(sum(abs(label_weight_grad_signs)))",
        "Zhang & Jia, 2022",
        "an image's gradient is its share of the batch's, so batch norm sees the whole batch; the "
        "authors run every image alone",
    ),
    # Activations.
    Classic("naswot", _NASWOT, "Mellor et al., 2021"),
    Classic("live_naswot", "logdet(sum_layers(data_relu_agreement))", "Mellor et al., 2021; live"),
    Classic("jacob_cov", f"-sum({_DIVERGENCE})", "Mellor et al., 2020 (first version)"),
    Classic(
        "epe_nas",
        "-sum(same_class * log(abs(correlation(data_jacobian)) + 1e-05))",
        "Lopes et al., 2021",
        "the authors' score for up to 100 classes; they use another one for more",
    ),
    Classic(
        "zen",
        "log(last_layer(zen_relu_output_change)) + "
        "0.5 * sum_all_layers(log(mean(0.81 + 0.19 * zen_bn_input_variance)))",
        "Lin et al., 2021",
        "one draw; variances are running averages after two passes",
    ),
    Classic(
        "meco",
        " + ".join(_MECO_TERM.format(site) for site in ("conv", "relu", "bn")),
        "Jiang et al., 2023",
        "convolutions, activations and batch norms; the authors add every module, containers too",
    ),
    Classic(
        "swap",
        "data_patterns",
        "Peng et al., 2024",
        "without the regularisation by a network size that has to be chosen",
    ),
    Classic(
        "vkdnw_entropy",
        "entropy(fisher_deciles)",
        "Tybl & Neumann, 2025",
        "images in place of noise; their ranking adds the number of layers by ranks",
    ),
    # AZ-NAS.
    Classic("az_expressivity", f"sum_layers({_ENTROPY})", "Lee & Ham, 2024 (AZ-NAS)"),
    Classic("az_progressivity", f"step_layers({_ENTROPY})", "Lee & Ham, 2024 (AZ-NAS)"),
    Classic(
        "az_trainability",
        _TRAINABILITY,
        "Lee & Ham, 2024 (AZ-NAS)",
        "the authors rank networks last that have a block which does nothing",
    ),
    Classic("az_complexity", _FLOPS, "Lee & Ham, 2024 (AZ-NAS)"),
    Classic(
        "az_nas",
        # Centres are means, slopes 1.7 over standard deviations (with which a sigmoid follows a
        # normal distribution), on 500 networks of NAS-Bench-201's search part.
        f"log(sigmoid(0.181 * (sum_layers({_ENTROPY}) - 49.4))) "
        f"+ log(sigmoid(11.9 * (step_layers({_ENTROPY}) + 0.168))) "
        f"+ log(sigmoid(2.35 * ({_TRAINABILITY} + 0.465))) "
        f"+ log(sigmoid(2.16 * (log({_FLOPS} / first_layer(layer_area)) - 10.66)))",
        "Lee & Ham, 2024 (AZ-NAS)",
        "logs of sigmoids in place of logs of ranks in a population; FLOPs per position",
    ),
    # Found by search.
    Classic(
        "eznas_a",
        f"mean_layers({_EZNAS.format('data_relu_input_grad')})",
        "Akhauri et al., 2022 (EZNAS-A as its code evaluates it)",
        "layers with an activation before them",
    ),
    Classic(
        "eznas_a_sum",
        f"sum_layers({_EZNAS.format('data_relu_input_grad')})",
        "EZNAS-A with a sum over layers in place of the mean",
    ),
    Classic(
        "eznas_a_weights",
        f"mean_layers({_EZNAS.format('noise_weight_grad')})",
        "Akhauri et al., 2022 (EZNAS-A as its paper words it)",
    ),
    # Combinations.
    Classic(
        "jacob_cov_x_params",
        # The divergence is at least 1 for each image; what exceeds it replaces ranks.
        f"log(params) - log(sum({_DIVERGENCE} - 1.0))",
        "jacob_cov (Mellor et al., 2020) x parameters: logs of values, not of ranks",
    ),
    Classic(
        "hybrid",
        # NASWOT is divided by the number of images, so that the weights suit any batch; they were
        # chosen on networks of the search part (see `eznas guide evidence`).
        f"2e-08 * sum_all_layers({_LOGSYNFLOW}) + 0.0384 * {_NASWOT} / sqrt(numel({_KERNEL}))",
        "Poeta, 2023: weighted sum of LogSynflow and NASWOT; weights fixed here, see the guide's "
        "page on evidence",
    ),
)

CLASSICS: dict[str, Classic] = {row.name: row for row in _ROWS}
SIZES = ("live_params", "flops")  # of a network: what partial correlations hold fixed
