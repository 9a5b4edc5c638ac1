"""What surrounds a pass over a stranger's model: the modes of torch, checkpoints, random numbers.

Whatever the caller has set around the call stays out, so that a score depends on the model alone;
at the end all is as it was.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.utils.checkpoint as checkpoints
from torch import Tensor
from torch.overrides import TorchFunctionMode

from eznas.statistics.arrays import numpy


@contextmanager
def own_surroundings(device: str | torch.device = "cpu", host: str = "cpu") -> Iterator[None]:
    """Gradients are recorded, and the caller's modes are left outside: autocast (on the `host`
    and the `device`), inference mode, default device, function and dispatch modes, hooks of saved
    tensors, and another default type than float32."""
    with ExitStack() as stack:
        stack.enter_context(_without_function_modes())  # a default device is one of them
        if torch._C._len_torch_dispatch_stack():
            from torch.utils._python_dispatch import _disable_current_modes  # slow to import

            stack.enter_context(_disable_current_modes())
        for device_type in {host, torch.device(device).type}:
            if torch.is_autocast_enabled(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(default_type(torch.float32))
        if torch._C._autograd._top_saved_tensors_default_hooks(True) is not None:
            stack.enter_context(torch.autograd.graph.saved_tensors_hooks(_itself, _itself))
        yield


@contextmanager
def default_type(dtype: torch.dtype) -> Iterator[None]:
    """What a model makes in its forward without a type has this one. The setting is the whole
    process's: it is not touched where it is so already."""
    previous = torch.get_default_dtype()
    if previous != dtype:
        torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        if previous != dtype:
            torch.set_default_dtype(previous)


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """The global random states of Python, numpy and torch, on a device too, set by the seed."""
    cuda_devices = [] if device is None else [device] if device.type == "cuda" else []
    python_state = random.getstate()
    numpy_state = None if numpy is None else numpy.random.get_state()
    try:
        with torch.random.fork_rng(devices=cuda_devices):
            random.seed(seed)
            if numpy is not None:
                numpy.random.seed(seed)
            torch.default_generator.manual_seed(seed)
            for cuda_device in cuda_devices:
                torch.cuda.default_generators[cuda_device.index].manual_seed(seed)
            yield
    finally:
        random.setstate(python_state)
        if numpy is not None:
            numpy.random.set_state(numpy_state)


class _Switch(threading.local):
    """Whether this thread runs without checkpoints."""

    without_checkpoints = False


_switch = _Switch()
_lock, _users = threading.Lock(), 0
_reentrant, _other = checkpoints.CheckpointFunction, "_checkpoint_without_reentrant_generator"
_generator: Any = getattr(checkpoints, _other)


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """What `torch.utils.checkpoint` wraps runs once, and keeps its tensors.

    A checkpointed part runs anew during backward, where its layers would be seen twice or not at
    all; torch's first kind gives no gradients to `torch.autograd.grad`. Other threads keep theirs.
    """
    global _users
    earlier = _switch.without_checkpoints
    with _lock:
        _users += 1
        checkpoints.CheckpointFunction = _Reentrant  # type: ignore[misc, assignment]
        setattr(checkpoints, _other, _non_reentrant)
    _switch.without_checkpoints = True
    try:
        yield
    finally:
        _switch.without_checkpoints = earlier
        with _lock:
            _users -= 1
            if not _users:
                checkpoints.CheckpointFunction = _reentrant  # type: ignore[misc]
                setattr(checkpoints, _other, _generator)


class _Reentrant:
    """Stands in for the autograd function of reentrant checkpoints."""

    @staticmethod
    def apply(function: Callable[..., Any], preserve: bool, *arguments: Any) -> Any:
        """The function's result, checkpointed unless this thread runs without checkpoints."""
        if _switch.without_checkpoints:
            return function(*arguments)
        return _reentrant.apply(function, preserve, *arguments)  # type: ignore[no-untyped-call]


def _non_reentrant(*arguments: Any, **options: Any) -> Iterator[None]:
    """Stands in for what runs before and after the function of other checkpoints."""
    if _switch.without_checkpoints:
        yield
    else:
        yield from _generator(*arguments, **options)


@contextmanager
def _without_function_modes() -> Iterator[None]:
    modes: list[TorchFunctionMode] = []
    while torch._C._len_torch_function_stack():
        modes.append(torch._C._pop_torch_function_stack())
    try:
        yield
    finally:
        for mode in reversed(modes):
            torch._C._push_on_torch_function_stack(mode)


def _itself(tensor: Tensor) -> Tensor:
    return tensor
