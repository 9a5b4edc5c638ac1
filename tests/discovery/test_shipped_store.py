"""The feature store that ships with the package."""

from pathlib import Path

import numpy as np
import pytest

import eznas.evaluation
from eznas.benchmarks.loading import load
from eznas.benchmarks.subsets import held_out, search_networks
from eznas.discovery.config import Config
from eznas.discovery.setup import contexts_for
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.feature_store import FeatureStore
from eznas.evaluation.stored_workers import TOLERANCE
from eznas.formulas.simplify import simplified
from eznas.studies.records import usual_formulas

CONFIG = Config()
SHIPPED = Path(eznas.evaluation.__file__).parent / "stored" / "nasbench201"


@pytest.fixture(scope="module")
def benchmark():
    return load("nasbench201")


@pytest.fixture(scope="module")
def store():
    return FeatureStore(SHIPPED, "nasbench201")


@pytest.fixture(scope="module")
def features():
    formulas = usual_formulas(CONFIG)
    return sorted({simplified(f).text for formula in formulas for f in formula.features()})


def test_a_run_by_default_finds_all_its_networks_in_it(benchmark, store, features):
    evolution = CONFIG.evolution
    count = evolution.networks + evolution.champion_networks
    parts = search_networks(benchmark, count), held_out(benchmark, CONFIG.evidence.networks)
    for context in contexts_for(benchmark, CONFIG):
        for part in parts:
            assert store.find(context.measurement.key, features, part.architectures)[1].all()


@pytest.mark.usefixtures("in_full")
def test_its_values_are_those_that_are_measured(benchmark, store, features):
    """Of two networks, so nearly that a run on this processor uses them."""
    contexts = contexts_for(benchmark, CONFIG)
    [*networks] = search_networks(benchmark, 40).architectures[37:39]
    for number, context in enumerate(contexts):
        stored, _ = store.find(context.measurement.key, features, networks)
        measured = Evaluator(contexts).evaluate((number, 0), networks, features)
        np.testing.assert_array_equal(stored.status, measured.status)
        finite = np.isfinite(measured.values)
        np.testing.assert_array_equal(finite, np.isfinite(stored.values))
        values, others = (np.where(finite, v, 0) for v in (stored.values, measured.values))
        gaps = abs(values - others).max(1)
        assert (gaps <= TOLERANCE * abs(values).max(1)).all()


def test_it_claims_no_build_so_that_every_machine_compares_first(store, benchmark):
    for context in contexts_for(benchmark, CONFIG):
        assert store.builds(context.measurement.key) == ()
