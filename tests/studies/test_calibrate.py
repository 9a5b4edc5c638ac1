"""Calibrations: from which networks they are made, what their files hold, what is refused."""

import json

import numpy as np
import pytest
from torch import nn

from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.splits import split
from eznas.discovery.callbacks import NoCallback
from eznas.errors import InputError
from eznas.metrics.calibration import fit_curve
from eznas.proxies import calibrations
from eznas.proxies.calibrated import CALIBRATED
from eznas.proxies.calibrations import calibrations_of
from eznas.proxies.loading import describe, load
from eznas.proxies.measured import ScoringSettings, score_all
from eznas.studies import calibrate as module
from eznas.studies.calibrate import calibrate

CHEAP = "sum_layers(norm(weight))"
MODELS = [lambda width=width: chain(width) for width in range(2, 26)]


def chain(width):
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(9 * width, 4))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A feature store, so that networks are measured once."""
    return str(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def content(store):
    return calibrate(CHEAP, networks=20, initialisations=2, records=store)


def test_only_networks_of_the_search_part_are_used():
    benchmark = load_benchmark("nasbench201")
    part = module._search_part(CHEAP, "nasbench201", 20)
    of_search = {benchmark.architectures[i] for i in split(benchmark.components).search}
    assert of_search.issuperset(part.architectures)
    assert list(part.accuracies) == ["cifar10", "cifar100"]  # those with the input of the first


def test_it_holds_the_curve_of_scores_and_accuracies(content, store):
    part = module._search_part(CHEAP, "nasbench201", 20)
    settings = ScoringSettings((0, 1), records=store)
    scored = score_all([load(CHEAP)], part, settings, NoCallback())
    scores = scored.scores["cifar10"][:, 0]
    assert content.networks == 20
    assert content.left_out == 0
    curve = fit_curve(scores, part.accuracies["cifar100"], part.components)
    assert content.curve("cifar100").utilities.tolist() == curve.utilities.tolist()
    assert content.scores == curve.scores.tolist()
    assert (content.scores[0], content.scores[-1]) == (scores.min(), scores.max())
    assert content.sizes["flops"] == (scored.sizes[1].min(), scored.sizes[1].max())
    assert (content.space, content.accuracy) == ("nasbench201", "validation")
    assert content.initialisations == 2
    assert content.inputs == [[3, 32, 32]]


def test_cross_validation_stands_beside_the_curve(content):
    for part in content.datasets.values():
        assert 0 < part.brier < 1
        assert {row.networks for row in part.reliability} == {"all", "upper half"}
        for row in part.reliability:
            assert 0.5 <= row.predicted <= 1
            assert 0 <= row.low <= row.observed <= row.high <= 1


def test_a_file_is_read_as_it_was_written(content, tmp_path):
    path = tmp_path / "cheap.json"
    calibrations.write(path, content)
    assert calibrations.read(path) == content
    assert content.fits(load(CHEAP))
    assert not content.fits(load("params"))


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("eznas_calibration", 9, "format 9, expected 1"),
        ("scores", [3.0, 1.0], "that rise"),
        ("shares", [0.0, 1.0], "as many scores as shares"),
        ("networks", "many", "networks: "),
        ("code", "print()", "code: "),
    ],
)
def test_a_damaged_file_is_one_line(content, tmp_path, key, value, complaint):
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps(content.model_dump() | {key: value}))
    with pytest.raises(InputError, match=f"damaged.json: .*{complaint}"):
        calibrations.read(path)


def test_own_models_are_calibrated_with_their_own_input(tmp_path):
    file = str(tmp_path / "own.json")
    accuracies = {"small": np.arange(24.0), "large": -np.arange(24.0)}
    content = calibrate(
        "params", models=MODELS, accuracies=accuracies, input_size=(1, 5, 5), file=file
    )
    assert calibrations.read(tmp_path / "own.json") == content
    assert (content.space, content.source, content.accuracy) == ("", "", "given")
    assert content.inputs == [[1, 5, 5]]
    assert content.curve("small").probability([1200.0], [100.0]) > 0.95
    assert content.curve("large").probability([1200.0], [100.0]) == 0.5  # the order is wrong
    with pytest.raises(InputError, match=r"exists already; --force"):
        calibrate("params", models=MODELS, accuracies=np.arange(24.0), file=file)


def test_a_search_that_did_not_record_what_it_saw_is_refused(monkeypatch):
    unknown = describe("params").model_copy(update={"labels": None})
    monkeypatch.setattr("eznas.studies.calibrate.describe", lambda proxy: unknown)
    with pytest.raises(InputError, match="how many accuracies its search has seen is not recorded"):
        calibrate("params", networks=40)


def test_what_cannot_be_calibrated_is_refused():
    few = {"models": MODELS[:5], "accuracies": range(5), "input_size": (1, 5, 5)}
    with pytest.raises(InputError, match="5 networks with a finite score of params"):
        calibrate("params", **few)
    with pytest.raises(InputError, match="9918 networks, expected at most 2000"):
        calibrate("params", networks=None)
    with pytest.raises(InputError, match="initialisations 0"):
        calibrate("params", initialisations=0)
    with pytest.raises(InputError, match="did you mean 'nasbench201'"):
        calibrate("params", space="nasbench21")


def test_a_proxy_whose_search_has_seen_the_networks_is_refused(monkeypatch):
    seen = describe("nasbench201-a")
    seen.labels["nasbench201"] = 900
    monkeypatch.setattr(module, "describe", lambda proxy: seen)
    with pytest.raises(InputError, match=r"has seen 900 of the .* calibrate it on other networks"):
        calibrate("nasbench201-a")


def test_calibrations_in_the_box_are_of_proxies_in_the_box():
    contents = [calibrations.read(path) for path in CALIBRATED]
    for path, content in zip(CALIBRATED, contents, strict=True):
        proxy = load(content.proxy)
        assert content.fits(proxy)
        assert path.stem == f"{content.proxy}-{content.space}"
        assert content in calibrations_of(proxy)
        assert content.networks >= 400


def test_probabilities_in_the_box_are_reliable():
    """In cross-validation, over all pairs: the range that is seen covers what was predicted."""
    for path in CALIBRATED:
        for part in calibrations.read(path).datasets.values():
            for row in part.reliability:
                if row.networks == "all":
                    assert row.low - 0.05 < row.predicted < row.high + 0.05
