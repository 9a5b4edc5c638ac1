"""On a CUDA device: the same scores as on the CPU, to rounding, and the same ranking."""

import numpy as np
import pytest
import torch

import eznas
from eznas.evaluation.contexts import Context
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.feature_values import FeatureValues
from eznas.formulas.parser import parse
from eznas.metrics import kendall
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.studies.speed import speed

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
SPACE = SPACES["nasbench201"]
NETWORKS = [a for a in SPACE.sample(20, seed=0) if SPACE.connected(a)][:16]
# What a draw or a sum of signed terms decides moves with rounding.
PROXIES = [n for n in CLASSICS if n not in ("plain", "grasp", "vkdnw_entropy", "eznas_a_weights")]


def feature_values(device, texts):
    """Values of features on `NETWORKS`, measured on a device: [features, networks]."""
    config = MeasurementConfig(generated(8, size=16), raw=4, sketch=8, device=device)
    evaluator = Evaluator((Context(SPACE, config),), (), keep=False)
    shards = [NETWORKS[:8], NETWORKS[8:]]
    return FeatureValues.beside(
        [evaluator.evaluate((0, number), shard, texts) for number, shard in enumerate(shards)]
    )


def test_features_agree_and_rank_alike():
    formulas = [parse(CLASSICS[name].formula) for name in PROXIES]
    texts = list(dict.fromkeys(f.text for formula in formulas for f in formula.features()))
    on_cpu, on_cuda = (feature_values(device, texts) for device in ("cpu", "cuda"))
    np.testing.assert_array_equal(on_cpu.coverage, on_cuda.coverage)
    np.testing.assert_array_equal(on_cpu.status, on_cuda.status)
    accuracies = np.random.default_rng(0).random(len(NETWORKS))
    for text, expected, values in zip(texts, on_cpu.values, on_cuda.values, strict=True):
        np.testing.assert_allclose(expected, values, rtol=1e-2, err_msg=text)
        difference = kendall(expected, accuracies) - kendall(values, accuracies)
        assert abs(difference) < 0.02, text  # two pairs of 120


@pytest.mark.parametrize("name", PROXIES)
def test_a_classic_scores_a_model_as_on_the_cpu(name):
    model = SPACE.build(NETWORKS[0])
    on_cpu, on_cuda = (eznas.load(name).score(model, device=d) for d in ("cpu", "cuda"))
    assert on_cuda == pytest.approx(on_cpu, rel=1e-4, nan_ok=True)


@pytest.mark.ray
def test_two_workers_share_a_card():
    def taus(workers):
        rows = eznas.correlate(["naswot"], networks=16, device="cuda", workers=workers).rows
        return [row["tau"] for row in rows]

    assert taus(2) == pytest.approx(taus(1), abs=0.02)  # a pair of 120


def test_the_speed_study_runs():
    figures = speed(8, device="cuda")
    assert figures["device"] == torch.cuda.get_device_name()
    assert all(rate > 0 for rate in figures["rates"].values())
