"""How fast formulas are evaluated, by the engine and in the original way (`eznas speed`)."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eznas.discovery.callbacks import Callback, NoCallback
from eznas.evaluation.contexts import Context
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.executors import SerialExecutor
from eznas.evaluation.feature_table import SHARD, FeatureTable
from eznas.evaluation.plan import Plan
from eznas.evaluation.workers import Workers, start
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig, available_device, image_batch
from eznas.statistics.measuring import measure
from eznas.studies.original_loops import NetworkTensors, loaded, on_disk, score
from eznas.studies.scoring_time import SPACE, timed
from eznas.system.machine import cores, most_resident

BATCH = 2  # images of raw tensors: batch norm needs two
SLOPE_NETWORKS = 8  # at most; on which slopes against formulas and batches are measured


def recorded() -> list[list[Expression]]:
    """Recorded formulas: for each of ten generations of a search over EZNAS's statistics the list
    of its new ones. The head of the file says how they were recorded."""
    text = files("eznas.studies").joinpath("recorded_formulas.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    generations = "\n".join(lines).strip().split("\n\n")
    return [[parse(line) for line in generation.splitlines()] for generation in generations]


def speed(
    networks: int = 16, device: str = "cpu", watcher: Callback | None = None
) -> dict[str, Any]:
    """Speed of evaluation on one thread, as a dict of figures.

    `rates`: formulas times networks per second. `disk_loop`, `memory_loop` (the original way) and
    `plan_cold` (the engine with empty caches) score the last recorded generation on tensors that
    were measured before; `plan_evolving` scores all generations one after the other, with what is
    cached between them. `ratios` compare them. `floor_ratio`: seconds of `plan_cold` over those of
    reading all statistics it uses once, at `bandwidth_gb_s`. `measure_seconds`: see `measuring`;
    `slopes`: of the log of the seconds over the log of each quantity. `touched_mb` and `peak_mb`
    are in MiB.

    Raises `InputError` for a device that is not available.
    """
    generations, callback = recorded(), watcher or NoCallback()
    progress = callback.phase("measuring speed, in 5 steps", 5) or (lambda done, total: None)
    formulas = _distinct(generations[-1])
    config = _config(device, BATCH)
    architectures = SPACES[SPACE].sample(networks, seed=0)
    with one_thread():
        measured = [_measured(a, config, formulas) for a in architectures]
        progress(1, 5)
        rates = _loops(formulas, [NetworkTensors.of(m) for m in measured])
        del measured
        progress(2, 5)
        evaluator = _evaluator(config, generations)
        table = _filled_table(_serial(evaluator), architectures)
        cold = timed(_scored, table, formulas)
        bytes_used = evaluator.bytes_of(Plan.of(formulas).statistics())
        rates["plan_cold"] = len(formulas) * networks / cold
        progress(3, 5)
        evaluator.clear_cache()
        table = _filled_table(_serial(evaluator), architectures)
        evolving = timed(_scored, table, *generations)
        distinct = len(_distinct([f for g in generations for f in g]))
        rates["plan_evolving"] = distinct * networks / evolving
        bytes_per_second = bandwidth(device)
        progress(4, 5)
        slopes = _slopes(generations, architectures, device)
        progress(5, 5)
    return {
        "formulas": len(formulas),
        "networks": networks,
        "rates": {name: round(rate, 1) for name, rate in rates.items()},
        "ratios": {
            f"plan_evolving / {name}": round(rates["plan_evolving"] / rates[name], 1)
            for name in ("disk_loop", "memory_loop")
        },
        "floor_ratio": round(cold * bytes_per_second / bytes_used, 2),
        "touched_mb": round(bytes_used / 2**20, 1),
        "bandwidth_gb_s": round(bytes_per_second / 1e9, 2),
        "recorded": {"formulas": sum(map(len, generations)), "distinct": distinct},
        "peak_mb": most_resident() >> 20,
        "measure_seconds": measuring(device),
        "slopes": slopes,
        "device": _device_name(device),
    }


def bandwidth(device: str = "cpu") -> float:
    """Bytes per second at which a tensor too large for any cache is read, with one thread: the best
    of five tries. Raises `InputError` for a device that is not available."""
    data = torch.ones(1 << 26, device=available_device(device))
    return data.nbytes / min(timed(lambda: float(data.sum())) for _ in range(5))


def measuring(device: str = "cpu", networks: int = 4) -> dict[str, float]:
    """Seconds to measure a network by each probe alone, tracing included: probe -> the mean over a
    few networks, for all statistics of the probe. Raises `InputError` for a device that is not
    available."""
    config = replace(_config(device, BATCH), sketch=64)
    models = [SPACES[SPACE].build(a) for a in SPACES[SPACE].sample(networks, seed=0)]
    seconds_of = {}
    for probe in dict.fromkeys(row.probe for row in CATALOGUE.values()):
        rows = [row for row in CATALOGUE.values() if row.probe == probe]
        seconds = [timed(measure, model, config, rows) for model in models]
        seconds_of[probe] = round(sum(seconds) / networks, 4)
    return seconds_of


def _slopes(
    generations: Sequence[Sequence[Expression]], architectures: Sequence[str], device: str
) -> dict[str, float]:
    """How the time of the plan with a cold cache grows: quantity -> slope in logs."""
    last = _distinct(generations[-1])

    def cold(batch: int, networks: int, formulas: int) -> float:
        evaluator = _evaluator(_config(device, batch), generations)
        table = _filled_table(_serial(evaluator), architectures[:networks])
        return timed(_scored, table, last[:formulas])

    most = min(SLOPE_NETWORKS, len(architectures))
    slopes = {
        "networks": _slope({n: cold(BATCH, n, len(last)) for n in (most // 2, most)}),
        "formulas": _slope({f: cold(BATCH, most, f) for f in (len(last) // 4, len(last))}),
        "batch": _slope({b: cold(b, most, len(last)) for b in (BATCH, 2 * BATCH)}),
    }
    if 1 < cores() <= len(architectures) // SHARD:  # a shard at least for each worker
        slopes["workers"] = _slope(
            {w: _shared(w, generations, architectures, device) for w in (1, cores())}
        )
    return slopes


def _shared(
    workers: int,
    generations: Sequence[Sequence[Expression]],
    architectures: Sequence[str],
    device: str,
) -> float:
    """Seconds for all generations, shared by so many workers."""
    config = _config(device, BATCH)
    team = start(lambda: _evaluator(config, generations), workers)
    try:
        table = _filled_table(team, architectures)
        return timed(_scored, table, *generations)
    finally:
        team.close()


def _slope(seconds: dict[int, float]) -> float:
    """The slope of log(seconds) over log(quantity): of quantity -> seconds."""
    x, y = (np.log(np.array(list(v), dtype=float)) for v in (seconds, seconds.values()))
    return round(float(np.polyfit(x, y, 1)[0]), 2)


def _config(device: str, batch: int) -> MeasurementConfig:
    device = available_device(device)
    return MeasurementConfig(
        image_batch(None, 64, 32, seed=0), raw=batch, sketch=batch, device=device
    )


def _measured(architecture: str, config: MeasurementConfig, formulas: Sequence[Expression]) -> Any:
    rows = [CATALOGUE[n] for n in Plan.of(formulas).statistics()]
    return measure(SPACES[SPACE].build(architecture), config, rows)


def _evaluator(config: MeasurementConfig, generations: Sequence[Sequence[Expression]]) -> Evaluator:
    statistics = Plan.of(f for g in generations for f in g).statistics()
    return Evaluator((Context(SPACES[SPACE], config),), tuple(statistics))


def _serial(evaluator: Evaluator) -> Workers:
    return Workers(SerialExecutor(lambda: evaluator))


def _filled_table(team: Workers, architectures: Sequence[str]) -> FeatureTable:
    """A table whose networks have been measured."""
    table = FeatureTable([architectures], team.evaluate)
    table.fill([parse("params")], table.networks)
    return table


def _scored(table: FeatureTable, *generations: Sequence[Expression]) -> None:
    """Score the formulas of each generation on all networks of the table."""
    for formulas in generations:
        table.fill(formulas, table.networks)
        for formula in formulas:
            table.scores(formula, 0, table.networks)


def _loops(formulas: Sequence[Expression], networks: Sequence[NetworkTensors]) -> dict[str, float]:
    pairs = len(formulas) * len(networks)

    def loop(formulas: Sequence[Expression], networks: Sequence[NetworkTensors | Path]) -> None:
        for formula in formulas:
            for network in networks:
                score(formula, loaded(network) if isinstance(network, Path) else network)

    with on_disk(networks) as paths:
        disk = timed(loop, formulas, paths)
    memory = timed(loop, formulas, networks)
    return {"disk_loop": pairs / disk, "memory_loop": pairs / memory}


def _distinct(formulas: Sequence[Expression]) -> list[Expression]:
    return list({f.canonical.text: f for f in formulas}.values())


def _device_name(device: str) -> str:
    device = available_device(device)
    return torch.cuda.get_device_name(device) if device != "cpu" else device
