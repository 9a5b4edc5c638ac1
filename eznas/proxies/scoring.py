"""Scoring a user's models by a proxy."""

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
    """Score models by one proxy, highest first: dicts of model, proxy, score, seconds, reason.

    A model is "package.module:factory" (scored as it is unless `init` says otherwise) or an
    architecture of a search space (fresh Kaiming parameters unless `init` says otherwise).
    `input_size` is (channels, height, width) in pixels; `batch` the images for sketches. A score
    is None where it is "lowest" or undefined: `reason` says which and why. `InputError` for a
    proxy, model or setting that cannot be had, and for a model that cannot be run.
    """
    loaded = load(proxy)
    built = [(name, *load_model(name, seed)) for name in models]  # all of them before any is scored
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
        }
        rows.append(row)
        values.append(result.value)
    return [rows[i] for i in ranked(values)]
