"""How fast formulas are evaluated: ours and the original way, in one run (`eznas speed`)."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eznas.discovery.callbacks import Callback, NoCallback
from eznas.evaluation.contexts import Context
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.executors import SerialExecutor
from eznas.evaluation.feature_table import SHARD, FeatureTable
from eznas.evaluation.plan import Plan
from eznas.evaluation.workers import Workers, start
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.proxies.loading import load
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE, Statistic
from eznas.statistics.config import MeasurementConfig, available_device, image_batch
from eznas.statistics.measuring import measure
from eznas.studies.original_loops import NetworkTensors, loaded, on_disk, score
from eznas.system.machine import cores, most_resident

SPACE = "nasbench201"
BATCH = 2  # images of raw tensors: batch norm needs two
SCORED = ("jacob_cov", "hybrid", "naswot", "eznas_a_sum", "az_expressivity")
SMALL = 8  # networks, where cost is measured against something else


def recorded() -> list[list[Expression]]:
    """The recorded population: the new formulas of ten generations of a search over EZNAS's
    statistics, a generation a list; see the head of the file."""
    text = files("eznas.studies").joinpath("recorded_formulas.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    parts = "\n".join(lines).strip().split("\n\n")
    return [[parse(line) for line in part.splitlines()] for part in parts]


def speed(
    networks: int = 16, device: str = "cpu", watcher: Callback | None = None
) -> dict[str, Any]:
    """Rates, distance to the floor that memory bandwidth sets, peak memory, seconds of measuring.

    The loops and the plan score the last recorded generation on the same networks with one thread,
    all tensors measured before; `plan_evolving` scores all generations one after the other with
    what is cached between them. `floor_ratio`: the time of the plan with a cold cache over that of
    reading all statistics it touches once. `slopes`: of the time against each quantity, both in
    logs.
    """
    generations, callback = recorded(), watcher or NoCallback()
    report = callback.phase("speed", 5) or (lambda done, total: None)
    formulas = _distinct(generations[-1])
    config = _config(device, BATCH)
    architectures = SPACES[SPACE].sample(networks, seed=0)
    with one_thread():
        measured = [_measured(a, config, formulas) for a in architectures]
        report(1, 5)
        rates = _loops(formulas, [NetworkTensors.of(m) for m in measured])
        del measured
        report(2, 5)
        evaluator = _evaluator(config, generations)
        table = _filled_table(_serial(evaluator), architectures)
        cold = _timed(_scored, table, formulas)
        touched = evaluator.touched(Plan.of(formulas).statistics())
        rates["plan_cold"] = len(formulas) * networks / cold
        report(3, 5)
        evaluator.forget()
        table = _filled_table(_serial(evaluator), architectures)
        evolving = _timed(_scored, table, *generations)
        distinct = len(_distinct([f for g in generations for f in g]))
        rates["plan_evolving"] = distinct * networks / evolving
        bytes_per_second = bandwidth(device)
        report(4, 5)
        slopes = _slopes(generations, architectures, device)
        report(5, 5)
    return {
        "formulas": len(formulas),
        "networks": networks,
        "rates": {name: round(rate, 1) for name, rate in rates.items()},
        "ratios": {
            f"plan_evolving / {name}": round(rates["plan_evolving"] / rates[name], 1)
            for name in ("disk_loop", "memory_loop")
        },
        "floor_ratio": round(cold * bytes_per_second / touched, 2),
        "touched_mb": round(touched / 2**20, 1),
        "bandwidth_gb_s": round(bytes_per_second / 1e9, 2),
        "recorded": {"formulas": sum(map(len, generations)), "distinct": distinct},
        "peak_mb": most_resident() >> 20,
        "measure_seconds": measuring(device),
        "scoring": scoring(device),
        "slopes": slopes,
        "device": _named(device),
    }


def bandwidth(device: str = "cpu") -> float:
    """Bytes per second of reading a tensor that fits in no cache, with one thread; the best of
    several times."""
    data = torch.ones(1 << 26, device=available_device(device))
    return data.nbytes / min(_timed(lambda: float(data.sum())) for _ in range(5))


def measuring(device: str = "cpu", networks: int = 4) -> dict[str, float]:
    """Seconds to measure a network by each probe alone (tracing included), on one thread: the mean
    over a few networks, all statistics of the probe, default batches."""
    config = replace(_config(device, BATCH), sketch=64)
    models = [SPACES[SPACE].build(a) for a in SPACES[SPACE].sample(networks, seed=0)]
    found = {}
    for probe in dict.fromkeys(row.probe for row in CATALOGUE.values()):
        rows = [row for row in CATALOGUE.values() if row.probe == probe]
        seconds = [_timed(measure, model, config, rows) for model in models]
        found[probe] = round(sum(seconds) / networks, 4)
    return found


def scoring(device: str = "cpu", networks: int = 4) -> dict[str, float]:
    """What scoring a network costs, over the bare forward and backward passes of the formula's
    probes: the median over a few networks, the best of three times each."""
    models = [SPACES[SPACE].build(a) for a in SPACES[SPACE].sample(networks, seed=0)]
    found = {}
    for name in SCORED:
        proxy = load(name)
        config = proxy.measurement_config(init="kaiming", device=device)
        rows = [CATALOGUE[n] for n in Plan.of(proxy.formula.features()).statistics()]
        ratios = [
            min(_timed(proxy.evaluate, model, config) for _ in range(3))
            / min(_passes(model, config, rows) for _ in range(3))
            for model in models
        ]
        found[name] = round(float(np.median(ratios)), 2)
    return found


def _passes(model: nn.Module, config: MeasurementConfig, rows: Sequence[Statistic]) -> float:
    """Seconds of the bare passes of the probes of some statistics, on the model as it is."""
    seconds = 0.0
    for probe, batch in sorted({r.excitation for r in rows if r.probe != "structure"}):
        own = [r for r in rows if r.excitation == (probe, batch)]
        images = config.images.pixels[: config.batch(batch)].to(config.device)
        images = images.contiguous(memory_format=torch.channels_last)
        ran = copy.deepcopy(model).to(config.device).train()
        if probe == "flow":
            ran, images = ran.double(), images[:1].double()
        seconds += _timed(_pass, ran, images, any(r.gradient for r in own))
    return seconds


def _pass(model: nn.Module, images: Tensor, backward: bool) -> None:
    images.requires_grad_(backward)
    with torch.set_grad_enabled(backward):
        logits = model(images)
    if backward:
        found = [images, *model.parameters()]
        torch.autograd.grad(logits.sum(), found, allow_unused=True)  # some lead to no logits
    if images.is_cuda:
        torch.cuda.synchronize(images.device)


def _slopes(
    generations: Sequence[Sequence[Expression]], architectures: Sequence[str], device: str
) -> dict[str, float]:
    """How the time of the plan with a cold cache grows."""
    last = _distinct(generations[-1])

    def cold(batch: int, networks: int, formulas: int) -> float:
        evaluator = _evaluator(_config(device, batch), generations)
        table = _filled_table(_serial(evaluator), architectures[:networks])
        return _timed(_scored, table, last[:formulas])

    most = min(SMALL, len(architectures))
    slopes = {
        "networks": _slope({n: cold(BATCH, n, len(last)) for n in (most // 2, most)}),
        "formulas": _slope({f: cold(BATCH, most, f) for f in (len(last) // 4, len(last))}),
        "batch": _slope({b: cold(b, most, len(last)) for b in (BATCH, 2 * BATCH)}),
    }
    if 1 < cores() <= len(architectures) // SHARD:  # or they have nothing to share
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
    """Seconds for all generations, by so many workers."""
    config = _config(device, BATCH)
    team = start(lambda: _evaluator(config, generations), workers)
    try:
        table = _filled_table(team, architectures)
        return _timed(_scored, table, *generations)
    finally:
        team.close()


def _slope(seconds: dict[int, float]) -> float:
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
    """A table of networks that are measured."""
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
        disk = _timed(loop, formulas, paths)
    memory = _timed(loop, formulas, networks)
    return {"disk_loop": pairs / disk, "memory_loop": pairs / memory}


def _distinct(formulas: Sequence[Expression]) -> list[Expression]:
    return list({f.canonical.text: f for f in formulas}.values())


def _timed(work: Callable[..., object], *arguments: object) -> float:
    """Seconds of a call."""
    begun = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begun


def _named(device: str) -> str:
    device = available_device(device)
    return torch.cuda.get_device_name(device) if device != "cpu" else device
