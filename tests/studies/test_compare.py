"""Two models compared: which is better, with what probability, and where that is not known."""

import sys
from pathlib import Path

import numpy as np
import pytest

import eznas
from eznas.benchmarks.loading import load as load_benchmark
from eznas.discovery.callbacks import NoCallback
from eznas.errors import InputError
from eznas.metrics.calibration import SUREST
from eznas.proxies import calibrations
from eznas.proxies.calibrations import calibrations_of
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings, score_all
from eznas.studies import compare as module
from eznas.studies.calibrate import calibrate
from eznas.studies.compare import compare

SMALL = "|nor_conv_1x1~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
LARGE = "|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
NOTHING = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
MODULE = """
from torch import nn

def net(width):
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9 * width, 4))

def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(25, 4))
"""


@pytest.fixture(autouse=True, scope="module")
def _cheap():
    """Not here: what is calibrated is whole networks."""


@pytest.fixture(scope="module")
def both():
    return compare(SMALL, LARGE, "flops")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of models, accuracies that follow their widths, and the calibration of l2_norm."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "widths.py").write_text(MODULE)
    rows = [f"widths:net({width}),{width + width % 3}" for width in range(2, 26)]
    (tmp_path / "widths.csv").write_text("\n".join(["model,accuracy", *rows]))
    calibrate("l2_norm", models="widths.csv", input_size=(1, 5, 5), file="own.json")
    yield {"proxy": "l2_norm", "input_size": (1, 5, 5), "calibration": "own.json"}
    sys.modules.pop("widths", None)


def test_scores_are_those_by_which_networks_of_a_benchmark_are_calibrated(both):
    benchmark = load_benchmark("nasbench201", ["cifar10"])
    indices = np.array([benchmark.architectures.index(name) for name in (SMALL, LARGE)])
    networks = benchmark.subset(indices, "")
    scored = score_all([load("flops")], networks, ScoringSettings((0, 1, 2)), NoCallback())
    expected = scored.scores["cifar10"][:, 0].T
    assert [m["scores"] for m in both["models"]] == pytest.approx(expected, rel=1e-6)
    assert [list(m["sizes"].values()) for m in both["models"]] == scored.sizes.T.tolist()
    means = [model["score"] for model in both["models"]]
    assert means == pytest.approx(expected.mean(1), rel=1e-6)
    assert both["models"][0]["deviation"] == pytest.approx(expected[0].std(), rel=1e-4)


def test_the_probability_is_that_of_the_calibration_in_the_box(both):
    assert both["better"] == LARGE
    [content] = calibrations_of(load("flops"))
    small, large = (np.array(model["scores"]) for model in both["models"])
    expected = {d: content.curve(d).probability(large, small) for d in content.datasets}
    assert both["probabilities"] == pytest.approx({d: float(p) for d, p in expected.items()})
    assert all(0.5 < p < SUREST for p in both["probabilities"].values())
    assert both["calibrated"]["space"] == "nasbench201"
    assert both["reason"] == ""


def test_the_order_of_the_models_does_not_matter(both):
    swapped = compare(LARGE, f"nasbench201/{SMALL}", "flops")
    assert swapped["better"] == LARGE
    assert swapped["probabilities"] == both["probabilities"]


def test_no_probability_is_said_to_be_certain(monkeypatch, both):
    monkeypatch.setattr(module, "SUREST", 0.6)
    [content] = calibrations_of(load("flops"))
    assert set(module._probabilities(content, both["models"]).values()) == {0.6}


def test_a_pair_whose_draws_contradict_each_other_comes_near_a_half():
    [content] = calibrations_of(load("flops"))
    low, high = content.scores[0], content.scores[-1]
    models = [{"scores": draws, "score": 0.0} for draws in ([low, high], [high, low])]
    for probability in module._probabilities(content, models).values():
        assert probability == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            {"proxy": "params"},
            "params is calibrated nowhere yet; `eznas calibrate params --space nasbench201 -o",
        ),
        (
            {"second": "naap440/3x12s2-3x16s2-1x16s1r"},
            "flops is calibrated for two networks of nasbench201 alone; `eznas calibrate flops",
        ),
        (
            {"input_size": (3, 16, 16)},
            "the first model gets inputs of 3,16,16, calibrated: 3,32,32; the second model gets",
        ),
    ],
)
def test_where_it_is_not_calibrated_that_is_said(arguments, reason):
    pair = {"first": LARGE, "second": SMALL, "proxy": "flops", "initialisations": 1}
    content = compare(**pair | arguments)
    assert content["reason"].startswith(reason)
    assert content["probabilities"] == {}
    assert content["better"] == LARGE


def test_beyond_the_calibrated_range_it_is_not_known(own):
    inside = compare("widths:net(4)", "widths:net(20)", **own)
    assert inside["probabilities"]["accuracy"] > 0.8
    assert inside["calibrated"]["source"] == "widths.csv"
    for width, what in ((60, "score"), (1, "score")):
        content = compare("widths:net(4)", f"widths:net({width})", **own)
        assert content["reason"].startswith(f"the second model has {what} ")
        assert content["probabilities"] == {}
    calibration = calibrations.read(Path("own.json"))
    model = inside["models"][0] | {"sizes": {"live_params": 1e9, "flops": None}}
    assert "has live_params 1e+09, calibrated: " in module._outside(calibration, model)
    model["sizes"]["live_params"] = calibration.sizes["live_params"][0]
    assert "has flops undefined, calibrated: " in module._outside(calibration, model)


def test_without_a_score_nothing_is_better(own):
    content = compare("widths:linear", "widths:net(4)", "naswot", input_size=(1, 5, 5))
    assert content["better"] is None
    assert (content["models"][0]["score"], content["models"][0]["scores"]) == (None, [None] * 3)
    assert "no activation was seen" in content["models"][0]["reason"]
    lowest = compare(NOTHING, SMALL, "live_naswot", initialisations=1)
    assert lowest["better"] == SMALL
    assert lowest["models"][0]["reason"] == "lowest"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"second": f"nasbench201/{LARGE}"}, "expected two different ones"),
        ({"proxy": "mecco"}, "did you mean 'meco'"),
        ({"second": "nowhere:net"}, "cannot import nowhere"),
        ({"initialisations": 0}, "initialisations 0: expected a whole number, at least 1"),
        ({"calibration": "none.json"}, "none.json: No such file"),
        ({"second": 3}, "second: expected a text"),
    ],
)
def test_bad_input_is_one_line(arguments, complaint):
    with pytest.raises(InputError, match=complaint):
        compare(**{"first": LARGE, "second": SMALL} | arguments)


def test_a_calibration_of_another_proxy_is_refused(own):
    with pytest.raises(InputError, match=r"own.json: calibrates l2_norm, not flops \(--proxy"):
        eznas.compare("widths:net(4)", "widths:net(6)", "flops", calibration="own.json")


def test_a_model_that_cannot_be_run_is_named(own):
    with pytest.raises(InputError, match=r"widths:net\(4\): model Sequential"):
        compare("widths:net(4)", "widths:net(6)", "l2_norm")
