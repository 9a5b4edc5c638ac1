"""Functions of torch that contain layers, run so that their parts are seen.

Such a function hands itself over to a function mode as a whole. A copy of torch's own code does
not; its numbers are the same.
"""

import types
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F


def _opened(function: Any) -> Callable[..., Any]:
    names = {**function.__globals__, "has_torch_function": lambda *_: False}
    copy = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


OPENED: dict[Any, Callable[..., Any]] = {
    F.multi_head_attention_forward: _opened(F.multi_head_attention_forward),
}
