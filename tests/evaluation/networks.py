"""A few networks in shards, and features of them, on which evaluators and workers are tested."""

from functools import partial

import numpy as np

from eznas.evaluation.contexts import Context
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.feature_table import Shard
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated

IMAGES = generated(4, size=16)
CONFIGS = (
    MeasurementConfig(IMAGES, classes=10, raw=2, sketch=4),
    MeasurementConfig(IMAGES.resized(8), classes=5, raw=2, sketch=4),
)
MACRO = 2  # the context of another space
CONTEXTS = (
    *(Context(SPACES["nasbench201"], config) for config in CONFIGS),
    Context(SPACES["nasbench-macro"], CONFIGS[1]),
)
ARCHITECTURES = (
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",  # disconnected
    "|skip_connect~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
    "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
)
MEMBERS = (ARCHITECTURES[:2], ARCHITECTURES[2:3], ARCHITECTURES[3:])
# The shards of the first two contexts, which measure the same networks.
SHARDS = [Shard(c, number, members) for c in (0, 1) for number, members in enumerate(MEMBERS)]
MACRO_SHARDS = [Shard(MACRO, 0, ("00000000", "12000002")), Shard(MACRO, 1, ("22222222",))]
STATISTICS = ("data_relu_agreement", "layer_params")  # those that evaluators keep
FEATURES = [
    "logdet(sum_layers(data_relu_agreement))",
    "sum_layers(log(layer_params))",
    "mean_layers(norm(data_conv_output_gram))",  # of a statistic that is not kept
    "sum_layers(mean_abs(weight))",  # of another one
    "params",
]
GRAM, WEIGHT, PARAMS = 2, 3, 4  # rows of the features above

make_evaluator = partial(Evaluator, CONTEXTS, statistics=STATISTICS)


def in_both_contexts(*numbers):
    """The indices in `SHARDS` of the shards of these numbers, context by context."""
    return [context * len(MEMBERS) + number for context in (0, 1) for number in numbers]


def evaluate(evaluator, shard, texts):
    """What an evaluator gives for features on a shard."""
    return evaluator.evaluate((shard.context, shard.number), shard.architectures, texts)


def assert_equal(first, second):
    """Feature values of shards are equal bit by bit, NaN included."""
    for values, expected in zip(first, second, strict=True):
        for array, expected_array in zip(values, expected, strict=True):
            assert array.dtype == expected_array.dtype
            assert array.shape == expected_array.shape
            assert array.tobytes() == expected_array.tobytes()
        assert values.values.dtype == values.coverage.dtype == np.float64
