"""Short measures: statistics by the reductions of their form, by every aggregation.

Data, not search: what can be said in a few words. They are what greedy least squares and
randomised trees choose from, what random trees draw on, and what `eznas words` ranks.
"""

from collections.abc import Iterator, Sequence

from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE, Statistic

TENSORS = (  # of the tensors: what was known to carry signal, and the classics' own parts
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
    "matrix": ("norm({})", "trace({})", "logdet({})", *_SPECTRUM, "norm(unit_diagonal({}))"),
    "vector": ("mean({})", "std({})", "entropy({})", "participation({})"),
    "scalar": ("{}",),
}
_OTHER = {  # what a statistic is for, beside the reductions of its form
    "data_conv_output_covariance": ("participation(eigenvalues({})) / layer_channels",),
    "noise_conv_output_covariance": ("participation(eigenvalues({})) / layer_channels",),
    "data_conv_output_correlation": ("smallest(eigenvalues({}))",),
    "flow_weight_grad": ("sum(abs(weight * log1p({})))", "sum(abs(weight * {}))"),
    "label_weight_grad": ("sum(abs(weight * {}))",),
    "label_weight_grad_std": ("norm(label_weight_grad) / norm({})",),
    "label_conv_output_saliency": ("norm({})", "sum_abs({})"),
    "local_block_transfer": ("largest(singular_values({}))", "norm({})"),
}
_ONLY_OTHER = (
    "data_conv_output_correlation",
    "label_conv_output_saliency",
    "local_block_transfer",
)
_WEIGHTED = "weighted_mean_layers({}, layer_params)"


def candidate_features(statistics: Sequence[str]) -> list[Expression]:
    """The short measures over live layers of these statistics, plain and in logs."""
    return list(dict.fromkeys(_measures(statistics)))


def scalars(statistic: Statistic) -> list[str]:
    """The numbers that a statistic is reduced to, per row of its axis."""
    forms = _REDUCTIONS[statistic.type.form]
    if statistic.name in _ONLY_OTHER:
        forms = ()
    name = statistic.name
    if statistic.type.axis == "networks" and statistic.type.form == "matrix":
        name = f"correlation({name})"  # not square: [images, pixels]
    texts = [template.format(name) for template in forms]
    return texts + [template.format(name) for template in _OTHER.get(statistic.name, ())]


def _measures(statistics: Sequence[str]) -> Iterator[Expression]:
    aggregations = [
        w.name for w in PRIMITIVES.values() if w.aggregation and w.live and w.arity == 1
    ]
    for name in statistics:
        row = CATALOGUE[name]
        for text in scalars(row):
            if row.type.axis == "networks":
                yield parse(text).canonical
                yield parse(f"log({text})").canonical
                continue
            for scalar in (text, f"log({text})"):
                yield from (parse(f"{a}({scalar})").canonical for a in aggregations)
                if row.type.axis == "layers":
                    yield parse(_WEIGHTED.format(scalar)).canonical
