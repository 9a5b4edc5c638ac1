"""What the tracer records: operations that ran, each with its role."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch.nn.functional as F
from torch import Tensor

ROLES = ("layer", "activation", "norm", "pool", "block")
PRODUCTS = ("matmul", "__matmul__", "mm")  # layers where the second argument is a weight [in, out]
_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
_TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
ROLE_OF_FUNCTION = {
    **dict.fromkeys((*_CONVOLUTIONS, *_TRANSPOSED, "linear"), "layer"),
    "batch_norm": "norm",
    **dict.fromkeys(
        (f"{kind}_pool{axes}d" for kind in ("avg", "max") for axes in (1, 2, 3)), "pool"
    ),
} | dict.fromkeys(
    (
        *("relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "selu_"),
        *("celu", "gelu", "silu", "mish", "hardtanh", "hardswish", "softplus", "prelu"),
        *("celu_", "rrelu", "rrelu_", "hardtanh_"),
    ),
    "activation",
)
_POSITIONAL = {  # names of the arguments after the input, in the order in which torch takes them
    "layer": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "transposed": (
        *("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
    ),
    "norm": ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "pool": ("kernel_size",),
}


@dataclass
class Event:
    """One traced operation.

    `source` and `node` are the autograd functions of its input and output, None for constants;
    the shapes include the batch; `window`: height and width of the window of a convolution or
    pooling, in positions (as many numbers as it has axes); `arguments`: what else was passed to it
    (stride, running_mean, ...); `function`: the function of torch, None for what is none; `call`:
    the number of its call in the pass; `from_image`: whether its input depends on the image;
    `weight_key`: equal for events that use the same weight.
    """

    role: str
    source: Any
    node: Any
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight: Tensor | None = None
    bias: Tensor | None = None
    window: tuple[int, ...] = (1, 1)
    arguments: dict[str, Any] = field(default_factory=dict)
    function: Callable[..., Any] | None = None
    call: int = -1
    from_image: bool = True
    weight_key: object = None

    @property
    def name(self) -> str:
        """The name of the function, as in conv2d; "" where there is none."""
        return str(getattr(self.function, "__name__", ""))

    @property
    def transposed(self) -> bool:
        """Whether it is a transposed convolution: its weight is applied at each input position."""
        return self.name in _TRANSPOSED

    @property
    def is_convolution(self) -> bool:
        """Whether it is a convolution, transposed ones included."""
        return self.transposed or self.name in _CONVOLUTIONS

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """The shape of the weight as [out, in, *kernel], whatever its order in memory."""
        assert self.weight is not None
        first, second, *kernel = self.weight.shape
        groups = int(self.arguments.get("groups", 1))
        if self.transposed:
            return second * groups, first // groups, *kernel
        return (second, first) if self.name in PRODUCTS else (first, second, *kernel)

    @property
    def channel_axis(self) -> int:
        """The axis of channels in a layer's input and output."""
        return 1 if self.is_convolution else -1

    @property
    def positions(self) -> int:
        """At how many positions of the whole batch the weight of a layer is applied."""
        if self.transposed:
            return math.prod(self.input_shape) // self.input_shape[self._channels(self.input_shape)]
        return math.prod(self.output_shape) // self.weight_shape[0]

    def ordered(self, weight: Tensor) -> Tensor:
        """The weight, or a tensor of its shape such as its gradient, as [out, in, *kernel]."""
        if self.transposed:
            groups = int(self.arguments.get("groups", 1))
            split = weight.reshape(groups, -1, *weight.shape[1:])
            by_group = split.transpose(1, 2)  # [groups, out, in, *kernel]
            return by_group.flatten(0, 1)
        return weight.mT if self.name in PRODUCTS else weight

    def _channels(self, shape: Sequence[int]) -> int:
        """The axis of channels in a shape that may lack the batch."""
        assert self.weight is not None
        return len(shape) - (self.weight.dim() - 2) - 1


def operands(
    role: str, function: Callable[..., Any], rest: Sequence[Any], options: dict[str, Any]
) -> dict[str, Any]:
    """By name, the arguments of a traced operation after its input."""
    name = str(getattr(function, "__name__", ""))
    names = _POSITIONAL.get("transposed" if name in _TRANSPOSED else role, ())
    return dict(zip(names, rest, strict=False)) | options


def window(function: Callable[..., Any], arguments: dict[str, Any]) -> tuple[int, ...]:
    """The sides of the window of a convolution or pooling; 1 and 1 for everything else."""
    weight = arguments.get("weight")
    if "kernel_size" in arguments:
        axes = int(str(getattr(function, "__name__", "_pool2d"))[-2])
        return sides(arguments["kernel_size"], axes)
    if isinstance(weight, Tensor) and weight.dim() > 2:
        return sides(weight.shape[2:], weight.dim() - 2)
    return 1, 1


def sides(size: int | Sequence[int], axes: int = 2) -> tuple[int, ...]:
    """One number for each axis (height and width, say) from an argument of torch in which one
    number may stand for all."""
    numbers = (size,) if isinstance(size, int) else tuple(size)
    return tuple(map(int, numbers if len(numbers) == axes else numbers[-1:] * axes))


def one_weight(event: Event, x: Tensor, weight: Tensor) -> Tensor:
    """The output [batch, channels, ...] of a layer without its bias, for an input [batch, channels,
    ...] and a weight in one group, in the layer's own order of axes."""
    if not event.is_convolution:
        return x @ event.ordered(weight).mT if event.name in PRODUCTS else F.linear(x, weight)
    assert event.function is not None
    options = {name: v for name, v in event.arguments.items() if name != "groups"}
    result: Tensor = event.function(x, weight, **options)
    return result
