"""What a network costs: its parameters, multiply-adds and the seconds of a forward pass."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from eznas.statistics.events import Event
from eznas.statistics.surroundings import own_surroundings
from eznas.statistics.tracing import Tracer

RUNS = 3  # of a timed forward pass: the fastest counts


def params_and_flops(model: nn.Module, side: int) -> tuple[int, int]:
    """Parameters of a model, and multiply-adds of its convolutions and linear layers for one image
    [3, side, side]: the values of the proxies `params` and `flops`.

    The model is left as it was.
    """
    tracer = Tracer()
    with own_surroundings(), _as_used(model), tracer.following(model):
        model(torch.zeros(1, 3, side, side))
    params = sum(parameter.numel() for parameter in model.parameters())
    return params, sum(map(_multiply_adds, tracer.events["layer"]))


def forward_seconds(model: nn.Module, side: int, images: int = 1) -> float:
    """Seconds of one forward pass on a batch [images, 3, side, side], on one thread: the fastest of
    `RUNS` passes after a first one that is not timed.

    The model is left as it was.
    """
    with own_surroundings(), _as_used(model):
        batch = torch.zeros(images, 3, side, side)
        model(batch)
        return min(_timed(model, batch) for _ in range(RUNS))


def _timed(model: nn.Module, batch: torch.Tensor) -> float:
    start_time = time.perf_counter()
    model(batch)
    return time.perf_counter() - start_time


def _multiply_adds(event: Event) -> int:
    """Multiply-adds of a layer on a batch: its weights times the positions where they are used."""
    return 0 if event.weight is None else event.weight.numel() * event.positions


@contextmanager
def _as_used(model: nn.Module) -> Iterator[None]:
    """One thread, no gradients, and the model in evaluation mode, as trained networks are used."""
    modes = {module: module.training for module in model.modules()}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(threads)
        for module, mode in modes.items():
            module.training = mode
