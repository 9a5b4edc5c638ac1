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
        scored(formulas, models, MeasurementConfig(images, classes, raw=8, sketch=64, seed=seed))[
            "logsynflow"
        ].values
        for seed in range(3)
    ]
    return np.asarray(np.mean(runs, axis=0))


def freerea(dataset: str, rows: list[int]) -> dict[str, dict[str, float]]:
    selected = [table(FREEREA)[i] for i in rows]
    names = ("naswot", "logsynflow")
    return {
        row["architecture"]: {n: float(row[f"{dataset}_{n}"]) for n in names} for row in selected
    }


def test_published_logsynflow() -> None:
    our_scores = logsynflow(list(ANCHORS), 10, 32)
    assert our_scores.tolist() == pytest.approx(list(ANCHORS.values()), rel=0.01)


def test_anchors_are_the_published_ones() -> None:
    published = freerea("cifar10", [0, 1, 2])
    assert {a: scores["logsynflow"] for a, scores in published.items()} == ANCHORS


@pytest.mark.parametrize(
    ("dataset", "classes", "size"), [("cifar100", 100, 32), ("ImageNet16-120", 120, 16)]
)
def test_published_logsynflow_of_other_tasks(dataset: str, classes: int, size: int) -> None:
    """Rows 12 and 104 are disconnected, row 3 has only skips; layers on no path add nothing."""
    published = freerea(dataset, [0, 3, 12, 104])
    our_scores = logsynflow(list(published), classes, size)
    assert our_scores.tolist() == pytest.approx(
        [s["logsynflow"] for s in published.values()], rel=0.02
    )


def test_published_naswot_orders_as_ours() -> None:
    """The images differ, so ranks agree but not values; the same kernels are singular."""
    published = freerea("ImageNet16-120", [0, 1, 3, 105, 700, 5000, 9000, 14000])
    config = MeasurementConfig(generated(32, size=16), 120, raw=8, sketch=32)
    formulas = {"naswot": FORMULAS["naswot"]}
    our_scores = scored(formulas, [network(a, 120) for a in published], config)["naswot"].values
    published_scores = np.array([s["naswot"] for s in published.values()])
    assert (our_scores == -np.inf).tolist() == (published_scores == -np.inf).tolist()
    assert spearmanr(our_scores, published_scores).statistic > 0.9


def suite(networks: int, columns: list[str]) -> tuple[list[str], dict[str, Column]]:
    """Architectures and scores of networks drawn from those whose scores did not fail."""
    rows_with_scores = [
        row for row in table(SUITE) if all(float(row[c]) != FAILED for c in columns)
    ]
    indices = np.random.default_rng(0).choice(len(rows_with_scores), networks, replace=False)
    rows = [rows_with_scores[i] for i in indices]
    return [row["architecture"] for row in rows], {
        c: np.array([float(row[c]) for row in rows]) for c in columns
    }


def ours(
    columns: list[str], architectures: list[str], config: MeasurementConfig
) -> dict[str, Column]:
    """Our scores under the suite's names."""
    formulas = {c: FORMULAS[OURS.get(c, c)] for c in columns}
    by_network = [scored(formulas, [network(a)], config) for a in architectures]
    return {c: np.concatenate([row[c].values for row in by_network]) for c in columns}


def test_published_sizes() -> None:
    """The published sizes, in millions, to the last digit, but for 5184 operations that the suite
    adds to every network, whatever its cells (here, global pooling has no operations)."""
    architectures, published = suite(24, ["params", "flops"])
    our_scores = ours(
        list(published), architectures, MeasurementConfig(generated(2), raw=2, sketch=2)
    )
    assert len(set(published["flops"])) > 12
    np.testing.assert_allclose(1e6 * published["params"], our_scores["params"], atol=1e-3)
    np.testing.assert_allclose(1e6 * published["flops"], our_scores["flops"] + 5184, atol=1e-3)


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Column], dict[str, Column]]:
    """Our scores and the suite's, on images of CIFAR-10."""
    images = load(shared(IMAGES), 64)
    architectures, suite_scores = suite(24, list(BARS))
    config = MeasurementConfig(images, raw=16, sketch=64)
    return ours(list(BARS), architectures, config), suite_scores


@pytest.mark.slow
@pytest.mark.parametrize("column", BARS)
def test_published_scores_order_as_ours(column: str, both) -> None:
    our_scores, suite_scores = (table[column] for table in both)
    assert spearmanr(our_scores, suite_scores).statistic >= BARS[column]
