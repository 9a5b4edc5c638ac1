"""What is stored of a measured tensor: the tensor itself or a sketch of it."""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from eznas.primitives import PRIMITIVES
from eznas.statistics.events import Event, sides
from eznas.statistics.statistic import Statistic

IMAGES_AT_A_TIME = 4  # images unfolded together: more do not fit into the processor's cache
_BITS = 62  # of a pattern in one integer: what an int64 holds without its sign


def condense(row: Statistic, tensors: Sequence[Tensor]) -> Tensor:
    """What the row stores of a tensor (or of a value and its gradient, see `with_value`).

    The tensors are those of one site, [batch, ...] or a weight; the result is one row of the
    statistic's type, a copy that is contiguous where the row has no sketch.
    """
    if row.sketch in SKETCHES:
        return SKETCHES[row.sketch](*tensors)
    shaped = [_shaped(row, tensor) for tensor in tensors]
    if not row.sketch:
        return shaped[0].clone(memory_format=torch.contiguous_format)
    sketch: Tensor = PRIMITIVES[row.sketch].function(*(tensor[None] for tensor in shaped))[0]
    return sketch


def readable(tensor: Tensor) -> Tensor:
    """A tensor [...] in a type that all sketches take: half precision as float32, complex numbers
    as their absolute values."""
    if tensor.is_complex():
        return tensor.abs()
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def per_image_gradients(x: Tensor, gradient: Tensor, event: Event) -> Tensor:
    """Each image's contribution to the gradient of a layer's weight: [images, out, in, kh, kw].

    `x` [images, ...] is the layer's input, `gradient` that at its output; the contributions add up
    to the gradient at the weight.
    """
    assert event.weight is not None
    if event.is_convolution and event.name != "conv2d":
        return torch.stack(
            [_one_image_gradient(x[i : i + 1], gradient[i : i + 1], event) for i in range(len(x))]
        )
    shape = (*event.weight_shape, 1, 1)[:4]
    if event.weight.dim() == 2:
        inputs, gradients = (t.flatten(1, -2) if t.dim() > 2 else t[:, None] for t in (x, gradient))
        return (gradients.mT @ inputs).reshape(len(x), *shape)
    x, padding = _padded(x, event)
    options = {k: sides(event.arguments.get(k, 1)) for k in ("stride", "dilation")}
    groups = event.arguments.get("groups", 1)
    contributions = []
    for start in range(0, len(x), IMAGES_AT_A_TIME):
        portion = slice(start, start + IMAGES_AT_A_TIME)
        patches = F.unfold(x[portion], shape[2:], padding=padding, **options)
        inputs, gradients = (
            t.reshape(len(t), groups, -1, patches.shape[2]) for t in (patches, gradient[portion])
        )
        contributions.append(gradients @ inputs.mT)
    return torch.cat(contributions).reshape(len(x), *shape)


def _one_image_gradient(x: Tensor, gradient: Tensor, event: Event) -> Tensor:
    """The gradient of a convolution's weight, as [out, in, kh, kw], for a batch of one image."""
    assert event.weight is not None
    assert event.function is not None
    weight = event.weight.detach().requires_grad_()
    with torch.enable_grad():
        y = event.function(x.detach(), weight, **event.arguments)
    (of_weight,) = torch.autograd.grad(y, [weight], gradient)
    return with_four_axes(event.ordered(of_weight))


def with_four_axes(tensor: Tensor) -> Tensor:
    """A weight [out, in, *kernel], or maps [batch, channels, *positions], with two axes of kernel
    or positions: missing ones have length 1, and what is beyond is joined to the last."""
    if tensor.dim() > 4:
        return tensor.flatten(3)
    return tensor.reshape(tensor.shape + (1,) * (4 - tensor.dim()))


def as_maps(x: Tensor, channel_axis: int) -> Tensor:
    """Maps [batch, *, channels, *] with the channels after the batch; three axes with the channels
    last are tokens, which stay."""
    if channel_axis == -1 and x.dim() > 3:
        return x.movedim(-1, 1)
    return x[..., None] if channel_axis == 1 and x.dim() == 3 else x


def count_patterns(codes: Iterable[Tensor]) -> float:
    """The number of different columns in int64 tensors [integers, units], as `_codes` gives them;
    the same column in two tensors counts once."""
    columns = torch.cat(list(codes), 1)
    if len(columns) == 1:  # single integers are sorted ten times faster than columns
        return float(len(torch.unique(columns[0])))
    return float(torch.unique(columns, dim=1).shape[1])


def _codes(x: Tensor) -> Tensor:
    """For each unit the images at which it is positive, as bits of int64 [integers, units]."""
    on = (x > 0).flatten(1).long()
    portions = [on[i : i + _BITS] for i in range(0, len(on), _BITS)]
    return torch.stack(
        [(p << torch.arange(len(p), device=p.device)[:, None]).sum(0) for p in portions]
    )


def _transfer(gradient: Tensor, signs: Tensor) -> Tensor:
    """From output to input channels, averaged over images and positions (Lee & Ham, 2024).

    `gradient` at the input, [images, channels, height, width], of random `signs` at the output;
    where the output is smaller, a patch of the input counts as channels of one position.
    """
    patches = F.pixel_unshuffle(gradient, gradient.shape[-1] // signs.shape[-1])
    inputs, outputs = (t.movedim(1, -1).flatten(0, 2).double() for t in (patches, signs))
    return inputs.mT @ outputs / len(inputs)


SKETCHES: dict[str, Callable[..., Tensor]] = {  # those that are no primitives of the language
    "codes": _codes,
    "image_signs": lambda gradients: gradients.sign().sum(0),
    "image_std": lambda gradients: (gradients - gradients.mean(0)).square_().mean(0).sqrt_(),
    "transfer": _transfer,
}


def _padded(x: Tensor, event: Event) -> tuple[Tensor, tuple[int, int]]:
    """The input, padded where padding is "same" (which may pad one side more), and the padding
    of height and width that remains to be done."""
    assert event.weight is not None
    padding = event.arguments.get("padding", 0)
    if not isinstance(padding, str):
        height, width = sides(padding)
        return x, (height, width)
    if padding == "valid":
        return x, (0, 0)
    dilation = sides(event.arguments.get("dilation", 1))
    totals = [d * (k - 1) for d, k in zip(dilation, event.weight.shape[2:], strict=True)]
    vertical, horizontal = ((total // 2, total - total // 2) for total in totals)
    return F.pad(x, (*horizontal, *vertical)), (0, 0)


def _shaped(row: Statistic, tensor: Tensor) -> Tensor:
    """A weight as [out, in, kh, kw], maps as [batch, channels, height, width], the image as
    [batch, pixels]."""
    if row.site == "image":
        return tensor.flatten(1)
    if tensor.dim() == 3 and row.site != "weight":  # tokens: [batch, tokens, channels]
        tensor = tensor.mT
    return with_four_axes(tensor)
