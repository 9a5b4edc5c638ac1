"""Classics against scores that others published."""

import csv
import functools
import gzip

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import spearmanr

from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated, load
from tests.classics.made_up import FORMULAS, network, scored
from tests.shared import shared

Column = npt.NDArray[np.float64]
FREEREA = "nasbench201_freerea_scores.csv.gz"
SUITE = "nasbench201_cifar10_zero_cost_suite.csv.gz"
IMAGES = "cifar10_sample.npz"
FAILED = -1e8

# Scores published with FreeREA (Cavagnero et al., WACV 2023; the first three rows of its table for
# CIFAR-10), each the mean of three initialisations.
ANCHORS = {
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": 644744.1470039338,
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|": 4177506.460553255,
    "|avg_pool_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|"
    "+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|": 1911740.8027114954,
}

# Least Spearman's rho with the suite (Krishnakumar et al., NeurIPS 2022) on few networks, by its
# names for the columns. `eznas agree` asks for more, on more networks.
BARS = {
    "synflow": 0.95,
    "zen": 0.95,
    "nwot": 0.95,
    "l2_norm": 0.85,
    "snip": 0.85,
    "grad_norm": 0.85,
    "fisher": 0.85,
    "jacov": 0.8,
}
OURS = {"flops": "operations", "nwot": "naswot", "jacov": "jacob_cov"}


@functools.cache
def table(name: str) -> list[dict[str, str]]:
    with gzip.open(shared(name), "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def logsynflow(architectures: list[str], classes: int, size: int) -> Column:
    """The mean over three initialisations."""
    images = generated(2, size=size)
    models = [network(a, classes) for a in architectures]
    formulas = {"logsynflow": FORMULAS["logsynflow"]}
    runs = [
        scored(formulas, models, MeasurementConfig(images, classes, seed=seed))["logsynflow"].values
        for seed in range(3)
    ]
    return np.asarray(np.mean(runs, axis=0))


def freerea(dataset: str, rows: list[int]) -> dict[str, dict[str, float]]:
    own = [table(FREEREA)[i] for i in rows]
    names = ("naswot", "logsynflow")
    return {row["architecture"]: {n: float(row[f"{dataset}_{n}"]) for n in names} for row in own}


def test_published_logsynflow() -> None:
    found = logsynflow(list(ANCHORS), 10, 32)
    assert found.tolist() == pytest.approx(list(ANCHORS.values()), rel=0.01)


def test_anchors_are_the_published_ones() -> None:
    found = freerea("cifar10", [0, 1, 2])
    assert {a: scores["logsynflow"] for a, scores in found.items()} == ANCHORS


@pytest.mark.parametrize(
    ("dataset", "classes", "size"), [("cifar100", 100, 32), ("ImageNet16-120", 120, 16)]
)
def test_published_logsynflow_of_other_tasks(dataset: str, classes: int, size: int) -> None:
    """Rows 12 and 104 are disconnected, 3 has but skips: a broken path adds nothing."""
    want = freerea(dataset, [0, 3, 12, 104])
    found = logsynflow(list(want), classes, size)
    assert found.tolist() == pytest.approx([s["logsynflow"] for s in want.values()], rel=0.02)


def test_published_naswot_orders_as_ours() -> None:
    """On other images, so that ranks agree and not values; singular kernels are the same ones."""
    want = freerea("ImageNet16-120", [0, 1, 3, 105, 700, 5000, 9000, 14000])
    conditions = MeasurementConfig(generated(32, size=16), 120, sketch=32)
    formulas = {"naswot": FORMULAS["naswot"]}
    found = scored(formulas, [network(a, 120) for a in want], conditions)["naswot"].values
    theirs = np.array([s["naswot"] for s in want.values()])
    assert (found == -np.inf).tolist() == (theirs == -np.inf).tolist()
    assert spearmanr(found, theirs).statistic > 0.9


def suite(networks: int, columns: list[str]) -> tuple[list[str], dict[str, Column]]:
    """Architectures and scores of networks drawn from those whose scores did not fail."""
    whole = [row for row in table(SUITE) if all(float(row[c]) != FAILED for c in columns)]
    drawn = np.random.default_rng(0).choice(len(whole), networks, replace=False)
    rows = [whole[i] for i in drawn]
    return [row["architecture"] for row in rows], {
        c: np.array([float(row[c]) for row in rows]) for c in columns
    }


def ours(
    columns: list[str], architectures: list[str], conditions: MeasurementConfig
) -> dict[str, Column]:
    """Our scores under the suite's names."""
    formulas = {c: FORMULAS[OURS.get(c, c)] for c in columns}
    parts = [scored(formulas, [network(a)], conditions) for a in architectures]
    return {c: np.concatenate([part[c].values for part in parts]) for c in columns}


def test_published_sizes() -> None:
    """In millions, and to the last one: but the suite counts 5184 operations more in every network,
    whatever its cells (the global pooling is none here)."""
    architectures, want = suite(24, ["params", "flops"])
    found = ours(list(want), architectures, MeasurementConfig(generated(2), raw=2, sketch=2))
    assert len(set(want["flops"])) > 12
    np.testing.assert_allclose(1e6 * want["params"], found["params"], atol=1e-3)
    np.testing.assert_allclose(1e6 * want["flops"], found["flops"] + 5184, atol=1e-3)


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Column], dict[str, Column]]:
    """Our scores and the suite's, on images of CIFAR-10."""
    images = load(shared(IMAGES), 64)
    architectures, theirs = suite(24, list(BARS))
    conditions = MeasurementConfig(images, raw=16, sketch=64)
    return ours(list(BARS), architectures, conditions), theirs


@pytest.mark.slow
@pytest.mark.parametrize("column", BARS)
def test_published_scores_order_as_ours(column: str, both) -> None:
    found, theirs = (scores[column] for scores in both)
    assert spearmanr(found, theirs).statistic >= BARS[column]
