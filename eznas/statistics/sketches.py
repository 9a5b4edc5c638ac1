"""What a statistic keeps of a captured tensor: the tensor itself, or a sketch of it."""

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import Statistic
from eznas.statistics.tracing import Event, both

PORTION = 4  # images unfolded at a time: more fall out of cache
_BITS = 62  # of one code: what an int64 holds without its sign


def condense(row: Statistic, parts: Sequence[Tensor]) -> Tensor:
    """What the row keeps of the tensor (or of a value and its gradient)."""
    if row.sketch in _OWN:
        return _OWN[row.sketch](*parts)
    shaped = [_as(row, t) for t in parts]
    if not row.sketch:
        return shaped[0].clone(memory_format=torch.contiguous_format)
    found: Tensor = PRIMITIVES[row.sketch].function(*(t[None] for t in shaped))[0]
    return found


def contributions(x: Tensor, gradient: Tensor, event: Event) -> Tensor:
    """Each image's part in the gradient of a layer's weight: [images, out, in, kh, kw].

    `x` is the layer's input, `gradient` that at its output. The parts add up to the gradient.
    """
    assert event.weight is not None
    shape = (*event.weight.shape, 1, 1)[:4]
    if event.weight.dim() == 2:
        below, above = (t.flatten(1, -2) if t.dim() > 2 else t[:, None] for t in (x, gradient))
        return (above.mT @ below).reshape(len(x), *shape)
    x, padding = _padded(x, event)
    given = {k: both(event.geometry.get(k, 1)) for k in ("stride", "dilation")}
    groups = event.geometry.get("groups", 1)
    parts = []
    for start in range(0, len(x), PORTION):
        some = slice(start, start + PORTION)
        columns = F.unfold(x[some], shape[2:], padding=padding, **given)
        below, above = (
            t.reshape(len(t), groups, -1, columns.shape[2]) for t in (columns, gradient[some])
        )
        parts.append(above @ below.mT)
    return torch.cat(parts).reshape(len(x), *shape)


def distinct(codes: Iterable[Tensor]) -> float:
    """How many different codes there are among those of all activations."""
    together = torch.cat(list(codes), 1)
    if len(together) == 1:  # as numbers they are sorted ten times faster than as columns
        return float(len(torch.unique(together[0])))
    return float(torch.unique(together, dim=1).shape[1])


def _codes(x: Tensor) -> Tensor:
    """For each unit the images at which it is positive, as bits of int64 [words, units]."""
    on = (x > 0).flatten(1).long()
    words = [on[i : i + _BITS] for i in range(0, len(on), _BITS)]
    return torch.stack(
        [(w << torch.arange(len(w), device=w.device)[:, None]).sum(0) for w in words]
    )


def _transfer(gradient: Tensor, signs: Tensor) -> Tensor:
    """From output to input channels, averaged over images and positions (Lee & Ham, 2024).

    `gradient` at the input, [images, channels, height, width], of random `signs` at the output;
    where the output is smaller, a patch of the input counts as channels of one position.
    """
    patched = F.pixel_unshuffle(gradient, gradient.shape[-1] // signs.shape[-1])
    below, above = (t.movedim(1, -1).flatten(0, 2).double() for t in (patched, signs))
    return below.mT @ above / len(below)


_OWN: dict[str, Callable[..., Tensor]] = {
    "codes": _codes,
    "image_signs": lambda parts: parts.sign().sum(0),
    "image_std": lambda parts: (parts - parts.mean(0)).square_().mean(0).sqrt_(),
    "transfer": _transfer,
}


def _padded(x: Tensor, event: Event) -> tuple[Tensor, tuple[int, int]]:
    """The input and the padding that is left to do: "same" may pad one side more."""
    assert event.weight is not None
    padding = event.geometry.get("padding", 0)
    if not isinstance(padding, str):
        return x, both(padding)
    if padding == "valid":
        return x, (0, 0)
    steps = both(event.geometry.get("dilation", 1))
    total = [d * (k - 1) for d, k in zip(steps, event.weight.shape[2:], strict=True)]
    sides = [(t // 2, t - t // 2) for t in total]
    return F.pad(x, (*sides[1], *sides[0])), (0, 0)


def _as(row: Statistic, tensor: Tensor) -> Tensor:
    """Weights as [out, in, kh, kw]; features as [batch, channels, height, width]; the image as
    [batch, pixels]."""
    if row.site == "image":
        return tensor.flatten(1)
    if tensor.dim() == 3 and row.site != "weight":  # tokens: [batch, tokens, channels]
        tensor = tensor.mT
    return tensor.reshape(tensor.shape + (1,) * (4 - tensor.dim()))
