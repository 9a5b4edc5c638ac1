"""Every classic as formula text against the same proxy written out directly."""

import copy
import math

import numpy as np
import pytest

from eznas.proxies.classics import CLASSICS
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import Images, generated
from tests import reference
from tests.classics.expected import EXPECTED, Excited
from tests.classics.made_up import (
    CONNECTED,
    DISCONNECTED,
    FORMULAS,
    LOWEST,
    LOWEST_IF_SINGULAR,
    SINGULAR,
    STRINGS,
    ZERO,
    double,
    network,
    scored,
)

CHEAP = ("logsynflow", "naswot", "hybrid", "jacob_cov", "params")


def expected_score(name: str, excited: Excited, connected: bool) -> float:
    """The reference score; where it is undefined without a path from image to logits, our choice
    of lowest or 0."""
    if not connected and name in LOWEST:
        return -math.inf
    value = float(EXPECTED[name](excited))
    return 0.0 if not connected and name in ZERO and math.isnan(value) else value


def compare(
    network_name: str,
    images: Images,
    classes: int,
    raw: int,
    sketch: int,
    seed: int,
    names: tuple[str, ...] = tuple(CLASSICS),
) -> dict[str, float]:
    """Asserts equality in float64, where no unit lies within rounding of a ReLU's edge."""
    model = network(STRINGS[network_name], classes).double()
    config = MeasurementConfig(images, classes, raw=raw, sketch=sketch, seed=seed)
    scores = scored({name: FORMULAS[name] for name in names}, [model], config)
    reference.init(model, seed)
    excited = Excited(model, images.pixels, images.labels, raw, sketch, seed)
    connected = network_name in CONNECTED
    numbers = {name: score.values.item() for name, score in scores.items()}
    expected = {name: expected_score(name, excited, connected) for name in names}
    assert numbers == pytest.approx(expected, rel=1e-6, abs=0)
    assert {score.reason for score in scores.values()} == {""}
    return numbers


def test_every_classic_is_written_out() -> None:
    assert list(EXPECTED) == list(CLASSICS)


@pytest.mark.parametrize(
    ("network_name", "size", "seed"),
    [
        ("mixed", 16, 2),
        pytest.param("all 3x3", 8, 0, marks=pytest.mark.slow),
        ("skips only", 8, 1),
        ("one pooling", 12, 3),
        pytest.param("no node reads a convolution", 8, 1, marks=pytest.mark.slow),
        pytest.param("convolution of zeros", 8, 1, marks=pytest.mark.slow),
        ("thin", 8, 4),
        ("dead convolutions", 8, 1),
        ("nothing", 8, 0),
        pytest.param("fed by zeros", 8, 1, marks=pytest.mark.slow),
    ],
)
def test_every_classic(network_name: str, size: int, seed: int) -> None:
    """12 images of 10 classes give the Fisher information nearly full rank: less, and its deciles
    are rounding."""
    compare(network_name, double(14, size), 10, raw=12, sketch=13, seed=seed)


@pytest.mark.parametrize("network_name", ["mixed", "dead convolutions"])
def test_most_classics_with_few_classes(network_name: str) -> None:
    """More images of a class, more sketches than raw tensors by far, and none left over."""
    names = tuple(name for name in CLASSICS if name != "vkdnw_entropy")
    compare(network_name, double(20, 8, 3), 3, raw=6, sketch=20, seed=5, names=names)


@pytest.mark.parametrize("network_name", STRINGS)
def test_classics_on_32_pixels_and_10_classes(network_name: str) -> None:
    """Dead convolutions in the first stage still tell images apart for NASWOT."""
    scores = compare(network_name, double(8, 32), 10, raw=2, sketch=8, seed=2, names=CHEAP)
    lowest = {key for key, value in scores.items() if value == -math.inf}
    expected = {"jacob_cov"} if network_name in DISCONNECTED else set()
    assert lowest == expected | (LOWEST_IF_SINGULAR if network_name in SINGULAR else set())


@pytest.mark.parametrize(
    "network_name", ["mixed", "no node reads a convolution", "dead convolutions"]
)
def test_classics_on_16_pixels_and_120_classes(network_name: str) -> None:
    compare(network_name, double(24, 16, 120), 120, raw=2, sketch=24, seed=0, names=CHEAP)


def test_classics_on_64_images() -> None:
    scores = compare("thin", double(64, 32), 10, raw=2, sketch=64, seed=1, names=CHEAP)
    assert all(math.isfinite(value) for value in scores.values())


def test_classics_in_float32() -> None:
    """As they are run: NASWOT counts units, few of which lie within rounding of the edge."""
    images = generated(16, size=16)
    model = network(STRINGS["mixed"])
    formulas = {name: FORMULAS[name] for name in ("logsynflow", "naswot", "params")}
    scores = scored(formulas, [model], MeasurementConfig(images, raw=8, sketch=16))
    reference.init(model, 0)
    flow, naswot = reference.logsynflow(model, 16), reference.naswot(model, images.pixels)
    assert scores["logsynflow"].values.item() == pytest.approx(flow, rel=1e-9)
    assert scores["naswot"].values.item() == pytest.approx(naswot, rel=1e-3)
    assert scores["params"].values.item() == reference.params(model)


def test_a_kernel_of_two_equal_images_is_singular() -> None:
    """The lowest score, as published, and not an undefined one; the network is connected."""
    images = generated(6, size=8)
    pixels = images.pixels.clone()
    pixels[3] = pixels[0]
    config = MeasurementConfig(Images(pixels, images.labels, ""), raw=8, sketch=6)
    formulas = {name: FORMULAS[name] for name in ("naswot", "hybrid")}
    for score in scored(formulas, [network(STRINGS["mixed"])], config).values():
        assert (score.values.tolist(), score.reason) == ([-math.inf], "")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(["mixed", "one pooling", "nothing"], id="few"),
        pytest.param(list(STRINGS), id="many", marks=pytest.mark.slow),
    ],
)
def together(request) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Scores of some networks in one shard, and of each on its own."""
    config = MeasurementConfig(generated(4, size=8, classes=2), 2, raw=2, sketch=4)
    models = [network(STRINGS[name], 2) for name in request.param]
    in_one_shard = scored(FORMULAS, models, config)
    separate = [scored(FORMULAS, [m], config) for m in models]
    concatenated = {name: np.concatenate([s[name].values for s in separate]) for name in FORMULAS}
    return {name: s.values for name, s in in_one_shard.items()}, concatenated


@pytest.mark.parametrize("name", CLASSICS)
def test_networks_together_score_as_on_their_own(name: str, together) -> None:
    in_one_shard, separate = together
    np.testing.assert_allclose(in_one_shard[name], separate[name], rtol=1e-9)


def test_models_beyond_the_space() -> None:
    """LogSynflow and parameters of models with in-place or functional ReLUs, or without norms.

    (A layer that runs twice counts twice in formulas, but once in the direct computation.)
    """
    config = MeasurementConfig(generated(4, size=8), raw=8, sketch=4)
    formulas = {name: FORMULAS[name] for name in ("logsynflow", "params")}
    classes = (reference.TinyResNet, reference.Concat, reference.NoBatchNorm, reference.Mlp)
    for cls in classes:
        model = cls()
        scores = scored(formulas, [copy.deepcopy(model)], config)
        reference.init(model, 0)
        flow = reference.logsynflow(model, 8)
        assert scores["logsynflow"].values.item() == pytest.approx(flow, rel=1e-9)
        assert scores["params"].values.item() == reference.params(model)
