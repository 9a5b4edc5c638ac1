"""Feature stores filled with values of any scale, which need no network to be measured."""

import itertools
import math

import numpy as np

from eznas.evaluation.contexts import Context
from eznas.evaluation.feature_store import FILE, FeatureStore
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated

IMAGES = generated(2, size=8)
CONFIGS = (
    MeasurementConfig(IMAGES, raw=2, sketch=2),
    MeasurementConfig(IMAGES, raw=2, sketch=2, seed=1),
)
SPACE = "nasbench201"
CONTEXTS = tuple(Context(SPACES[SPACE], config) for config in CONFIGS)
ARCHITECTURES = tuple(f"|op~{i}|" for i in range(40))
FEATURES = ("params", 'weighted_mean_layers(log("a"), b)', "sum_layers(x)", 'odd "name"\'s')
MEMBERS = [ARCHITECTURES[start : start + 8] for start in range(0, 40, 8)]
SHARDS = [Shard(c, number, members) for c in (0, 1) for number, members in enumerate(MEMBERS)]


def number(*key):
    """A value of 17 digits for a key, at any scale, the same in every process."""
    random = np.random.default_rng([len(repr(key)), *repr(key).encode()])
    return random.normal() * 10.0 ** random.integers(-9, 44)


def made_up(context, features, architectures):
    """Feature values [features, networks]: some empty, infinite, thin or undefined."""
    keys = itertools.product([context], features, architectures)
    values = FeatureValues.missing(len(features), len(architectures))
    values.values[:] = np.array([number(*key) for key in keys]).reshape(values.values.shape)
    values.coverage[:] = 1
    for column, architecture in enumerate(architectures):
        match ARCHITECTURES.index(architecture) % 8:
            case 0:
                values.values[:, column], values.status[:, column] = math.nan, Status.EMPTY
            case 1:
                values.values[:, column] = math.inf
            case 2:
                values.values[:, column] = -math.inf
            case 3:
                values.values[:, column], values.coverage[:, column] = 1 / 3, 2 / 3
            case 4:
                values.values[:, column] = math.nan
    return values


def add(store, numbers, features=FEATURES, contexts=(0, 1)):
    """Add made-up values of the shards of these numbers in one append."""
    architectures = [a for number in numbers for a in MEMBERS[number]]
    parts = [(CONFIGS[c], architectures, made_up(c, features, architectures)) for c in contexts]
    store.append(features, parts)


def contents(store, features=FEATURES, architectures=ARCHITECTURES):
    """Values, coverage, status, and whether they are known: [contexts, features, networks] each."""
    by_config = [store.find(config.key, features, architectures) for config in CONFIGS]
    arrays = zip(*((*values, known) for values, known in by_config), strict=True)
    return [np.stack(array) for array in arrays]


def reread(store):
    """The contents of a store's folder, read anew."""
    return contents(FeatureStore(store.path, SPACE))


def check_equal(first, second):
    """Arrays are equal one by one, in their types too."""
    for array, expected in zip(first, second, strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def file_of(store):
    return store.path / FILE
