"""Shared by studies: scores are those of each network alone, and a feature store changes none."""

import time
from functools import partial

import numpy as np
import pytest

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import named_set
from eznas.discovery.callbacks import NoCallback
from eznas.errors import InputError
from eznas.evaluation.contexts import contexts_of
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.network_scores import network_scores
from eznas.evaluation.workers import start
from eznas.formulas.parser import parse
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings, score_all, seconds_each
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES
from eznas.statistics.config import PROXY, MeasurementSettings
from tests.studies.made_up import SMALL

SETTINGS = ScoringSettings(raw=2, sketch=4)


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    """Six connected networks of NAS-Bench-201."""
    return named_set(load_benchmark("nasbench201", [SMALL]), "connected", 6, 0)


class Phases(NoCallback):
    """Notes the phases of a study."""

    def __init__(self):
        self.begun = []

    def phase(self, name, networks):
        self.begun.append((name, networks))
        return None


def batches(settings, proxy):
    measurement = settings.measurement(proxy, seed=0)
    return measurement.raw_batch, measurement.sketch_batch


def test_a_proxy_keeps_its_batches_unless_the_study_sets_others():
    proxy = Proxy("mine", parse("params"), raw_batch=3, sketch_batch=5)
    assert batches(ScoringSettings(), proxy) == (3, 5)
    assert batches(ScoringSettings(sketch=7), proxy) == (3, 7)
    assert batches(ScoringSettings(raw=2), proxy) == (2, 5)
    assert batches(ScoringSettings(), load("params")) == (PROXY.raw_batch, PROXY.sketch_batch)


def test_scores_are_those_of_each_network_by_itself(benchmark):
    """Each proxy with its own batches, with every seed; and the sizes of the networks."""
    proxies = [
        Proxy("first", parse("logdet(sum_all_layers(data_relu_agreement))"), 2, 4),
        Proxy("second", parse("sum_layers(sum_abs(weight))"), 2, 3),
        Proxy("third", parse("log(params)"), 2, 4),
    ]
    phases = Phases()
    scored = score_all(proxies, benchmark, ScoringSettings(seeds=(3, 4)), phases)
    assert scored.names == ["first", "second", "third"]
    assert scored.seeds == (3, 4)
    assert list(scored.scores) == [SMALL]
    assert phases.begun == [
        (f"measuring 6 networks with {images} images, seed {seed}", 6)
        for images in (4, 3)
        for seed in (3, 4)
    ]
    [dataset] = benchmark.input_formats()
    for row, proxy in enumerate(proxies):
        for number, seed in enumerate((3, 4)):
            settings = MeasurementSettings(raw_batch=2, sketch_batch=proxy.sketch_batch, seed=seed)
            [context] = contexts_of(benchmark, settings)
            networks = [
                SPACES["nasbench201"].build(a, dataset.classes) for a in benchmark.architectures
            ]
            alone = [proxy.evaluate(network, context.measurement).value for network in networks]
            np.testing.assert_allclose(
                scored.scores[SMALL][number, row], alone, rtol=1e-5
            )  # of a network alone, float32 sums round in another way
    np.testing.assert_array_equal(scored.means()[SMALL], scored.scores[SMALL].mean(0))
    assert (scored.scores[SMALL][0, :2] != scored.scores[SMALL][1, :2]).any(1).all()
    size_formulas = [load(name).formula for name in ("live_params", "flops")]
    contexts = contexts_of(benchmark, MeasurementSettings(raw_batch=2, sketch_batch=2))
    team = start(partial(Evaluator, contexts), 1)
    sizes = network_scores(benchmark, size_formulas, team)[SMALL]
    np.testing.assert_array_equal(scored.sizes, sizes)


def test_a_feature_store_holds_what_was_measured(benchmark, tmp_path, forbid_measuring):
    proxies = [load("naswot"), load("params")]
    store = str(tmp_path / "records")
    stored = ScoringSettings(seeds=(0, 1), raw=2, sketch=4, records=store)
    without_store = score_all(proxies, benchmark, SETTINGS, NoCallback()).scores[SMALL]
    first = score_all(proxies, benchmark, stored, NoCallback()).scores[SMALL]
    np.testing.assert_allclose(first[0], without_store[0], rtol=1e-8)
    file = tmp_path / "records" / "features.gz"
    content = file.read_bytes()
    forbid_measuring()
    second = score_all(proxies[::-1], benchmark, stored, NoCallback())
    np.testing.assert_array_equal(second.scores[SMALL][:, ::-1], first)
    assert file.read_bytes() == content
    few = benchmark.subset(np.arange(2, 5), "few")
    one_seed = ScoringSettings(raw=2, sketch=4, records=store)
    scored = score_all(proxies[1:], few, one_seed, NoCallback())
    np.testing.assert_array_equal(scored.scores[SMALL][0, 0], first[0, 1, 2:5])
    other_batch = ScoringSettings(raw=2, sketch=5, records=store)
    with pytest.raises(AssertionError, match="a network was measured"):
        score_all([load("naswot")], benchmark, other_batch, NoCallback())


@pytest.mark.usefixtures("unmeasured")
def test_a_feature_store_is_free_again_after_a_failure(benchmark, tmp_path):
    settings = ScoringSettings(raw=2, sketch=4, records=str(tmp_path))
    for _ in range(2):
        with pytest.raises(AssertionError, match="a network was measured"):
            score_all([load("params")], benchmark, settings, NoCallback())


@pytest.mark.usefixtures("unmeasured")
def test_a_feature_store_is_claimed_before_anything_is_measured(benchmark, tmp_path):
    (tmp_path / "file").write_text("")
    settings = ScoringSettings(records=str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot write"):
        score_all([load("params")], benchmark, settings, NoCallback())


def test_seconds_are_those_of_a_network_as_the_study_measures_it(monkeypatch):
    benchmark = named_set(load_benchmark("nasbench201"), "all", 5, 0)
    measurements = []

    def slow(self, model, config):
        measurements.append((self.name, config.size, config.sketch, config.initialisation))
        time.sleep(0.02)

    monkeypatch.setattr(Proxy, "evaluate", slow)
    proxies = [Proxy("first", parse("params"), 2, 6), Proxy("second", parse("params"), 2, 7)]
    first, second = seconds_each(proxies, benchmark, ScoringSettings(), 3)
    assert min(first, second) >= 0.02
    expected = [("first", 32, 6, "kaiming")] * 3 + [("second", 32, 7, "kaiming")] * 3
    assert measurements == expected
    measurements.clear()
    assert len(seconds_each(proxies[:1], benchmark, ScoringSettings(sketch=9), 30)) == 1
    assert measurements == [("first", 32, 9, "kaiming")] * 5  # there are no more networks
