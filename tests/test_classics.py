"""Published proxies as formula text, against the same proxies written out directly."""

import copy
import csv
import gzip
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from eznas.formulas.parser import parse
from eznas.formulas.plan import Plan, evaluate
from eznas.formulas.scoring import Scores, combine
from eznas.spaces import SPACES
from eznas.statistics.bank import stack
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.conditions import Conditions
from eznas.statistics.images import Images, generated
from eznas.statistics.measuring import measure
from tests import reference

DATA = Path(__file__).parents[1].parent / "shared" / "data"
FREEREA = DATA / "nasbench201_freerea_scores.csv.gz"

LOGSYNFLOW = "sum_all_layers(sum(abs(weight * log1p(flow_weight_grad))))"
NASWOT = "logdet(sum_all_layers(data_relu_agreement))"
C1, C2 = 4.386e-08, 6.012e-04  # half over the largest score that each part has in the space
HYBRID = f"{C1!r} * {LOGSYNFLOW} + {C2!r} * {NASWOT}"
_VALUES = "eigenvalues(correlation(data_jacobian))"
JACOB_COV = f"-sum(log({_VALUES} + 1e-05) + 1 / ({_VALUES} + 1e-05))"
TEXTS = {
    "logsynflow": LOGSYNFLOW,
    "naswot": NASWOT,
    "hybrid": HYBRID,
    "jacob_cov": JACOB_COV,
    "params": "params",
}

