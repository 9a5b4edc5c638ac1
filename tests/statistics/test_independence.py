"""A statistic does not depend on which others are measured, nor on chance beyond the seed."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from eznas.statistics.catalogue import CATALOGUE, PATHS
from eznas.statistics.measuring import MeasuredNetwork, measure
from eznas.statistics.statistic import Statistic
from tests.reference import NoBatchNorm, TinyResNet
from tests.statistics.measurements import (
    ALL_ROWS,
    CONFIG,
    StochasticModel,
    close,
    differences,
    keep_config,
    stochastic,
    used_model,
)


@pytest.fixture(scope="module")
def measured_together() -> dict[str, MeasuredNetwork]:
    """All rows of each model in one measurement, by the name of the model's builder."""
    return {
        build.__name__: measure(build(), keep_config(), ALL_ROWS)
        for build in (stochastic, used_model)
    }


@pytest.mark.parametrize("row", ALL_ROWS, ids=CATALOGUE)
@pytest.mark.parametrize("name", ["stochastic", "used_model"])
def test_alone_or_with_all_others(
    row: Statistic, name: str, measured_together: dict[str, MeasuredNetwork]
) -> None:
    build = {"stochastic": stochastic, "used_model": used_model}[name]
    alone, together = measure(build(), keep_config(), [row]), measured_together[name]
    assert list(alone.tensors) == [row.name]
    paths = together.structure.paths if row.name in PATHS else None
    if row.name == "params":  # for which no layer needs to be traced
        assert alone.structure.params == together.structure.params
    else:
        assert alone.structure == replace(together.structure, paths=paths)
    pairs = zip(alone.tensors[row.name], together.tensors[row.name], strict=True)
    assert all(close(x, y, 0.0) for x, y in pairs)
    assert any(x is not None for x in alone.tensors[row.name])


def test_the_order_of_the_rows_does_not_matter(
    measured_together: dict[str, MeasuredNetwork],
) -> None:
    reversed_rows = measure(used_model(), keep_config(), ALL_ROWS[::-1])
    assert differences(reversed_rows, measured_together["used_model"]) == []


def test_randomness_is_determined_by_the_seed() -> None:
    torch.manual_seed(0)
    model = StochasticModel()
    first = measure(model, keep_config(seed=1), ALL_ROWS)
    torch.rand(7)
    assert differences(first, measure(model, keep_config(seed=1), ALL_ROWS)) == []
    name = "data_conv_input"
    other_seed = measure(model, keep_config(seed=2), [CATALOGUE[name]]).tensors[name]
    assert not close(first.tensors[name][-1], other_seed[-1], 1e-3)


def test_both_passes_of_shift_have_the_same_random_state() -> None:
    """The perturbed pass drops the same units as the plain one."""
    model = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(128, 10))
    name = "shift_conv_input"
    shift = measure(model, keep_config(), [CATALOGUE[name]]).tensors[name][0]
    dropped = (shift == 0).double().mean()
    assert 0.4 < dropped < 0.6
    assert shift.abs().max() < 1.5


def test_measurements_do_not_share_memory_with_the_model() -> None:
    model = NoBatchNorm()
    measured = measure(model, keep_config(), ALL_ROWS)
    copied = copy.deepcopy(measured)
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(7.0)
    assert differences(copied, measured) == []


@pytest.mark.parametrize("switch", [torch.no_grad, torch.inference_mode])
def test_callers_need_not_switch_gradients_on(switch) -> None:
    model = TinyResNet()
    with switch():
        measured = measure(model, keep_config(), ALL_ROWS)
    assert differences(measured, measure(model, keep_config(), ALL_ROWS)) == []


def test_callers_default_dtype_does_not_matter() -> None:
    model = TinyResNet()
    by_default = measure(model, CONFIG, ALL_ROWS)
    torch.set_default_dtype(torch.float64)
    try:
        with_float64 = measure(model, CONFIG, ALL_ROWS)
    finally:
        torch.set_default_dtype(torch.float32)
    assert differences(by_default, with_float64) == []
