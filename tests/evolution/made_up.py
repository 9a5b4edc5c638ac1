"""Made-up measures for tests of the search, and a search that prints all it did.

As a program it prints what depends on a seed, so that processes can be compared.
"""

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict

import numpy as np

from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution import randomness
from eznas.evolution.engine import Engine, Search
from eznas.evolution.fitness import Task
from eznas.evolution.grammar import Grammar, Individual, grow, to_nodes
from eznas.evolution.variation import Limits, crossover, mutate
from eznas.formulas.candidates import candidate_features
from eznas.formulas.parser import parse
from eznas.primitives import NET_SCALAR
from eznas.proxies.classics import CLASSICS
from eznas.system.files import plain

STATISTICS = ("layer_params", "layer_flops", "params")
NAMES = tuple(f"network {i}" for i in range(32))
SEEDS = (
    "sum_layers(layer_params)",
    "sum_layers(norm(weight * 2.0))",
)  # the second is beyond STATISTICS


def drawn(*key):
    """A number from 0 to 1 that depends on the key alone, in every process."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


class MadeUp:
    """Evaluates without networks: planted values for some measures, drawn ones for the rest.

    Some of the drawn ones are undefined, infinite or of thin coverage, so that a search meets
    every reason. `planted`: measure -> value of each of `NAMES`. `asked` counts (shard, measure).
    """

    def __init__(self, planted=(), settings=1, faults=True):
        self.planted, self.settings, self.faults = dict(planted), settings, faults
        self.asked = Counter()

    def __call__(self, shards, texts):
        self.asked.update((number, text) for number, _ in shards for text in texts)
        own = [a for _, architectures in shards for a in architectures]
        shape = (self.settings, len(texts), len(own))
        values, coverage = np.empty(shape), np.ones(shape)
        for s in range(self.settings):
            for i, text in enumerate(texts):
                values[s, i] = [self._value(s, text, a) for a in own]
                if self._fault(text) == "coverage":
                    coverage[s, i, 0] = 0.5
        return values, coverage

    def _fault(self, text):
        if text in self.planted or not self.faults:
            return ""
        value_type = drawn("fault", text)
        return next(
            (f for f, p in (("nan", 0.1), ("inf", 0.2), ("coverage", 0.35)) if value_type < p), ""
        )

    def _value(self, setting, text, architecture):
        if text in self.planted:
            return self.planted[text][NAMES.index(architecture)]
        lucky = drawn(setting, text, architecture)
        fault = {"nan": math.nan, "inf": math.inf}.get(self._fault(text), lucky)
        return fault if lucky > 0.5 else lucky


def accuracies(seed=0):
    """Made-up accuracies of `NAMES`, all different."""
    return np.array([drawn("accuracy", seed, name) for name in NAMES])


def planted():
    """A measure that says much about `accuracies()`, but not all."""
    noise = np.array([drawn("noise", name) for name in NAMES])
    return {"params": accuracies() + 0.5 * noise}


def engine(seed=1, evaluate=None, search=None, library=True, make=Engine, **settings):
    """A small engine, with chance seeded."""
    randomness.seed(seed)
    table = FeatureTable(NAMES, evaluate or MadeUp(planted()))
    settings = {
        "generations": 4,
        "population": 20,
        "offspring": 20,
        "start": 16,
        "networks": 32,
        "limits": Limits(nodes=25, depth=10),
    } | settings
    language = Grammar(STATISTICS, candidate_features(STATISTICS) if library else ())
    tasks = [Task("first", 0, accuracies()), Task("second", 0, accuracies() ** 2)]
    return make(language, table, tasks, Search(**settings), [parse(s) for s in SEEDS])


def journal(seed=1, **settings):
    """What the journal of a small search says, line by line."""
    return [json.dumps(plain(asdict(g))) for g in engine(seed, **settings).run()]


def trees(seed=1, count=60):
    """Texts of random trees, and of their children."""
    randomness.seed(seed)
    statistics = (*STATISTICS, "data_relu_agreement", "data_conv_output_covariance", "weight")
    language = Grammar(statistics, candidate_features(("layer_params",)))
    grown = [Individual(grow(language, NET_SCALAR, 5)) for _ in range(count)]
    parents = [*grown, *(Individual(to_nodes(parse(c.formula))) for c in CLASSICS.values())]
    children = [mutate(randomness.choice(parents), language) for _ in range(count)]
    children += [
        crossover(randomness.choice(parents), randomness.choice(parents), language)
        for _ in range(count)
    ]
    return [t.expression.text for t in grown], [t.expression.text for t in children]


if __name__ == "__main__":
    grown, children = trees()
    print(json.dumps({"grown": grown, "children": children, "journal": journal()}))
