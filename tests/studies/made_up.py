"""What the tests of studies share: made-up scores, and checks of what studies write."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from eznas.benchmarks.loading import load as load_benchmark
from eznas.proxies.measured import Scored

SMALL = "ImageNet16-120"  # the data set of the smallest images


def noisy_scores(names, networks=40, seeds=(0,), datasets=("cifar10", "cifar100")) -> Scored:
    """Scores of proxies without measuring: accuracies of every 300th network, plus noise."""
    random = np.random.default_rng(0)
    indices = np.arange(networks) * 300
    benchmark = load_benchmark("nasbench201", datasets).subset(indices, "made up")
    scores = {}
    for dataset, accuracies in benchmark.accuracies.items():
        noise = random.normal(size=(len(seeds), len(names), networks)) * 20
        scores[dataset] = accuracies + noise
    return Scored(benchmark, list(names), tuple(seeds), scores, np.empty((2, networks)))


def instead_of_score_all(scored: Scored):
    """A stand-in for `score_all`: the scores of `scored`, in the order of the networks that are
    to be scored."""

    def score_all(proxies, benchmark, settings, callback):
        architectures = scored.benchmark.architectures
        order = [architectures.index(a) for a in benchmark.architectures]
        scores = {dataset: values[..., order] for dataset, values in scored.scores.items()}
        return replace(scored, benchmark=benchmark, scores=scores)

    return score_all


def is_png(path: str | Path) -> bool:
    return Path(path).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
