"""Models that a user names: a factory in a module, or an architecture of a search space."""

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


def model_of(name: str, seed: int = 0) -> tuple[nn.Module, str]:
    """The model behind MODEL and its usual initialisation.

    `seed` is torch's while the model is made: one that draws its parameters without a seed of its
    own is the same each time, whatever was made before it. `InputError` where there is none.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        space, mark, architecture = name.partition("/")
        if name.startswith("|"):  # whose strings are known without their space
            return SPACES["nasbench201"].build(name), "kaiming"
        if mark and space in SPACES:
            return SPACES[space].build(architecture), "kaiming"
        return _made(name), "keep"


def _made(name: str) -> nn.Module:
    module, mark, factory = name.partition(":")
    if not mark or not all(module.split(".")) or not factory.isidentifier():
        raise InputError(f"model {name!r}: expected package.module:factory or SPACE/ARCHITECTURE")
    with _current_folder():
        home = _called(lambda: importlib.import_module(module), name, f"cannot import {module}")
        if not hasattr(home, factory):
            known = [k for k, v in vars(home).items() if callable(v) and not k.startswith("_")]
            raise InputError(f"model {name!r}: {unknown('factory', factory, known)}")
        made = _called(lambda: getattr(home, factory)(), name, f"{factory}() failed")
    if not isinstance(made, nn.Module):
        raise InputError(f"model {name!r}: {factory}() gave a {type(made).__name__}, not a module")
    return made


def _called(stranger: Callable[[], Any], name: str, problem: str) -> Any:
    try:
        return stranger()
    except (Exception, SystemExit) as error:  # a stranger's code may raise anything, scripts exit
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"model {name!r}: {problem}: {why}") from error


@contextmanager
def _current_folder() -> Iterator[None]:
    """Modules of the current folder can be imported, as `python -m` has it."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
