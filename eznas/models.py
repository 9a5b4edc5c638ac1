"""Models that a user names: a factory in a module, or an architecture of a search space."""

import importlib
import os
import sys

import torch
from torch import nn

from eznas.errors import InputError
from eznas.spaces import SPACES


def model_of(name: str) -> tuple[nn.Module, str]:
    """The model behind MODEL and its usual initialisation."""
    if name.startswith("|"):
        with torch.random.fork_rng(devices=[]):
            return SPACES["nasbench201"].build(name), "kaiming"
    module, mark, factory = name.partition(":")
    if not mark or not factory.isidentifier():
        raise InputError(f"model {name!r}: expected package.module:factory or an architecture")
    sys.path.insert(0, os.getcwd())
    try:
        made = getattr(importlib.import_module(module), factory)()
    except ImportError as error:
        raise InputError(f"model {name!r}: cannot import {module}: {error}") from None
    except AttributeError:
        raise InputError(f"model {name!r}: {module} has no {factory!r}") from None
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(made, nn.Module):
        raise InputError(f"model {name!r}: {factory}() gave a {type(made).__name__}, not a module")
    return made, "keep"
