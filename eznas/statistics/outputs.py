"""Which of a model's outputs are its logits."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.statistics.graph import Graph
from eznas.statistics.tracing import Tracer

Path = tuple[str, ...]  # of names and positions that lead to an output
USUAL_NAME = "logits"
_DEEPEST = 5  # outputs in outputs


def path_of(output: str) -> Path:
    """The path that a user writes: names and positions between dots, as in 1 or heads.main."""
    return tuple(part.strip() for part in output.split("."))


def choose(result: Any, images: int, tracer: Tracer) -> Path:
    """The path to the logits in what a traced forward on so many images returned.

    A tensor is its own logits, and what is named logits is them. Of several tensors it is the one
    that most layers lead to, and the first of equals: not the features that a head takes, nor an
    auxiliary head. Tensors [images, ...] come before those of other shapes. Raises `InputError`
    where there is no tensor of real or complex numbers.
    """
    tensors = dict(_tensors(result, ()))
    named = [path for path in tensors if path and path[-1] == USUAL_NAME]
    if named:
        return min(named, key=len)
    per_image = {
        path: t for path, t in tensors.items() if t.dim() > 1 and len(t) == images
    } or tensors
    if not per_image:
        raise InputError(f"forward gave a {type(result).__name__}, expected a tensor of logits")
    if len(per_image) == 1:
        return next(iter(per_image))
    layers = {event.node for event in tracer.events["layer"]} - {None}
    depths = {path: _upstream(t, layers) for path, t in per_image.items()}
    return max(depths, key=lambda path: depths[path])  # the first of equals


def at(result: Any, path: Path) -> Tensor:
    """The output [images, ...] at a path, in a type in which numbers can be added up: half
    precision becomes float32, complex numbers their absolute values.

    Raises `InputError` where there is no tensor, and lists those that there are.
    """
    logits: Any = result
    for part in path:
        parts = dict(_children(logits))
        by_position = dict(zip(map(str, range(len(parts))), parts.values(), strict=True))
        logits = parts.get(part, by_position.get(part))
    if not isinstance(logits, Tensor) or not _has_numbers(logits):
        tensors = {path: list(t.shape) for path, t in _tensors(result, ())}
        known = ", ".join(f"{'.'.join(p) or 'the whole'} {s}" for p, s in tensors.items())
        raise InputError(f"output {'.'.join(path)!r}: no such tensor, it gave {known or 'none'}")
    if logits.is_complex():
        return logits.abs()
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def class_scores(logits: Tensor, images: int, axis: int) -> Tensor | None:
    """The logits as [images * positions, classes], each position of an image a row of its own.

    `axis`: that of the classes, where there are positions. A single logit is that of the second of
    two classes, the first one's is 0 (so that their softmax is its sigmoid). None where the logits
    do not have one row for each image.
    """
    if logits.dim() == 0 or len(logits) != images or logits.numel() == 0:
        return None
    if logits.dim() != 2 and logits.numel() == math.prod(logits.shape[:2]):
        logits = logits.reshape(images, -1)  # also of a convolution in place of a linear head
    scores = logits if logits.dim() == 2 else logits.movedim(axis, -1).flatten(0, -2)
    return scores if scores.shape[1] > 1 else F.pad(scores, (1, 0))


def _tensors(result: Any, path: Path) -> Iterator[tuple[Path, Tensor]]:
    """The tensors of real or complex numbers in an output, with their paths."""
    if isinstance(result, Tensor):
        if _has_numbers(result):
            yield path, result
    elif len(path) < _DEEPEST:
        for name, value in _children(result):
            yield from _tensors(value, (*path, name))


def _has_numbers(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _children(result: Any) -> Iterator[tuple[str, Any]]:
    """The parts of an output by name: of a dict, a sequence, a dataclass or another object."""
    if isinstance(result, nn.Module):  # not its parameters
        yield USUAL_NAME, getattr(result, USUAL_NAME, None)
    elif isinstance(result, Mapping):
        yield from ((str(key), value) for key, value in result.items())
    elif isinstance(result, Sequence) and not isinstance(result, str | bytes):
        names = getattr(result, "_fields", range(len(result)))  # of a named tuple
        yield from ((str(name), value) for name, value in zip(names, result, strict=False))
    elif is_dataclass(result) and not isinstance(result, type):
        yield from ((f.name, getattr(result, f.name, None)) for f in fields(result))
    elif isinstance(getattr(result, "__dict__", None), dict):
        yield from vars(result).items()


def _upstream(tensor: Tensor, layers: set[Any]) -> int:
    """How many layers lead to a tensor."""
    return len(layers & Graph.of([tensor.grad_fn]).parents.keys())
