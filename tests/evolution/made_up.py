"""Made-up features for tests of the search, and a search that prints all it did.

As a program it prints what depends on a seed, so that processes can be compared.
"""

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict

import numpy as np

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import FeatureValues
from eznas.evolution import randomness
from eznas.evolution.config import DEFAULT_PRIMITIVES, EvolutionConfig
from eznas.evolution.engine import Engine
from eznas.evolution.grammar import Grammar, Individual, grow, to_nodes
from eznas.evolution.variation import crossover, mutate
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
    """Evaluates without networks: planted values for some features, drawn ones for the rest.

    Some of the drawn ones are undefined, infinite or of thin coverage, so that a search meets
    every reason. `planted`: feature -> value of each of `NAMES`. `evaluated` counts (context, shard
    number, feature).
    """

    def __init__(self, planted=(), faults=True):
        self.planted, self.faults = dict(planted), faults
        self.evaluated = Counter()

    def __call__(self, shards, texts):
        self.evaluated.update((s.context, s.number, text) for s in shards for text in texts)
        contexts_met, answers = set(), []
        for shard in shards:
            answer = FeatureValues.missing(len(texts), len(shard.architectures))
            answer.coverage[:] = 1
            for i, text in enumerate(texts):
                answer.values[i] = [
                    self._value(shard.context, text, name) for name in shard.architectures
                ]
                if self._fault(text) == "coverage" and shard.context not in contexts_met:
                    answer.coverage[i, 0] = 0.5
            contexts_met.add(shard.context)
            answers.append(answer)
        return answers

    def _fault(self, text):
        if text in self.planted or not self.faults:
            return ""
        luck = drawn("fault", text)
        return next(
            (fault for fault, p in (("nan", 0.1), ("inf", 0.2), ("coverage", 0.35)) if luck < p), ""
        )

    def _value(self, context, text, name):
        if text in self.planted:
            return self.planted[text][NAMES.index(name)]
        value = drawn(context, text, name)
        fault = {"nan": math.nan, "inf": math.inf}.get(self._fault(text), value)
        return fault if value > 0.5 else value


def table_of(evaluate, contexts=1, names=NAMES):
    """An empty table of networks, each in so many contexts."""
    return FeatureTable([names] * contexts, evaluate)


def accuracies(seed=0):
    """Made-up accuracies of `NAMES`, all different."""
    return np.array([drawn("accuracy", seed, name) for name in NAMES])


def planted():
    """A feature that says much about `accuracies()`, but not all."""
    noise = np.array([drawn("noise", name) for name in NAMES])
    return {"params": accuracies() + 0.5 * noise}


def engine(
    seed=1,
    evaluate=None,
    known_features=True,
    make=Engine,
    disconnected=(),
    components=(),
    **settings,
):
    """A small engine, with the random state seeded; `settings`, which need not be valid, are those
    of its config."""
    randomness.seed(seed)
    defaults = {
        "fit": False,
        "generations": 4,
        "population": 20,
        "offspring": 20,
        "first_networks": 16,
        "networks": 32,
        "max_nodes": 25,
        "max_depth": 10,
    }
    known = candidate_features(STATISTICS) if known_features else ()
    grammar = Grammar(STATISTICS, known, settings.get("primitives", DEFAULT_PRIMITIVES))
    tasks = [Task("first", 0, accuracies()), Task("second", 0, accuracies() ** 2)]
    return make(
        grammar,
        table_of(evaluate or MadeUp(planted())),
        tasks,
        EvolutionConfig.model_construct(**(defaults | settings)),
        [parse(seed_formula) for seed_formula in SEEDS],
        disconnected,
        components,
    )


def journal(seed=1, **settings):
    """The journal of a small search, line by line."""
    return [json.dumps(plain(asdict(g))) for g in engine(seed, **settings).run()]


def trees(seed=1, count=60):
    """Texts of random trees, and of their children."""
    randomness.seed(seed)
    statistics = (*STATISTICS, "data_relu_agreement", "data_conv_output_covariance", "weight")
    grammar = Grammar(statistics, candidate_features(("layer_params",)))
    grown = [Individual(grow(grammar, NET_SCALAR, 5)) for _ in range(count)]
    parents = [*grown, *(Individual(to_nodes(parse(c.formula))) for c in CLASSICS.values())]
    children = [mutate(randomness.choice(parents), grammar) for _ in range(count)]
    children += [
        crossover(randomness.choice(parents), randomness.choice(parents), grammar)
        for _ in range(count)
    ]
    return [t.expression.text for t in grown], [t.expression.text for t in children]


if __name__ == "__main__":
    grown, children = trees()
    print(json.dumps({"grown": grown, "children": children, "journal": journal()}))
