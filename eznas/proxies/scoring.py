"""Scoring a user's models with a proxy."""

import math
from collections.abc import Sequence
from typing import Any

from eznas.errors import InputError
from eznas.proxies.loading import load
from eznas.proxies.proxy import ranked
from eznas.spaces.user_models import load_model


def score(
    proxy: str,
    models: Sequence[str],
    *,
    input_size: tuple[int, int, int] = (3, 32, 32),
    batch: int | None = None,
    images: str | None = None,
    device: str = "cpu",
    init: str | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Score models with one proxy: a dict for each model, the highest score first.

    `models`: texts "package.module:factory" (the factory returns an `nn.Module`, whose own
    parameters are kept unless `init` is "kaiming"), or architectures of a search space (their
    parameters are drawn from `seed` unless `init` is "keep"). The other arguments are those of
    `Proxy.score`. A dict has the keys model, proxy (its name), score, seconds, reason and notes;
    the score is None where it is the lowest (reason "lowest") or undefined (reason says why);
    notes are texts on what one should know of the measurement, such as parameters in no layer.

    Raises `InputError` for a proxy, a model or another argument that cannot be used, and for a
    model that cannot be run.
    """
    loaded = load(proxy)
    built = [(name, *load_model(name, seed)) for name in models]  # all, before the first is scored
    rows: list[dict[str, Any]] = []
    values: list[float] = []
    for name, model, usual_init in built:
        config = loaded.measurement_config(
            input_size, batch, images, device, init or usual_init, seed
        )
        try:
            result = loaded.evaluate(model, config)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        row = {
            "model": name,
            "proxy": loaded.name,
            "score": result.value if math.isfinite(result.value) else None,
            "seconds": result.seconds,
            "reason": "lowest" if result.value == -math.inf else result.reason,
            "notes": list(result.notes),
        }
        rows.append(row)
        values.append(result.value)
    return [rows[i] for i in ranked(values)]
