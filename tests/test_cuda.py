"""On a CUDA device: the same scores as on the CPU, to rounding, and the same ranking."""

import numpy as np
import pytest
import torch

from eznas.evaluation.evaluator import Evaluator, Place
from eznas.formulas.parser import parse
from eznas.metrics import kendall
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.studies.speed import benchmark

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
SPACE = SPACES["nasbench201"]
NETWORKS = [a for a in SPACE.sample(20, seed=0) if SPACE.connected(a)][:16]
# What a draw or a sum of signed terms decides moves with rounding.
PROXIES = [n for n in CLASSICS if n not in ("plain", "grasp", "vkdnw_entropy", "eznas_a_weights")]


def values(device, texts):
    conditions = MeasurementConfig(generated(8, size=16), raw=4, sketch=8, device=device)
    made = Evaluator((Place(SPACE, (conditions,)),), (), keep=False)
    shards = [(i, tuple(NETWORKS[8 * i : 8 * i + 8])) for i in range(2)]
    found = [made.evaluate(shard, texts) for shard in shards]
    return [np.concatenate(part, axis=2)[0] for part in zip(*found, strict=True)]


def test_measures_agree_and_rank_alike():
    texts = list(
        dict.fromkeys(m.text for n in PROXIES for m in parse(CLASSICS[n].formula).features())
    )
    (ours, coverage), (theirs, covered) = (values(d, texts) for d in ("cpu", "cuda"))
    np.testing.assert_array_equal(coverage, covered)
    accuracies = np.random.default_rng(0).random(len(NETWORKS))
    for text, a, b in zip(texts, ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, err_msg=text)
        assert abs(kendall(a, accuracies) - kendall(b, accuracies)) < 0.02, text  # two pairs of 120


def test_the_benchmark_runs():
    found = benchmark(8, device="cuda")
    assert found["device"] == torch.cuda.get_device_name()
    assert all(rate > 0 for rate in found["rates"].values())
