"""Layers that run in train mode alone, as auxiliary heads do."""

import types
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from eznas.errors import InputError
from eznas.statistics.traced_model import TracedModel
from eznas.statistics.tracing import Tracer

SHOWN = 3  # names of layers in a note


def note_on_train_mode(model: TracedModel, tracer: Tracer) -> str:
    """A line on the layers that the tracing pass met and a pass in evaluation mode does not; ""
    where there are none.

    Only a model whose code reads the mode is run once more.
    """
    if not any(map(_reads_mode, model.module.modules())):
        return ""
    evaluating = Tracer(record=True)
    try:
        with torch.no_grad():
            inputs = model.as_input(model.config.noise(1))
            replace(model, evaluation=True).forward(inputs, evaluating)
    except InputError:
        return ""
    used = _layers(evaluating)
    names = [name for name in _layers(tracer) if name not in used]
    if not names:
        return ""
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "")
    return f"counted, though they run in train mode alone, in which networks are measured: {shown}"


def _layers(tracer: Tracer) -> dict[str, None]:
    """The names of the modules whose parameters are the weights of layers, in running order."""
    data = tracer.dataflow
    assert data is not None
    weights = [event.weight for event in tracer.events["layer"] if event.weight is not None]
    names = (name for weight in weights for name in sorted(data.value(weight).parameters))
    return dict.fromkeys(name.rpartition(".")[0] or name for name in names)


def _reads_mode(module: nn.Module) -> bool:
    """Whether the code of a module that is not torch's own asks for its mode."""
    for base in type(module).__mro__:
        if base.__module__.startswith("torch.") or base is object:
            continue
        functions = [f for f in vars(base).values() if isinstance(f, types.FunctionType)]
        if any("training" in names for f in functions for names in _names(f.__code__)):
            return True
    return False


def _names(code: types.CodeType) -> Iterator[tuple[str, ...]]:
    """The names that a function's code and the functions in it read."""
    yield code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
