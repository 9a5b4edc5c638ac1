"""Contexts: one measurement config for each input size of a benchmark, on one batch of images."""

import pytest
import torch

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load
from eznas.errors import InputError
from eznas.evaluation.contexts import contexts_of
from eznas.statistics.config import MeasurementConfig, MeasurementSettings


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return load("nasbench201")


def configs(
    benchmark: Benchmark, raw: int = 2, sketch: int = 2, **settings
) -> list[MeasurementConfig]:
    """The measurement configs of a benchmark's contexts."""
    measurement = MeasurementSettings(raw_batch=raw, sketch_batch=sketch, **settings)
    return [context.measurement for context in contexts_of(benchmark, measurement)]


def test_contexts_share_one_batch(benchmark):
    large, small = configs(benchmark, raw=2, sketch=5, seed=9)
    assert (large.size, small.size) == (32, 16)
    assert len(large.images.pixels) == 5
    assert torch.equal(small.images.pixels, large.images.resized(16).pixels)
    assert torch.equal(small.images.labels, large.images.labels)
    for config in (large, small):
        assert (config.raw, config.sketch, config.seed) == (2, 5, 9)
        assert config.initialisation == "kaiming"
    assert (large.classes, small.classes) == (10, 120)
    other_seed, _ = configs(benchmark, raw=2, sketch=5, seed=10)
    assert torch.equal(other_seed.images.pixels, large.images.pixels)  # a seed of parameters only


def test_contexts_know_their_space(benchmark):
    settings = MeasurementSettings(raw_batch=2, sketch_batch=2)
    assert {context.space.name for context in contexts_of(benchmark, settings)} == {"nasbench201"}


def test_a_batch_is_as_large_as_the_larger_of_both(benchmark):
    large, _ = configs(benchmark, raw=6, sketch=3)
    assert len(large.images.pixels) == 6


def test_a_device_that_is_not_available_is_named(benchmark):
    with pytest.raises(InputError, match="device 'nonsense'"):
        configs(benchmark, device="nonsense")


def test_a_size_beside_the_datasets_own_changes_no_other_fingerprint():
    sizes = [c.size for c in configs(load("nasbench201", ["cifar10@24", "cifar10"]))]
    assert sizes == [24, 32]
    fingerprints = [
        {config.size: config.fingerprint for config in configs(load("nasbench201", datasets))}
        for datasets in (["cifar10"], ["cifar10@64", "cifar10"])
    ]
    assert fingerprints[0][32] == fingerprints[1][32]
