"""Arguments from Python, checked where they enter: a slip gets a line about itself."""

import inspect
import os
import types
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from eznas.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """The function, with arguments checked against its annotations: texts (a path is one), whole
    numbers, numbers, lists of texts (one text is a list of one) and objects of a class.

    A call with another argument raises `InputError`.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def called(*arguments: Any, **keywords: Any) -> Any:
        bound = signature.bind(*arguments, **keywords)
        hints = get_type_hints(function)
        for name, value in bound.arguments.items():
            if name in hints:
                bound.arguments[name] = _checked(name, value, hints[name])
        return function(*bound.args, **bound.kwargs)

    return called  # type: ignore[return-value]


def _checked(name: str, value: Any, hint: Any) -> Any:
    is_union = get_origin(hint) in (Union, types.UnionType)
    options = get_args(hint) if is_union else (hint,)
    if Sequence[str] in options and not (value is None and type(None) in options):
        return texts(name, value)
    if str in options and isinstance(value, os.PathLike):
        return os.fspath(value)
    if any(_fits(value, option) for option in options):
        return value
    expected = " or ".join(_NAMES.get(o, getattr(o, "__name__", str(o))) for o in options)
    raise InputError(f"{name}: expected {expected}, got {described(value)}")


def _fits(value: Any, hint: Any) -> bool:
    if hint in (int, float):
        is_number = hasattr(type(value), "__index__" if hint is int else "__float__")
        return is_number and not isinstance(value, bool | str)
    if (
        hint is Any
        or not isinstance(hint, type)
        or getattr(hint, "_is_protocol", False)
        or get_args(hint)
    ):
        return True  # not checked here
    return isinstance(value, hint)


def text(what: str, value: Any) -> str:
    """A text. Raises `InputError` for anything else; `what` says what it should name."""
    if isinstance(value, str):
        return value
    raise InputError(f"{what}: expected a text, got {described(value)}")


def texts(what: str, value: Any) -> list[str]:
    """A list of texts; one text is a list of one. Raises `InputError` for anything else."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, bytes | dict):
        raise InputError(f"{what}: expected a list of texts, got {described(value)}")
    return [text(what, each) for each in value]


def whole(what: str, value: Any, least: int, most: int | None = None) -> int:
    """A whole number in a range. Raises `InputError` for anything else."""
    upper = "" if most is None else f" and at most {most}"
    is_whole = hasattr(type(value), "__index__") and not isinstance(value, bool)  # numpy's too
    if not is_whole or value < least or (most is not None and value > most):
        given = value if is_whole else described(value)
        raise InputError(f"{what} {given}: expected a whole number, at least {least}{upper}")
    return int(value)


_NAMES: dict[Any, str] = {
    **{str: "a text", int: "a whole number", float: "a number", bool: "True or False"},
    type(None): "None",
}


def described(value: Any) -> str:
    """What a value is, in a few words."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    shown = repr(value) if isinstance(value, str | int | float) else ""
    return f"{type(value).__name__} {shown[:60]}".strip()
