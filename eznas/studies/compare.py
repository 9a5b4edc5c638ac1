"""Two models compared: which one is better by a proxy, and with what probability."""

import math
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from eznas.errors import InputError
from eznas.evaluation.evaluator import one_thread
from eznas.formulas.parser import parse
from eznas.metrics.calibration import SUREST
from eznas.proxies import calibrations
from eznas.proxies.calibrations import Calibration, calibrations_of
from eznas.proxies.classics import CLASSICS, SIZES
from eznas.proxies.loading import load
from eznas.proxies.one_model import Score
from eznas.proxies.proxy import Proxy
from eznas.proxies.scoring import LOWEST
from eznas.report.calibration_tables import NAMES
from eznas.spaces.user_models import canonical_name, load_model, space_of, usual_input_size
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.surroundings import own_surroundings, seeded
from eznas.system.arguments import checked, whole

ROUNDING = 1e-6  # of stored scores
_DESCRIBED = {"space", "source", "networks", "accuracy"}  # of a calibration, in what is returned

Content = dict[str, Any]


@checked
def compare(
    first: str,
    second: str,
    proxy: str = "default",
    *,
    input_size: Any = None,
    initialisations: int = 3,
    device: str = "cpu",
    calibration: str | None = None,
) -> Content:
    """Which of two models is better by a proxy, and with what probability it is more accurate.

    `first`, `second`: names as `eznas.score` takes them; each is scored with so many
    `initialisations` of its parameters, an architecture of a space with fresh ones, any other model
    as its factory makes it under as many seeds. `calibration`: a file that `calibrate` wrote; None:
    those in the box.

    The result has `proxy`; `models`: a dict each, with its scores (None where not finite, `reason`
    says why), their mean and standard deviation, and sizes; `better`: the name of the one with the
    higher mean, None if there is none; `probabilities`: data set -> that it is more accurate, empty
    where that is not known; `reason`: why not; `calibrated`: the networks for which it holds.
    Raises `InputError` for an argument that cannot be used, for a calibration of another proxy, and
    if a model cannot be run.
    """
    loaded, count = load(proxy), whole("initialisations", initialisations, 1)
    available = _available(loaded, calibration)
    names = [first.strip(), second.strip()]
    if canonical_name(names[0]) == canonical_name(names[1]):
        raise InputError(f"models: expected two different ones, got {first!r} twice")
    chosen = _chosen(available, loaded, names)
    models = [_measured(loaded, name, count, input_size, device) for name in names]
    content: Content = {
        "proxy": loaded.name,
        "models": models,
        "better": _better(models),
        "probabilities": {},
        "reason": chosen if isinstance(chosen, str) else "",
        "calibrated": None,
    }
    if isinstance(chosen, Calibration):
        content["calibrated"] = chosen.model_dump(include=_DESCRIBED)
        outside = zip(NAMES, (_outside(chosen, model) for model in models), strict=True)
        content["reason"] = "; ".join(f"the {name} model {why}" for name, why in outside if why)
        if not content["reason"]:
            content["probabilities"] = _probabilities(chosen, models)
    return content


def _probabilities(content: Calibration, models: list[Content]) -> dict[str, float]:
    """Data set -> the probability that the model with the higher score is more accurate."""
    second_is_higher = models[1]["score"] > models[0]["score"]
    higher, lower = (m["scores"] for m in (models[::-1] if second_is_higher else models))
    return {
        dataset: float(np.minimum(content.curve(dataset).probability(higher, lower), SUREST))
        for dataset in content.datasets
    }


def _available(proxy: Proxy, file: str | None) -> list[Calibration]:
    """The calibrations of a proxy: that of a file, or those in the box."""
    if file is None:
        return list(calibrations_of(proxy))
    content = calibrations.read(Path(file))
    if not content.fits(proxy):
        raise InputError(f"{file}: calibrates {content.proxy}, not {proxy.name} (--proxy names it)")
    return [content]


def _chosen(available: list[Calibration], proxy: Proxy, names: list[str]) -> Calibration | str:
    """The calibration for two models, or why there is none and what makes one."""
    spaces = {space_of(name) for name in names}
    for content in available:
        if not content.space or spaces == {content.space}:
            return content
    one_space = len(spaces) == 1 and max(spaces)
    networks = f"--space {one_space}" if one_space else "--models TABLE.csv"
    how = f"eznas calibrate {shlex.quote(proxy.name)} {networks} -o FILE.json"
    calibrated = " or of ".join(content.space for content in available)
    where = f"for two networks of {calibrated} alone" if calibrated else "nowhere yet"
    return f"{proxy.name} is calibrated {where}; `{how}` does it for these, see --calibration"


def _measured(
    proxy: Proxy, name: str, initialisations: int, input_size: Any, device: str
) -> Content:
    """A model with its scores and sizes."""
    results: list[Score] = []
    for seed in range(initialisations):
        with own_surroundings(), seeded(seed):
            model, initialisation = load_model(name, seed=None)
        if not results:  # the same images for all seeds, as for networks of a benchmark
            size = usual_input_size(name, model) if input_size is None else input_size
            config = proxy.measurement_config(size, device=device, init=initialisation)
        try:
            with one_thread():
                results.append(proxy.evaluate(model, replace(config, seed=seed)))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    values = [result.value for result in results]
    is_finite = all(map(math.isfinite, values))
    reasons = [LOWEST if result.value == -math.inf else result.reason for result in results]
    return {
        "model": name,
        "scores": [value if math.isfinite(value) else None for value in values],
        "score": float(np.mean(values)) if is_finite else None,
        "deviation": float(np.std(values)) if is_finite else None,
        "reason": "; ".join(filter(None, dict.fromkeys(reasons))),
        "sizes": _sizes(model, config),
        "input": config.images.form.describe(),
        "notes": list(dict.fromkeys(note for result in results for note in result.notes)),
    }


def _sizes(model: nn.Module, config: MeasurementConfig) -> dict[str, float | None]:
    """Size -> its value for a model, None where it is undefined."""
    formulas = {name: Proxy(name, parse(CLASSICS[name].formula)) for name in SIZES}
    values = {name: size.evaluate(model, config).value for name, size in formulas.items()}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _better(models: list[Content]) -> str | None:
    """The name of the model with the higher score: a lowest one is below all others, an undefined
    one is not compared."""
    keys = [-math.inf if model["reason"] == LOWEST else model["score"] for model in models]
    if None in keys or keys[0] == keys[1]:
        return None
    return str(models[int(keys[1] > keys[0])]["model"])


def _outside(content: Calibration, model: Content) -> str:
    """What lies outside the calibrated networks, said of a model; "" if nothing does."""
    if model["reason"] == LOWEST:
        return "has the lowest score"
    if model["reason"]:
        return f"has no score: {model['reason']}"
    if model["input"] not in content.inputs:
        shown = " or ".join(map(_shown, content.inputs))
        return f"gets inputs of {_shown(model['input'])}, calibrated: {shown}"
    values = {"score": model["scores"]} | {size: [model["sizes"][size]] for size in content.sizes}
    ranges = {"score": (content.scores[0], content.scores[-1]), **content.sizes}
    for what, (low, high) in ranges.items():
        slack = ROUNDING * max(abs(low), abs(high))
        for value in values[what]:
            if value is None or not low - slack <= value <= high + slack:
                number = "undefined" if value is None else f"{value:,.6g}"
                return f"has {what} {number}, calibrated: {low:,.6g} to {high:,.6g}"
    return ""


def _shown(form: list[Any]) -> str:
    return ",".join(map(str, form))
