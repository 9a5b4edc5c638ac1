"""Models that a user names: a factory in a module, a model of a library, or an architecture of a
search space."""

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


def load_model(name: str, seed: int = 0) -> tuple[nn.Module, str]:
    """The model that `name` stands for, and its default initialisation: "kaiming" or "keep".

    `name`: `package.module:factory`, the name of a function without arguments that returns a
    module; `timm:NAME` or `torchvision:NAME`; `SPACE/ARCHITECTURE`; or an architecture of
    NAS-Bench-201. `seed`: torch's random seed
    while the model is made, so that its parameters do not depend on what was drawn before. Raises
    `InputError` if there is no such model, `FactoryError` if its factory fails.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name.startswith("|"):  # only NAS-Bench-201 spells its architectures like this
            return SPACES["nasbench201"].build(name), "kaiming"
        space, slash, architecture = name.partition("/")
        if slash and space in SPACES:
            return SPACES[space].build(architecture), "kaiming"
        build = builder(name)
        return (_from_factory(name) if build is None else _made(build, name)), "keep"


def usual_input_size(name: str, model: nn.Module) -> tuple[int, ...]:
    """The size (channels, height, width) of what goes into a model of this name, unless a user
    says."""
    return input_size(name, model) or USUAL_SIZE


def _from_factory(spec: str) -> nn.Module:
    module_name, colon, factory_name = spec.partition(":")
    if colon and module_name.endswith(".py"):
        module = module_name.removesuffix(".py").replace("/", ".")
        raise InputError(
            f"model {spec!r}: expected a module; did you mean '{module}:{factory_name}'?"
        )
    if not colon or not all(module_name.split(".")) or not factory_name.isidentifier():
        raise InputError(f"model {spec!r}: expected package.module:factory or SPACE/ARCHITECTURE")
    with _current_folder_importable():
        module = _call(
            lambda: importlib.import_module(module_name), spec, f"cannot import {module_name}"
        )
        if not hasattr(module, factory_name):
            factory_names = [
                k for k, v in vars(module).items() if callable(v) and not k.startswith("_")
            ]
            raise InputError(f"model {spec!r}: {unknown('factory', factory_name, factory_names)}")
        model = _made(getattr(module, factory_name), spec)
    if not isinstance(model, nn.Module):
        raise FactoryError(
            f"model {spec!r}: {factory_name}() gave a {type(model).__name__}, not a module"
        )
    return model


def _made(factory: Callable[[], Any], name: str) -> Any:
    factory_name = name.rpartition(":")[2]
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
