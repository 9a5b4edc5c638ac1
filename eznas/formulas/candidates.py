"""Candidate features: every statistic, reduced in the usual ways for its form, then aggregated.

They are listed, not searched for. Greedy least squares and randomised trees choose among them,
the random trees of an evolution draw on them, and `eznas features` ranks them.
"""

from collections.abc import Iterator, Sequence

from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.statistic import Statistic

TENSORS = (  # statistics known to carry signal, and those that the classics are made of
    "data_conv_output_covariance",
    "noise_conv_output_covariance",
    "noise_block_output_covariance",
    "data_conv_input_gram",
    "data_conv_output_gram",
    "noise_conv_input_gram",
    "noise_conv_output_gram",
    "data_conv_output_correlation",
    "data_relu_agreement",
    "data_jacobian",
    "flow_weight_grad",
    "label_weight_grad",
    "label_weight_grad_std",
    "label_conv_output_saliency",
    "local_block_transfer",
    "zen_relu_output_change",
    "zen_bn_input_variance",
    "weight",
)
SIZES = (*(n for n in CATALOGUE if n.startswith("layer_")), "params", "operations")

_SPECTRUM = (
    "entropy(eigenvalues({}))",
    "participation(eigenvalues({}))",
    "top_share(eigenvalues({}))",
)
_REDUCTIONS = {
    "maps": ("mean_abs({})", "std({})", "norm({})"),
    "weights": ("mean_abs({})", "std({})", "norm({})", "sum({})", "sum_abs({})"),
    "samples": (
        "norm({})",
        "logdet({})",
        *_SPECTRUM,
        "mean(correlation({}))",
        "mean(unit_diagonal({}))",
        "std(unit_diagonal({}))",
    ),
    "matrix": ("norm({})", "trace({})", *_SPECTRUM, "norm(unit_diagonal({}))"),
    "vector": ("mean({})", "std({})", "entropy({})", "participation({})"),
    "scalar": ("{}",),
}
# In place of logdet: a covariance of more channels than positions is singular, and its
# log-determinant the rounding of zeros, another number on every processor.
_LOG_VOLUME = "sum(log(0.0001 + eigenvalues({})))"
_OF_CHANNELS = ("participation(eigenvalues({})) / layer_channels", _LOG_VOLUME)
_SPECIFIC = {  # reductions for one statistic, besides those for its form
    "data_conv_output_covariance": _OF_CHANNELS,
    "noise_conv_output_covariance": _OF_CHANNELS,
    "noise_block_output_covariance": (_LOG_VOLUME,),
    "data_conv_output_correlation": ("smallest(eigenvalues({}))",),
    "flow_weight_grad": ("sum(abs(weight * log1p({})))", "sum(abs(weight * {}))"),
    "label_weight_grad": ("sum(abs(weight * {}))",),
    "label_weight_grad_std": ("norm(label_weight_grad) / norm({})",),
    "label_conv_output_saliency": ("norm({})", "sum_abs({})"),
    "data_jacobian": ("logdet({})",),
    "local_block_transfer": ("largest(singular_values({}))", "norm({})"),
}
_ONLY_SPECIFIC = (  # the reductions of their form are left out
    "data_conv_output_correlation",
    "label_conv_output_saliency",
    "local_block_transfer",
)
_WEIGHTED = "weighted_mean_layers({}, layer_params)"


def candidate_features(statistics: Sequence[str]) -> list[Expression]:
    """The distinct features of these statistics over live layers, canonical; of each also its log.

    Raises `KeyError` for a name that the catalogue does not have.
    """
    return list(dict.fromkeys(_features(statistics)))


def scalar_texts(statistic: Statistic) -> list[str]:
    """The texts of the scalars to which a statistic is reduced, one number per row of its axis."""
    templates = () if statistic.name in _ONLY_SPECIFIC else _REDUCTIONS[statistic.type.form]
    templates += _SPECIFIC.get(statistic.name, ())
    operand = statistic.name
    if statistic.type.axis == "networks" and statistic.type.form == "matrix":
        operand = f"correlation({operand})"  # [images, pixels] is not square, its correlation is
    return [template.format(operand) for template in templates]


def _features(statistics: Sequence[str]) -> Iterator[Expression]:
    aggregations = [
        p.name for p in PRIMITIVES.values() if p.aggregation and p.live and p.arity == 1
    ]
    for name in statistics:
        row = CATALOGUE[name]
        for text in scalar_texts(row):
            if row.type.axis == "networks":
                yield parse(text).canonical
                yield parse(f"log({text})").canonical
                continue
            for scalar in (text, f"log({text})"):
                yield from (parse(f"{a}({scalar})").canonical for a in aggregations)
                if row.type.axis == "layers":
                    yield parse(_WEIGHTED.format(scalar)).canonical
