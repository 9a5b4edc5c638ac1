"""The original way, layer by layer: an independent reading of every word on real networks."""

import math

import pytest

from eznas.evaluation.bank import stack
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.plan import Plan, evaluate
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.studies.original_loops import NetworkTensors, loaded, on_disk, score
from eznas.studies.speed import recorded

CONDITIONS = MeasurementConfig(generated(8, size=8), raw=2, sketch=4)
NETWORKS = SPACES["nasbench201"].sample(3, seed=5)


def measured(formulas):
    rows = [CATALOGUE[n] for n in Plan.of(formulas).statistics()]
    return [measure(SPACES["nasbench201"].build(a), CONDITIONS, rows) for a in NETWORKS]


def agrees(formulas):
    """Scores by the plan equal those of the loop wherever the formula applies."""
    with one_thread():
        found = measured(formulas)
        loose = [NetworkTensors.of(m) for m in found]
        ours = [[score(f, network) for network in loose] for f in formulas]
        values, coverage = evaluate(Plan.of(formulas), stack(found))
    compared = 0
    for formula, row, theirs, covered in zip(formulas, ours, values, coverage, strict=True):
        for own, other, share in zip(row, theirs, covered, strict=True):
            if math.isnan(share) or share == 0:
                continue
            compared += 1
            assert own == pytest.approx(other, rel=1e-6, abs=1e-9, nan_ok=True), formula.text
    return compared


def test_recorded_formulas_mean_the_same_one_by_one():
    assert agrees([f for generation in recorded() for f in generation[:40]]) > 800


def test_the_published_proxies_too():
    quick = [
        parse(c.formula) for c in CLASSICS.values() if c.name not in ("grasp", "vkdnw_entropy")
    ]
    assert agrees(quick) > 60


def test_from_disk_as_from_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    [formula] = [parse("sum_layers(norm(weight)) + mean_layers(std(data_conv_output))")]
    loose = [NetworkTensors.of(m) for m in measured([formula])]
    with on_disk(loose) as paths:
        assert [score(formula, loaded(p)) for p in paths] == [score(formula, n) for n in loose]
        folder = paths[0].parent
    assert not folder.exists()


def test_the_recorded_population_is_ten_generations_of_different_formulas():
    generations = recorded()
    assert [len(g) for g in generations] == [200] * 10
    texts = [f.canonical.text for g in generations for f in g]
    assert len(set(texts)) >= 0.6 * len(texts)
    assert all(f.text == f.canonical.text for g in generations for f in g)
