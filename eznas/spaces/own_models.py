"""A space of a user's own models: a list of them, in which each stands for itself."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from eznas.errors import InputError, unknown
from eznas.spaces.base import Presentation, Space
from eznas.spaces.user_models import FactoryError, canonical_name, load_model, usual_input_size

NAME = "models"  # of the space
FEWEST = 3  # models of which an order can be learned or tested
Model = str | nn.Module | Callable[[], nn.Module]


def own_space(
    models: Sequence[Model],
    input_size: Any = None,
    initialisation: str | None = None,
    fewest: int = FEWEST,
) -> Space:
    """The space of some models, each of which is made once here.

    `models`: names as `load_model` takes them, modules, or functions without arguments that return
    one. `input_size`: what goes into all of them (None: each gets what is usual for it, see
    `usual_input_size`); `initialisation`: "keep" or "kaiming" for all of them (None: a module and
    what a factory made are kept, an architecture of a space gets fresh parameters). The
    architectures are the names; a model without one is "models[I] (CLASS)".

    Raises `InputError` for fewer than `fewest` models, for one that is there twice, and where one
    cannot be made.
    """
    models = list(models)
    if initialisation not in (None, "keep", "kaiming"):
        raise InputError(f"init {initialisation!r}: expected 'keep' or 'kaiming'")
    if len(models) < fewest:
        raise InputError(f"models: expected at least {fewest}, got {len(models)}")
    by_name = {_name(model, index): model for index, model in enumerate(models)}
    _check_distinct(models)
    presented = {}
    for name, model in by_name.items():
        built, usual = load_model(model) if isinstance(model, str) else (_called(name, model), "")
        size = usual_input_size(name, built) if input_size is None else input_size
        presented[name] = Presentation(size, initialisation or usual or "keep")
    return Space(
        NAME,
        positions=(tuple(by_name),),
        choices=partial(_choices, tuple(by_name)),
        text=_text,
        build=partial(_build, by_name),
        presented=presented,
    )


def _name(model: Model, index: int) -> str:
    if isinstance(model, str):
        return model.strip()
    shown = type(model).__name__ if isinstance(model, nn.Module) else None
    return f"models[{index}] ({shown or getattr(model, '__name__', type(model).__name__)})"


def _check_distinct(models: Iterable[Model]) -> None:
    """Raises `InputError` for a model that is named twice, and for an object that is there
    twice."""
    counts = Counter(canonical_name(m.strip()) if isinstance(m, str) else id(m) for m in models)
    for index, model in enumerate(models):
        key = canonical_name(model.strip()) if isinstance(model, str) else id(model)
        if counts[key] > 1:
            name = _name(model, index)
            raise InputError(f"model {name!r}: {counts[key]} times; expected each model once")


def _called(name: str, model: Any) -> nn.Module:
    """A module as it is, or what a function makes; `InputError` for anything else."""
    if isinstance(model, nn.Module):
        return model
    if not callable(model):
        expected = "expected a module, a function that returns one, or a name"
        raise InputError(f"{name}: {expected}, got {type(model).__name__}")
    try:
        built = model()
    except (Exception, SystemExit) as error:  # a user's code may raise anything
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        raise FactoryError(f"{name}: the function failed: {cause}") from error
    if not isinstance(built, nn.Module):
        raise FactoryError(f"{name}: the function gave a {type(built).__name__}, not a module")
    return built


def _choices(names: tuple[str, ...], architecture: str) -> tuple[str, ...]:
    if architecture not in names:
        raise unknown("model", architecture, names)
    return (architecture,)


def _text(choices: Sequence[str]) -> str:
    [name] = choices
    return name


def _build(models: Mapping[str, Model], name: str, classes: int = 0) -> nn.Module:
    """The model of a name, which has its own number of classes."""
    model = models[name]
    return load_model(model, seed=None)[0] if isinstance(model, str) else _called(name, model)
