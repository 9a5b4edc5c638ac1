"""The original way, layer by layer: an independent reading of formulas on real networks."""

import numpy as np
import pytest

from eznas.evaluation.bank import stack
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.status import Status
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.studies.original_loops import NetworkTensors, loaded, on_disk, score
from eznas.studies.speed import recorded

CONFIG = MeasurementConfig(generated(8, size=8), raw=2, sketch=4)
NETWORKS = SPACES["nasbench201"].sample(3, seed=5)


def measured_networks(formulas):
    rows = [CATALOGUE[n] for n in Plan.of(formulas).statistics()]
    return [measure(SPACES["nasbench201"].build(a), CONFIG, rows) for a in NETWORKS]


def compare(formulas):
    """Check that scores by the plan equal those of the loop wherever a formula applies; the number
    of scores."""
    with one_thread():
        measured = measured_networks(formulas)
        networks = [NetworkTensors.of(m) for m in measured]
        scores = np.array([[score(f, network) for network in networks] for f in formulas])
        features = evaluate(Plan.of(formulas), stack(measured))
    applies = (features.coverage > 0) & (features.status != Status.EMPTY)
    for row, formula in enumerate(formulas):
        expected = pytest.approx(features.values[row, applies[row]], 1e-6, 1e-9, nan_ok=True)
        assert scores[row, applies[row]] == expected, formula.text
    return int(applies.sum())


def test_recorded_formulas_mean_the_same_one_by_one():
    assert compare([f for generation in recorded() for f in generation[:40]]) > 800


def test_the_published_proxies_too():
    quick = [
        parse(c.formula) for c in CLASSICS.values() if c.name not in ("grasp", "vkdnw_entropy")
    ]
    assert compare(quick) > 60


def test_from_disk_as_from_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    [formula] = [parse("sum_layers(norm(weight)) + mean_layers(std(data_conv_output))")]
    networks = [NetworkTensors.of(m) for m in measured_networks([formula])]
    with on_disk(networks) as paths:
        assert [score(formula, loaded(p)) for p in paths] == [score(formula, n) for n in networks]
        folder = paths[0].parent
    assert not folder.exists()


def test_the_recorded_population_is_ten_generations_of_different_formulas():
    generations = recorded()
    assert [len(g) for g in generations] == [200] * 10
    texts = [f.canonical.text for g in generations for f in g]
    assert len(set(texts)) >= 0.6 * len(texts)
    assert all(f.text == f.canonical.text for g in generations for f in g)
