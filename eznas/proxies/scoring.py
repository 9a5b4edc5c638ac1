"""Scoring a user's models with a proxy."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from eznas.errors import InputError
from eznas.formulas.terms import terms
from eznas.proxies.loading import load
from eznas.proxies.one_model import Score
from eznas.proxies.proxy import Proxy, ranked
from eznas.spaces.user_models import USUAL_SIZE, FactoryError, load_model, usual_input_size
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.surroundings import own_surroundings, seeded
from eznas.system.arguments import texts

LOWEST = "lowest"  # the reason of the lowest score


def score(
    proxy: str,
    models: Sequence[str],
    *,
    input_size: Any = None,
    batch: int | None = None,
    images: str | None = None,
    device: str = "cpu",
    init: str | None = None,
    seed: int = 0,
    output: str | int | None = None,
) -> list[dict[str, Any]]:
    """Score models with one proxy: a dict for each model, the highest score first.

    `models`: texts "package.module:factory" or "package.module:factory(8)" (it returns an
    `nn.Module`, whose own parameters are kept unless `init` is "kaiming"), "timm:NAME" or
    "torchvision:NAME" where these packages are installed, or architectures of a search space (their
    parameters are drawn from `seed` unless `init` is "keep"); one text is a list of one.
    `input_size`: None stands for (3, 32, 32), for a model of timm for the size in its config, and
    for one of torchvision for (3, 224, 224). The other arguments are those of `Proxy.score`. A dict
    has the keys model, proxy (its name), score, seconds, reason, notes and failed; the score is
    None where it is the lowest (reason "lowest") or undefined (reason says why); notes are texts on
    what one should know of the measurement. A model whose factory fails or that cannot be run comes
    last: failed is True, and the reason says why.

    Raises `InputError` for a proxy, a name of a model or another argument that cannot be used, and
    if there is one model alone and it fails.
    """
    loaded = load(proxy)
    names = _names(models)
    how = (batch, images, device, init or "keep", seed, output)
    first_config = loaded.measurement_config(
        USUAL_SIZE if input_size is None else input_size, *how
    )  # before the models are made, so that a slip in an argument shows at once
    configs: dict[tuple[int, ...], MeasurementConfig] = {
        USUAL_SIZE: first_config
    }  # images are read or drawn once for a size

    def config_of(name: str, model: nn.Module, usual_init: str) -> MeasurementConfig:
        size = usual_input_size(name, model) if input_size is None else USUAL_SIZE
        if size not in configs:
            configs[size] = loaded.measurement_config(size, *how)
        return replace(configs[size], initialisation=init or usual_init)

    built = [_built(name, seed) for name in names]  # all, before the first is scored
    rows = []
    for name, model in zip(names, built, strict=True):
        row = _row(loaded, name, model, config_of)
        if row["failed"] and len(names) == 1:
            raise InputError(row["reason"])
        rows.append(row)
    in_order = [rows[i] for i in ranked([_value(row) for row in rows])]
    return sorted(in_order, key=lambda row: bool(row["failed"]))


def _built(name: str, seed: int) -> tuple[nn.Module, str] | FactoryError:
    """A model and its usual initialisation, or why there is none."""
    try:
        with own_surroundings(), seeded(seed):
            return load_model(name, seed)
    except FactoryError as error:
        return error


def _row(
    proxy: Proxy,
    name: str,
    built: tuple[nn.Module, str] | FactoryError,
    config_of: Callable[[str, nn.Module, str], MeasurementConfig],
) -> dict[str, Any]:
    """The row of one model; `config_of` gives the config by the model's name, itself and its usual
    initialisation."""
    start_time = time.perf_counter()
    try:
        if isinstance(built, FactoryError):
            raise built
        model, usual_init = built
        result = _evaluated(proxy, model, config_of(name, model, usual_init), name)
    except InputError as error:
        result = Score(math.nan, str(error), time.perf_counter() - start_time)
        return _as_row(proxy, name, result, failed=True)
    return _as_row(proxy, name, result, failed=False)


def _evaluated(proxy: Proxy, model: nn.Module, config: MeasurementConfig, name: str) -> Score:
    try:
        score = proxy.evaluate(model, config)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return replace(score, notes=(*score.notes, *_on_batch(proxy, config)))


def _on_batch(proxy: Proxy, config: MeasurementConfig) -> list[str]:
    """What one should know where the terms of a named sum were weighed at another batch: their
    values grow with the batch, each in its own way."""
    images, own = config.sketch, proxy.sketch_batch
    condensed = any(CATALOGUE[name].batch == "sketch" for name in proxy.formula.statistics())
    is_text = "(" in proxy.name  # of a formula, for which no batch was chosen
    if images == own or is_text or not condensed or len(terms(proxy.formula)) < 2:
        return []
    weighed = f"the terms of {proxy.name} were weighed at {own} images"
    return [f"{weighed}; with {images} it ranks models otherwise"]


def _as_row(proxy: Proxy, name: str, result: Score, failed: bool) -> dict[str, Any]:
    return {
        "model": name,
        "proxy": proxy.name,
        "score": result.value if math.isfinite(result.value) else None,
        "seconds": result.seconds,
        "reason": LOWEST if result.value == -math.inf else result.reason,
        "notes": list(result.notes),
        "failed": failed,
    }


def _value(row: Mapping[str, Any]) -> float:
    if row["score"] is not None:
        return float(row["score"])
    return -math.inf if row["reason"] == LOWEST else math.nan


def _names(models: Any) -> list[str]:
    """The names of models. Raises `InputError` for anything else."""
    several = isinstance(models, Iterable) and not isinstance(models, str | nn.Module)
    models = list(models) if several else models
    if isinstance(models, nn.Module) or (several and any(isinstance(m, nn.Module) for m in models)):
        advice = "a model in hand is scored by eznas.load(PROXY).score(MODEL)"
        raise InputError(f"models: expected names, got a module; {advice}")
    return texts("models", models)
