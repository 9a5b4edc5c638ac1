"""Models of timm and torchvision by name, where these packages are installed."""

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from eznas.errors import InputError, unknown

IMAGENET_SIZE = (3, 224, 224)  # of inputs: channels, height, width


@dataclass(frozen=True)
class Library:
    """A package of models.

    `module`: what is imported; `names`: those of its models; `build`: makes one, with fresh
    parameters; `input_size`: (channels, height, width), what a model of it usually gets.
    """

    module: str
    names: Callable[[Any], Iterable[str]]
    build: Callable[[Any, str], nn.Module]
    input_size: Callable[[nn.Module], tuple[int, ...]]


def builder(spec: str) -> Callable[[], nn.Module] | None:
    """What makes the model of a name, "timm:resnet18" or "torchvision:resnet18", without trained
    parameters; None where no library is named.

    Raises `InputError` if the library cannot be imported or has no such model.
    """
    library_name, colon, name = spec.partition(":")
    if not colon or library_name not in LIBRARIES:
        return None
    library = LIBRARIES[library_name]
    module = _imported(library_name, library.module, spec)
    names = sorted(library.names(module))
    architecture = name.partition(".")[0]  # timm writes what it was trained on after a dot
    if architecture not in names:
        lister = f"python -c 'import {library.module} as m; print(m.list_models())'"
        raise InputError(f"model {spec!r}: {unknown('model', name, names, lister)}")
    return lambda: library.build(module, name)


def input_size(spec: str, model: nn.Module) -> tuple[int, ...] | None:
    """The size (channels, height, width) of what usually goes into the model of a name; None where
    no library is named."""
    library = LIBRARIES.get(spec.partition(":")[0])
    return None if library is None else library.input_size(model)


def _imported(package: str, module: str, spec: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:  # a package built for another torch may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            problem = f"{package} is not installed: pip install {package}"
            raise InputError(f"model {spec!r}: {problem}") from error
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        advice = f"expected a release of it for torch {torch.__version__}"
        raise InputError(f"model {spec!r}: cannot import {module}: {cause}; {advice}") from error


def _timm_size(model: nn.Module) -> tuple[int, ...]:
    config = getattr(model, "pretrained_cfg", None) or {}
    return tuple(config.get("input_size") or IMAGENET_SIZE)


def _of_torchvision(models: Any, name: str) -> nn.Module:
    more: dict[str, Any] = {}
    if "weights_backbone" in inspect.signature(models.get_model_builder(name)).parameters:
        more["weights_backbone"] = None  # else they would be downloaded
    model: nn.Module = models.get_model(name, weights=None, **more)
    return model


LIBRARIES = {
    "timm": Library(
        "timm",
        lambda timm: timm.list_models(),
        lambda timm, name: timm.create_model(name, pretrained=False),
        _timm_size,
    ),
    "torchvision": Library(
        "torchvision.models",
        lambda models: models.list_models(),
        _of_torchvision,
        lambda model: IMAGENET_SIZE,
    ),
}