# One digit per edge: 0 none, 1 skip, 2 convolution 1x1, 3 convolution 3x3, 4 pooling.
CONNECTED = {
    "mixed": "421211",
    "all 3x3": "333333",
    "skips only": "111111",
    "one pooling": "000400",
    "no one reads a convolution": "320102",
    "convolution of zeros": "033021",
    "thin": "202002",
}
SINGULAR = {"nothing": "000000", "fed by zeros": "000034"}
DISCONNECTED = {"dead convolutions": "302000"} | SINGULAR
STRINGS = {
    name: SPACES["nasbench201"].architectures()[int(digits, 5)]
    for name, digits in (CONNECTED | DISCONNECTED).items()
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(architecture: str, classes: int = 10) -> nn.Module:
    return SPACES["nasbench201"].build(architecture, classes)


def scored(texts: list[str], models: list[nn.Module], conditions: Conditions) -> list[Scores]:
    """The scores of each formula, through parser, measurement, bank, plan and arithmetic."""
    formulas = [parse(text) for text in texts]
    measures = list({m.text: m for f in formulas for m in f.measures()}.values())
    plan = Plan.of(measures)
    rows = [CATALOGUE[name] for name in plan.statistics()]
    values, coverage = evaluate(plan, stack([measure(m, conditions, rows) for m in models]))
    table = {m.text: pair for m, *pair in zip(measures, values, coverage, strict=True)}
    return [combine(f, lambda text: tuple(table[text])) for f in formulas]


def double(images: Images) -> Images:
    return Images(images.pixels.double(), images.labels, "")


def expected(model: nn.Module, images: torch.Tensor) -> dict[str, float]:
    """Each proxy directly, "lowest" where it is not defined."""
    size = images.shape[-1]
    jacob_cov = reference.jacob_cov(model, images)
    return {
        "logsynflow": reference.logsynflow(model, size),
        "naswot": reference.naswot(model, images),
        "hybrid": reference.hybrid(model, images, size, C1, C2),
        "jacob_cov": -math.inf if math.isnan(jacob_cov) else jacob_cov,
        "params": reference.params(model),
    }


def compare(architecture: str, images: Images, classes: int, seed: int) -> dict[str, float]:
    """Asserts equality in float64, where no unit lies within rounding of a ReLU's edge."""
    model = network(architecture, classes).double()
    batch = len(images.pixels)
    conditions = Conditions(double(images), classes, raw=2, sketch=batch, seed=seed)
    found = scored(list(TEXTS.values()), [model], conditions)
    numbers = {name: s.values.item() for name, s in zip(TEXTS, found, strict=True)}
    reference.init(model, seed)
    assert numbers == pytest.approx(expected(model, images.pixels.double()), rel=1e-6)
    assert all(s.reason == "" for s in found)
    return numbers


@pytest.mark.parametrize("name", STRINGS)
def test_classics_on_32_pixels_and_10_classes(name: str) -> None:
    """Dead convolutions in the first stage still tell images apart for NASWOT."""
    found = compare(STRINGS[name], generated(8), 10, seed=2)
    lowest = {key for key, value in found.items() if value == -math.inf}
    want = {"jacob_cov"} if name in DISCONNECTED else set()
    assert lowest == want | ({"naswot", "hybrid"} if name in SINGULAR else set())


@pytest.mark.parametrize("name", ["mixed", "no one reads a convolution", "dead convolutions"])
def test_classics_on_16_pixels_and_120_classes(name: str) -> None:
    compare(STRINGS[name], generated(24, size=16, classes=120), 120, seed=0)


def test_classics_on_64_images() -> None:
    found = compare(STRINGS["thin"], generated(64), 10, seed=1)
    assert all(math.isfinite(value) for value in found.values())


def test_classics_in_float32() -> None:
    """As they are run: NASWOT counts units, few of which lie within rounding of the edge."""
    images = generated(16, size=16)
    model = network(STRINGS["mixed"])
    conditions = Conditions(images, sketch=16)
    found = scored([LOGSYNFLOW, NASWOT, "params"], [model], conditions)
    reference.init(model, 0)
    want = expected(model, images.pixels)
    assert found[0].values.item() == pytest.approx(want["logsynflow"], rel=1e-9)
    assert found[1].values.item() == pytest.approx(want["naswot"], rel=1e-3)
    assert found[2].values.item() == want["params"]


def test_a_kernel_of_two_equal_images_is_singular() -> None:
    """The lowest score, as published, and not an undefined one; the network is connected."""
    images = generated(6, size=8)
    pixels = images.pixels.clone()
    pixels[3] = pixels[0]
    twice = Conditions(Images(pixels, images.labels, ""), sketch=6)
    naswot, hybrid = scored([NASWOT, HYBRID], [network(STRINGS["mixed"])], twice)
    assert naswot.values.tolist() == hybrid.values.tolist() == [-math.inf]
    assert (naswot.reason, hybrid.reason) == ("", "")


def test_networks_together_score_as_on_their_own() -> None:
    conditions = Conditions(generated(8, size=8), raw=2, sketch=8)
    models = [network(s) for s in STRINGS.values()]
    together = scored(list(TEXTS.values()), models, conditions)
    alone = [scored(list(TEXTS.values()), [m], conditions) for m in models]
    for i, name in enumerate(TEXTS):
        singly = np.concatenate([scores[i].values for scores in alone])
        np.testing.assert_allclose(together[i].values, singly, rtol=1e-9, err_msg=name)


def test_models_beyond_the_space() -> None:
    """In place, functional, shared or without norms: LogSynflow and parameters all the same.

    (A layer that ran twice counts for each time it ran, unlike in the direct computation.)
    """
    conditions = Conditions(generated(4, size=8), sketch=4)
    kinds = (reference.TinyResNet, reference.Concat, reference.NoBatchNorm, reference.Mlp)
    for kind in kinds:
        model = kind()
        flow, size = scored([LOGSYNFLOW, "params"], [copy.deepcopy(model)], conditions)
        reference.init(model, 0)
        assert flow.values.item() == pytest.approx(reference.logsynflow(model, 8), rel=1e-9)
        assert size.values.item() == reference.params(model)


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


def logsynflow(architectures: list[str], classes: int, size: int) -> npt.NDArray[np.float64]:
    """The mean over three initialisations."""
    images = generated(2, size=size)
    models = [network(a, classes) for a in architectures]
    runs = [
        scored([LOGSYNFLOW], models, Conditions(images, classes, seed=seed))[0].values
        for seed in range(3)
    ]
    return np.asarray(np.mean(runs, axis=0))


def test_published_logsynflow() -> None:
    found = logsynflow(list(ANCHORS), 10, 32)
    assert found.tolist() == pytest.approx(list(ANCHORS.values()), rel=0.01)


def published(dataset: str, rows: list[int]) -> dict[str, dict[str, float]]:
    if not FREEREA.is_file():
        pytest.skip("needs the published scores of FreeREA")
    with gzip.open(FREEREA, "rt", newline="") as stream:
        table = list(csv.DictReader(stream))
    names = ("naswot", "logsynflow")
    return {
        table[i]["architecture"]: {n: float(table[i][f"{dataset}_{n}"]) for n in names}
        for i in rows
    }


def test_anchors_are_the_published_ones() -> None:
    found = published("cifar10", [0, 1, 2])
    assert {a: scores["logsynflow"] for a, scores in found.items()} == ANCHORS


@pytest.mark.parametrize(
    ("dataset", "classes", "size"), [("cifar100", 100, 32), ("ImageNet16-120", 120, 16)]
)
def test_published_logsynflow_of_other_tasks(dataset: str, classes: int, size: int) -> None:
    """Rows 12 and 104 are disconnected, 3 has but skips: a broken path adds nothing."""
    want = published(dataset, [0, 3, 12, 104])
    found = logsynflow(list(want), classes, size)
    assert found.tolist() == pytest.approx([s["logsynflow"] for s in want.values()], rel=0.02)


def test_published_naswot_orders_as_ours() -> None:
    """On other images, so that ranks agree and not values; singular kernels are the same ones."""
    want = published("ImageNet16-120", [0, 1, 3, 105, 700, 5000, 9000, 14000])
    conditions = Conditions(generated(32, size=16), 120, sketch=32)
    (found,) = scored([NASWOT], [network(a, 120) for a in want], conditions)
    theirs = np.array([s["naswot"] for s in want.values()])
    assert (found.values == -np.inf).tolist() == (theirs == -np.inf).tolist()
    ranks = [np.argsort(np.argsort(x)) for x in (found.values, theirs)]
    assert np.corrcoef(*ranks)[0, 1] > 0.9
