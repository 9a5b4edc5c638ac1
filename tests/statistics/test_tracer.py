"""What the tracer records of each operation, and that it leaves nothing behind."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.spaces import SPACES
from eznas.statistics.catalogue import PATHS
from eznas.statistics.events import ROLES, Event
from eznas.statistics.tracing import Tracer
from tests.reference import TinyResNet
from tests.statistics.wiring import (
    SPECIAL_CELLS,
    OneBlock,
    Wired,
    conv,
    pooled,
    traced,
)

NB201 = SPACES["nasbench201"]


def events(run: Callable[[], object], model: nn.Module | None = None) -> dict[str, list[Event]]:
    """The events by role of what `run` does; blocks are those of the model."""
    tracer = Tracer()
    with tracer.following(nn.Identity() if model is None else model):
        run()
    assert tracer.events.keys() == set(ROLES)
    return tracer.events


X, W, B = torch.randn(2, 4, 9, 9), torch.randn(6, 2, 3, 1), torch.randn(6)


@pytest.mark.parametrize(
    ("call", "bias", "arguments"),
    [
        (
            lambda: F.conv2d(X, W, B, 2, 1, 1, 2),
            True,
            {"stride": 2, "padding": 1, "dilation": 1, "groups": 2},
        ),
        (
            lambda: F.conv2d(X, W, bias=B, stride=(2, 1), groups=2),
            True,
            {"stride": (2, 1), "groups": 2},
        ),
        (
            lambda: F.conv2d(input=X, weight=W, padding="same", groups=2),
            False,
            {"padding": "same", "groups": 2},
        ),
        (
            lambda: torch.conv2d(X, W, None, [1, 1], "valid", [2, 2], 2),
            False,
            {"stride": [1, 1], "padding": "valid", "dilation": [2, 2], "groups": 2},
        ),
    ],
)
def test_a_convolution_by_function(call, bias, arguments) -> None:
    by_role = events(call)
    (event,) = by_role["layer"]
    assert sum(map(len, by_role.values())) == 1
    assert event.weight is W
    assert event.bias is (B if bias else None)
    assert (event.window, event.arguments) == (tuple(W.shape[2:]), arguments)
    assert event.input_shape == tuple(X.shape)
    assert event.output_shape == tuple(call().shape)


@pytest.mark.parametrize("padding", ["same", "valid", 2, (1, 0)])
def test_a_convolution_by_module(padding) -> None:
    module = nn.Conv2d(4, 6, (5, 3), padding=padding, dilation=(1, 2), groups=2, bias=False)
    (event,) = events(lambda: module(X))["layer"]
    pairs = padding if isinstance(padding, str) else nn.modules.utils._pair(padding)
    arguments = {"stride": (1, 1), "padding": pairs, "dilation": (1, 2), "groups": 2}
    assert (event.window, event.arguments) == ((5, 3), arguments)
    assert event.weight is module.weight
    assert event.bias is None


def test_a_convolution_that_pads_by_itself() -> None:
    module = nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular")
    (event,) = events(lambda: module(X))["layer"]
    assert event.input_shape == (2, 4, 11, 11)
    assert event.arguments["padding"] == (0, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w, b: F.linear(x, w, b),
        lambda x, w, b: F.linear(input=x, weight=w, bias=b),
    ],
)
def test_a_linear_layer_by_function(call) -> None:
    x, w, b = torch.randn(2, 5, 4), torch.randn(6, 4), torch.randn(6)
    (event,) = events(lambda: call(x, w, b))["layer"]
    assert event.weight is w
    assert event.bias is b
    assert (event.window, event.arguments) == ((1, 1), {})
    assert (event.input_shape, event.output_shape) == ((2, 5, 4), (2, 5, 6))


def test_a_batch_norm() -> None:
    norm = nn.BatchNorm2d(4, eps=0.5, momentum=0.2).eval()
    (event,) = events(lambda: norm(X))["norm"]
    assert event.weight is norm.weight
    assert event.bias is norm.bias
    assert event.window == (1, 1)
    assert event.arguments["running_mean"] is norm.running_mean
    assert event.arguments["running_var"] is norm.running_var
    options = {k: event.arguments[k] for k in ("training", "momentum", "eps")}
    assert options == {"training": False, "momentum": 0.2, "eps": 0.5}
    (event,) = events(lambda: F.batch_norm(X, None, None, training=True))["norm"]
    assert (event.weight, event.bias, event.arguments["training"]) == (None, None, True)


@pytest.mark.parametrize(
    ("call", "kernel", "side"),
    [
        (nn.AvgPool2d(3, 1, padding=1), (3, 3), 9),
        (nn.MaxPool2d(2), (2, 2), 4),
        (nn.MaxPool2d((4, 3), stride=1), (4, 3), 6),
        (lambda x: F.avg_pool2d(x, 3), (3, 3), 3),
        (lambda x: F.avg_pool2d(x, (5, 5), stride=1), (5, 5), 5),
        (lambda x: F.avg_pool2d(input=x, kernel_size=3, stride=2), (3, 3), 4),
        (lambda x: F.max_pool2d(x, [3, 3]), (3, 3), 3),
        (lambda x: F.max_pool2d(x, kernel_size=3, stride=1, ceil_mode=True), (3, 3), 7),
        (lambda x: torch.max_pool2d(x, 3), (3, 3), 3),
    ],
)
def test_every_spelling_of_a_pooling_is_seen(call, kernel, side) -> None:
    by_role = events(lambda: call(X))
    (event,) = by_role["pool"]
    assert sum(map(len, by_role.values())) == 1
    assert event.window == kernel
    assert event.input_shape == tuple(X.shape)
    assert event.output_shape[:3] == (2, 4, side)
    model = Wired(lambda x, a, head: head(pooled(call(a(x)))), a=conv(3), head=nn.Linear(4, 10))
    longest = traced(model, PATHS).paths.largest  # convolutions, poolings, ...
    assert longest[:2] == (1.0, 1.0)


@pytest.mark.parametrize(
    "call",
    [
        nn.AdaptiveAvgPool2d(1),
        lambda x: x.mean((2, 3)),
        lambda x: F.interpolate(x, scale_factor=2.0),
        lambda x: F.pixel_unshuffle(x[..., :8, :8], 2),
    ],
)
def test_operations_that_are_no_poolings(call) -> None:
    """Operations without a window."""
    assert events(lambda: call(X))["pool"] == []


def test_activations_of_parameters_are_not_traced() -> None:
    """An activation of a number or a vector has no units for each image."""

    class Scaled(TinyResNet):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.shift = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(10))

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * F.softplus(self.scale) + F.relu(self.shift)

    assert traced(Scaled()).along("activations") == traced(TinyResNet()).along("activations")


def hooks_of(model: nn.Module) -> list[dict[str, object]]:
    """Copies of the registries of hooks of every module."""
    return [
        {k: copy.copy(v) for k, v in vars(module).items() if k.endswith(("hooks", "kwargs"))}
        for module in model.modules()
    ]


@pytest.mark.parametrize("cut_blocks", [False, True])
def test_following_removes_its_hooks(cut_blocks: bool) -> None:
    model = NB201.build(SPECIAL_CELLS[3])
    model.stage1[0].register_forward_hook(lambda *_: None)
    hooks = hooks_of(model)
    tracer = Tracer(cut_blocks=cut_blocks)
    with tracer.following(model):
        assert hooks_of(model) != hooks
        model(torch.randn(2, 3, 8, 8))
    assert hooks_of(model) == hooks
    recorded = len(tracer.events["block"])
    model(torch.randn(2, 3, 8, 8))
    assert len(tracer.events["block"]) == recorded == 18
    assert torch.overrides._get_current_function_mode() is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_following_removes_its_hooks_after_a_failure(error) -> None:
    def wiring(x, a, b, head):
        return head(b(a(x)))

    def fail(x):
        raise error

    failing = Wired(lambda x, c, d: d(fail(c(x))), c=conv(), d=conv())
    model = Wired(wiring, a=conv(3), b=failing, head=conv())
    hooks = hooks_of(model)
    tracer = Tracer()
    with pytest.raises(error), tracer.following(model):
        model(torch.randn(2, 3, 8, 8))
    assert hooks_of(model) == hooks
    assert (len(tracer.events["block"]), len(tracer.events["layer"])) == (1, 2)
    assert tracer.visit_error is None
    assert torch.overrides._get_current_function_mode() is None


def test_an_exception_of_visit_is_remembered() -> None:
    error = ZeroDivisionError("visit")

    def visit(role, index, slot, tensor):
        if role == "block":
            raise error

    model, tracer = OneBlock(conv(3), conv()), Tracer(visit)
    hooks = hooks_of(model)
    with pytest.raises(ZeroDivisionError, match="visit"), tracer.following(model):
        model(torch.randn(2, 3, 8, 8))
    assert tracer.visit_error is error
    assert hooks_of(model) == hooks


def test_sites_are_shown_in_the_order_in_which_they_are_reached() -> None:
    shown = []
    model = Wired(
        lambda x, a: F.max_pool2d(F.relu(a(x)), 2), a=OneBlock(conv(3), nn.BatchNorm2d(4))
    )
    tracer = Tracer(lambda role, index, slot, tensor: shown.append((role, index, slot)))
    with tracer.following(nn.Sequential(model, conv())):
        model(torch.randn(2, 3, 8, 8))
    assert shown == [
        *(("layer", 0, slot) for slot in ("input", "output", "weight")),
        *(("norm", 0, slot) for slot in ("input", "output")),
        *(("activation", 0, slot) for slot in ("input", "output")),
        *(("pool", 0, slot) for slot in ("input", "output")),
        *(("block", 0, slot) for slot in ("input", "output")),
    ]


@pytest.mark.parametrize("inplace", [False, True])
def test_cut_blocks_pass_on_values_but_no_gradients(inplace: bool) -> None:
    """Also into a block that begins by changing its input in place."""
    first = nn.Sequential(conv(3), nn.ReLU(inplace=inplace))
    model = nn.Sequential(
        first, OneBlock(nn.ReLU(inplace=inplace), conv()), OneBlock(conv(), conv())
    )
    shown: dict[tuple[int, str], Tensor] = {}

    def visit(role, index, slot, tensor):
        if role == "block":
            shown[index, slot] = tensor

    image = torch.randn(2, 3, 8, 8, requires_grad=True)
    with (tracer := Tracer(visit, cut_blocks=True)).following(model):
        y = model(image.clone())
    assert torch.equal(y, model(image.clone()))
    assert len(tracer.events["block"]) == 3
    y.sum().backward()
    assert image.grad is None
    has_gradient = [p.grad is not None for p in model.parameters()]
    assert has_gradient == [False] * 4 + [True] * 4
    for index in range(3):
        assert shown[index, "input"].is_leaf
        assert (shown[index, "input"].grad is not None) == (index == 2)
