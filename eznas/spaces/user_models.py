"""Models that a user names: a factory in a module, a model of a library, or an architecture of a
search space."""

import ast
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from eznas.errors import InputError, unknown
from eznas.spaces import SPACES
from eznas.spaces.libraries import builder, input_size

USUAL_SIZE = (3, 32, 32)  # of inputs: channels, height, width


class FactoryError(InputError):
    """A factory that is there, but gives no model."""


def load_model(name: str, seed: int | None = 0) -> tuple[nn.Module, str]:
    """The model that `name` stands for, and its default initialisation: "kaiming" or "keep".

    `name`: `package.module:factory`, a function that returns a module, with literal arguments in
    brackets if it takes any, `mine:net(8, kind="wide")`; `timm:NAME` or `torchvision:NAME`;
    `SPACE/ARCHITECTURE`; or an architecture of NAS-Bench-201. `seed`: torch's random seed
    while the model is made, so that its parameters do not depend on what was drawn before (None:
    the caller has seeded it). Raises
    `InputError` if there is no such model, `FactoryError` if its factory fails.
    """
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        if (in_space := _in_space(name)) is not None:
            space, architecture = in_space
            return SPACES[space].build(architecture), "kaiming"
        build = builder(name)
        return (_from_factory(name) if build is None else _made(build, name)), "keep"


def canonical_name(name: str) -> str:
    """One spelling for all names of a model: `SPACE/ARCHITECTURE`, or a factory's with its
    arguments as Python prints them. Raises `InputError` for a text that names none."""
    if (in_space := _in_space(name)) is not None:
        space, architecture = in_space
        return f"{space}/{SPACES[space].canonical(architecture)}"
    if builder(name) is not None:
        return name
    module, factory, positional, named = _factory_call(name)
    arguments = [*map(repr, positional), *(f"{key}={named[key]!r}" for key in sorted(named))]
    return f"{module}:{factory}({', '.join(arguments)})"


def space_of(name: str) -> str:
    """The space of the architecture that a name has, "" where it names none."""
    return (_in_space(name) or ("", ""))[0]


def usual_input_size(name: str, model: nn.Module) -> tuple[int, ...]:
    """The size (channels, height, width) of what goes into a model of this name, unless a user
    says."""
    return input_size(name, model) or USUAL_SIZE


def _in_space(name: str) -> tuple[str, str] | None:
    """The space and the architecture that a name has; None where it names no architecture."""
    if name.startswith("|"):  # only NAS-Bench-201 spells its architectures like this
        return "nasbench201", name
    space, slash, architecture = name.partition("/")
    return (space, architecture) if slash and space in SPACES else None


def _factory_call(spec: str) -> tuple[str, str, list[Any], dict[str, Any]]:
    """The module, the factory and its arguments, by position and by name, from
    `module:factory(8, kind="wide")`. The arguments are literals: nothing in them is called."""
    module_name, colon, call_text = spec.partition(":")
    factory_name, bracket, _ = call_text.partition("(")
    factory_name = factory_name.strip()
    _check_factory_name(spec, module_name, colon, factory_name)
    if not bracket:
        return module_name, factory_name, [], {}
    try:
        call = ast.parse(call_text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError("no call")
        named = {keyword.arg or "**": ast.literal_eval(keyword.value) for keyword in call.keywords}
        if "**" in named:
            raise ValueError("arguments in a dict")
        return module_name, factory_name, [*map(ast.literal_eval, call.args)], named
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise InputError(
            f"model {spec!r}: expected literals as arguments (numbers, texts, lists, ...), as in "
            f"{module_name}:{factory_name}(8, kind='wide')"
        ) from None


def _check_factory_name(spec: str, module_name: str, colon: str, factory_name: str) -> None:
    if colon and module_name.endswith(".py"):
        module = module_name.removesuffix(".py").replace("/", ".")
        raise InputError(
            f"model {spec!r}: expected a module; did you mean '{module}:{factory_name}'?"
        )
    if not colon or not all(module_name.split(".")) or not factory_name.isidentifier():
        raise InputError(f"model {spec!r}: expected package.module:factory or SPACE/ARCHITECTURE")


def _from_factory(spec: str) -> nn.Module:
    module_name, factory_name, positional, named = _factory_call(spec)
    with _current_folder_importable():
        module = _call(
            lambda: importlib.import_module(module_name), spec, f"cannot import {module_name}"
        )
        if not hasattr(module, factory_name):
            factory_names = [
                k for k, v in vars(module).items() if callable(v) and not k.startswith("_")
            ]
            raise InputError(f"model {spec!r}: {unknown('factory', factory_name, factory_names)}")
        factory = getattr(module, factory_name)
        model = _made(lambda: factory(*positional, **named), spec, factory_name)
    if not isinstance(model, nn.Module):
        raise FactoryError(
            f"model {spec!r}: {factory_name}() gave a {type(model).__name__}, not a module"
        )
    return model


def _made(factory: Callable[[], Any], name: str, factory_name: str = "") -> Any:
    factory_name = factory_name or name.rpartition(":")[2]
    try:
        return _call(factory, name, f"{factory_name}() failed")
    except InputError as error:
        raise FactoryError(str(error)) from error


def _call(user_code: Callable[[], Any], name: str, problem: str) -> Any:
    """The result of a user's code, which may raise anything, or exit if it is a script."""
    try:
        return user_code()
    except (Exception, SystemExit) as error:
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"model {name!r}: {problem}: {cause}") from error


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    """Makes the modules of the current folder importable, as `python -m` does."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
