"""A measurement leaves the model, the images and torch exactly as they were."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.measuring import measure
from tests.reference import NoBatchNorm
from tests.statistics.measurements import (
    ALL_ROWS,
    CONFIG,
    StochasticModel,
    differences,
    keep_config,
    rows_of,
    used_model,
)

PASSES = sorted({row.excitation for row in ALL_ROWS})


def state(model: nn.Module) -> dict[str, object]:
    """All attributes, parameters and buffers of a model by name; tensors are copied."""
    contents: dict[str, object] = {}
    for prefix, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules"):
                contents[f"{prefix}/{name}"] = copy.copy(value)
    for name, p in model.named_parameters():
        gradient = None if p.grad is None else p.grad.clone()
        contents[name] = (
            id(p),
            p.detach().clone(),
            p.requires_grad,
            id(p.grad),
            gradient,
            p.is_leaf,
        )
    for name, b in model.named_buffers():
        contents[name] = (id(b), b.clone(), b._version)
    return contents


def equal(a: object, b: object) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def used_stochastic() -> StochasticModel:
    """A `StochasticModel` in the middle of a training, with hooks and partly frozen."""
    torch.manual_seed(0)
    model = StochasticModel()
    model.train()
    model(torch.randn(4, 3, 8, 8)).sum().backward()
    model.last_features = torch.zeros(1)
    model.detached.eval()
    model.norm.requires_grad_(False)
    model.norm.weight.grad = None
    model.head.bias.grad = None
    model.register_forward_hook(lambda *_: None)
    model.head.register_full_backward_hook(lambda *_: None)
    model.stem.register_forward_pre_hook(lambda *_: None)
    return model


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Assert that the model, the images and the global state of torch are the same at the end."""
    before, random_state = state(model), torch.get_rng_state()
    pixels = CONFIG.images.pixels.clone()
    yield
    after = state(model)
    assert before.keys() == after.keys()
    assert [name for name in before if not equal(before[name], after[name])] == []
    assert torch.equal(pixels, CONFIG.images.pixels)
    assert not CONFIG.images.pixels.requires_grad
    assert torch.equal(random_state, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    F.relu(torch.ones(2, 2))  # a tracer that was still active would record this
    assert torch.overrides._get_current_function_mode() is None


@pytest.mark.parametrize("initialisation", ["keep", "kaiming"])
def test_the_model_is_left_as_it_was(initialisation) -> None:
    model = used_stochastic()
    with untouched(model):
        measure(model, replace(CONFIG, initialisation=initialisation), ALL_ROWS)


def test_the_model_is_left_as_it_was_by_a_failure() -> None:
    model = used_stochastic()
    model.head = nn.Linear(5, 10)
    with untouched(model), pytest.raises(InputError):
        measure(model, CONFIG, ALL_ROWS)


@pytest.mark.parametrize(("probe", "batch"), PASSES)
@pytest.mark.parametrize("initialisation", ["keep", "kaiming"])
def test_every_pass_leaves_the_model_as_it_was(probe, batch, initialisation) -> None:
    model = used_model()
    with untouched(model):
        measure(model, replace(CONFIG, initialisation=initialisation), rows_of(probe, batch))


@pytest.mark.parametrize(("probe", "batch"), [p for p in PASSES if p[0] != "structure"])
def test_a_pass_that_fails_in_a_block_leaves_the_model_as_it_was(probe, batch) -> None:
    """The tracing pass runs both blocks; after it the first or second block fails, in the first
    pass of the probe or, where it has two, in the second."""
    passes = 2 if probe in ("shift", "zen") else 1
    for runs in range(2, 2 + 2 * passes):
        model = used_model(runs_left=runs)
        with untouched(model), pytest.raises(InputError, match=r"forward failed .*: burnt"):
            measure(model, keep_config(), rows_of(probe, batch))
    measure(used_model(runs_left=2 + 2 * passes), keep_config(), rows_of(probe, batch))


class Tied(nn.Module):
    """A module under two names, a weight in two modules, and a forward that adds attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        shared = nn.Sequential(nn.Conv2d(4, 4, 1), self.norm, nn.ReLU(inplace=True))
        self.first, self.second, self.third = shared, shared, nn.Conv2d(4, 4, 1, bias=False)
        self.third.weight = shared[0].weight
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        self.added = nn.Identity()
        self.register_buffer("mean", x.mean().detach())
        x = self.third(self.second(self.first(self.norm(self.stem(x)))))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("initialisation", ["keep", "kaiming"])
def test_tied_modules_and_weights_are_left_as_they_were(initialisation) -> None:
    torch.manual_seed(0)
    model = Tied()
    names = [*model.state_dict()]
    with untouched(model):
        measured = measure(model, replace(CONFIG, initialisation=initialisation), ALL_ROWS)
    assert [*model.state_dict()] == names
    assert model.first is model.second
    assert model.third.weight is model.first[0].weight
    assert all(p.is_leaf for p in model.parameters())
    weights = measured.tensors["weight"]
    assert [weight is None for weight in weights[1:4]] == [False, True, True]  # it counts once
    measured_again = measure(model, replace(CONFIG, initialisation=initialisation), ALL_ROWS)
    assert differences(measured, measured_again) == []


def test_structure_rows_need_the_tracing_pass_only() -> None:
    """A second pass would fail."""
    model = used_model(runs_left=2)
    with untouched(model):
        measured = measure(
            model, keep_config(), [row for row in ALL_ROWS if row.probe == "structure"]
        )
    assert len(measured.structure.along("blocks")) == 3


def test_parameters_changed_in_place_by_the_forward_stay() -> None:
    """Some models constrain the norm of their weights like this."""

    class Clamped(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                self.conv.weight.clamp_(-0.01, 0.01)
            return super().forward(x)

    model = Clamped()
    weight = model.conv.weight.detach().clone()
    measured = measure(model, keep_config(), [CATALOGUE["weight"]]).tensors["weight"]
    assert torch.equal(weight, model.conv.weight)
    assert measured[0].abs().max() <= 0.01
