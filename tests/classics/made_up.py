"""Networks of NAS-Bench-201 and their scores, for the tests of the classics."""

from collections.abc import Mapping, Sequence

from torch import nn

from eznas.evaluation.bank import stack
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.scoring import Scores, combine
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import Images, generated
from eznas.statistics.measuring import measure

FORMULAS = {name: parse(row.formula) for name, row in CLASSICS.items()}

# One digit per edge: 0 none, 1 skip, 2 convolution 1x1, 3 convolution 3x3, 4 pooling.
CONNECTED = {
    "mixed": "421211",
    "all 3x3": "333333",
    "skips only": "111111",
    "one pooling": "000400",
    "no node reads a convolution": "320102",
    "convolution of zeros": "033021",
    "thin": "202002",
}
SINGULAR = {"nothing": "000000", "fed by zeros": "000034"}
DISCONNECTED = {"dead convolutions": "302000"} | SINGULAR

# The score of each classic for a network without a path from image to logits.
NUMBER = {"params", "flops", "operations", "l2_norm", "meco", "swap", "az_complexity"}
ZERO = {
    *("live_params", "live_flops", "live_l2_norm", "depth", "eznas_a_sum", "az_expressivity"),
    *("plain", "snip", "grad_norm", "fisher", "grasp", "synflow", "logsynflow", "zico", "gradsign"),
    "vkdnw_entropy",
}
LOWEST = {
    *("live_naswot", "jacob_cov", "epe_nas", "zen", "jacob_cov_x_params"),
    *("az_progressivity", "az_trainability", "az_nas", "eznas_a", "eznas_a_weights"),
}
LOWEST_IF_SINGULAR = {"naswot", "hybrid"}  # a number where some activation differs between images


def string(digits: str) -> str:
    """The architecture with these operations, one digit per edge."""
    return SPACES["nasbench201"].architectures()[int(digits, 5)]


STRINGS = {name: string(digits) for name, digits in (CONNECTED | DISCONNECTED).items()}


def network(architecture: str, classes: int = 10) -> nn.Module:
    """The untrained network."""
    return SPACES["nasbench201"].build(architecture, classes)


def scored(
    formulas: Mapping[str, Expression], models: Sequence[nn.Module], config: MeasurementConfig
) -> dict[str, Scores]:
    """The scores of each formula, through measurement, bank, plan and arithmetic."""
    features = list({f.text: f for row in formulas.values() for f in row.features()}.values())
    plan = Plan.of(features)
    rows = [CATALOGUE[name] for name in plan.statistics()]
    values = evaluate(plan, stack([measure(m, config, rows) for m in models]))
    by_text = {feature.text: values.rows([row]) for row, feature in enumerate(features)}
    return {name: combine(f, by_text.__getitem__) for name, f in formulas.items()}


def double(count: int, size: int, classes: int = 10) -> Images:
    """Generated images in float64."""
    images = generated(count, size, classes)
    return Images(images.pixels.double(), images.labels, "")
