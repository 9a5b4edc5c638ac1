"""A stranger's model on loan: without its wrappers, in train mode, and given back as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from eznas.errors import InputError
from eznas.statistics.snapshot import Snapshot

T = TypeVar("T")
_WRAPPERS = {  # class -> the attribute that holds the model inside
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",  # of torch.compile
    "_FabricModule": "_forward_module",  # of Lightning
}


@contextmanager
def lent(model: nn.Module) -> Iterator[tuple[nn.Module, Snapshot]]:
    """The model inside its wrappers, in train mode, and its state there, to which every pass
    returns. At the end the caller's model is as it was.

    Raises `InputError` for something else than a module, for one with layers whose sizes are not
    known yet or whose parameters cannot be exchanged, and if it cannot be put into train mode.
    """
    inner = attempt(model, "cannot be read", lambda: _readable(model))
    modules = list(inner.modules())
    is_usual = not any(map(_has_mode_of_its_own, modules)) and not any(map(_inside, modules))
    modes = [(module, module.training) for module in modules] if is_usual else []
    before = None if is_usual else attempt(model, "cannot be read", lambda: Snapshot(model))
    try:
        for module in () if is_usual else modules:
            for name, child in module._modules.items():
                module._modules[name] = None if child is None else unwrapped(child)
        attempt(inner, "train() failed", inner.train)
        state = attempt(inner, "cannot be read", lambda: Snapshot(inner))
        try:
            yield inner, state
        finally:
            state.restore()
    finally:
        for module, mode in modes:
            vars(module)["training"] = mode
        if before is not None:
            before.restore()


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside wrappers that spread it over devices or compile it."""
    while (inner := _inside(model)) is not None:
        model = inner
    return model


def attempt(model: Any, problem: str, step: Callable[[], T]) -> T:
    """The result of a step that runs a stranger's code: whatever that raises is an `InputError`
    that names the model, the problem and the first line of its message."""
    try:
        return step()
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # a script's code may end the process
        raise InputError(f"model {name_of(model)}: {problem}: {first_line(error)}") from error


def name_of(model: Any) -> str:
    """The name of a model's class."""
    return type(model).__name__


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _readable(model: Any) -> nn.Module:
    """The model inside its wrappers, if its parameters can be exchanged."""
    if not isinstance(model, nn.Module):
        expected = "expected a model (a torch.nn.Module)"
        if isinstance(model, type):
            raise InputError(f"model: {expected}, got the class {model.__name__}")
        raise InputError(f"model: {expected}, got a {name_of(model)}")
    inner = unwrapped(model)
    for module in inner.modules():
        held = [*module._parameters.values(), *module._buffers.values()]
        if any(tensor is not None and is_lazy(tensor) for tensor in held):
            advice = "run it once on an input before it is scored"
            raise InputError(f"model {name_of(inner)}: its lazy layers have no sizes yet; {advice}")
        if held and isinstance(module, torch.jit.ScriptModule):
            problem = "a scripted part keeps its parameters; score it before torch.jit compiles it"
            raise InputError(f"model {name_of(inner)}: {problem}")
    return inner


def _inside(model: nn.Module) -> nn.Module | None:
    """The module that a wrapper holds; None for a module that is none."""
    for kind in type(model).__mro__:
        inner = (
            getattr(model, _WRAPPERS[kind.__name__], None) if kind.__name__ in _WRAPPERS else None
        )
        if isinstance(inner, nn.Module):
            return inner
    return None


def _has_mode_of_its_own(module: nn.Module) -> bool:
    """Whether `train` and `eval` do more than to set the mode."""
    names = vars(module).keys() & {"train", "eval"}
    kind = type(module)
    return bool(names) or kind.train is not nn.Module.train or kind.eval is not nn.Module.eval
