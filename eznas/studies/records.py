"""Feature stores filled before they are needed, so that searches and comparisons measure little."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import held_out, search_networks
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config
from eznas.discovery.records import records_folder, stores_for
from eznas.discovery.sections import EvidenceConfig
from eznas.discovery.setup import baselines, contexts_for
from eznas.errors import InputError, unknown
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.network_scores import table_of
from eznas.evaluation.stored_workers import Measuring, started
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import load
from eznas.system.arguments import checked, whole

PARTS = ("search", "held-out", "both")
NETWORKS = {"nasbench201": 2000, "nasbench-macro": 600}  # of the search part
OTHERS = 1000  # networks of the search part of any other space
ALSO_SHOWN = ("jacob_cov",)  # by `eznas.arena`, besides the baselines


@checked
def build_records(
    spaces: Sequence[str],
    *,
    networks: int | None = None,
    part: str = "search",
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> list[dict[str, Any]]:
    """Fill the feature stores of spaces with all short features that a search with default settings
    looks at: rows with the keys space, part, networks, features, inputs (sizes of the images),
    folder and seconds. What a store has is not measured again, so a call that was interrupted goes
    on where it stopped.

    `networks` of the search part, in the order in which searches take them, at most as many as
    there are (None: 2,000 of nasbench201, 600 of nasbench-macro, 1,000 of others). `part`:
    "search", "held-out" (the networks that runs are tested on; their features say nothing of their
    accuracies), or "both".
    `records`: the folder of the stores, see `eznas.discovery.records`. Raises `InputError` for an
    unknown space or part, one without accuracies here, and a store that cannot be added to.
    """
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    folder = records_folder(records)
    if folder is None:
        raise InputError("records: expected a folder to write to")
    benchmarks = [load_benchmark(space) for space in dict.fromkeys(spaces)]
    parts = PARTS[:2] if part == "both" else (part,)
    settings = Config.model_validate({"measurement": {"device": device}})
    return [
        _built(networks_of(benchmark, name, networks), name, settings, folder, workers, watcher)
        for benchmark in benchmarks
        for name in parts
    ]


def networks_of(benchmark: Benchmark, part: str, networks: int | None) -> Benchmark:
    """The first `networks` of a part of a benchmark (None: the usual number), at most as many as
    there are, in the order of searches and tests."""
    if part == "held-out":
        return held_out(benchmark, EvidenceConfig().networks)
    usual = NETWORKS.get(benchmark.space, OTHERS)
    count = usual if networks is None else whole("networks", networks, 2)
    return search_networks(benchmark, min(count, len(benchmark.split.search)))


def usual_formulas(config: Config) -> list[Expression]:
    """What stores keep the features of: short features, seeds and baselines of a search, and the
    published proxies that `eznas.arena` shows beside these."""
    seeds = [load(seed).formula for seed in config.evolution.seed_formulas]
    candidates = candidate_features(config.evolution.statistics)
    shown = [parse(CLASSICS[name].formula) for name in ALSO_SHOWN]
    return [*candidates, *seeds, *baselines().values(), *shown]


def _built(
    benchmark: Benchmark,
    part: str,
    config: Config,
    folder: Path,
    workers: int,
    watcher: Callback | None,
) -> dict[str, Any]:
    start_time = time.monotonic()
    contexts = contexts_for(benchmark, config)
    stores, count = stores_for(contexts, folder), len(benchmark.architectures)
    title = f"measuring networks of {benchmark.source}, {part} part"
    team = started(
        partial(Evaluator, contexts, keep=False, lenient=True),
        workers,
        contexts,
        stores,
        Measuring(title, count, watcher or NoCallback()),
        lenient=True,
    )
    try:
        stores[0].claim([context.measurement for context in contexts])
        with one_thread():
            table = table_of(benchmark, team)
            table.fill(usual_formulas(config), count)
    finally:
        team.close()
    return {
        "space": benchmark.source,
        "part": part,
        "networks": count,
        "features": len(table),
        "inputs": [context.measurement.size for context in contexts],
        "folder": str(stores[0].path),
        "seconds": time.monotonic() - start_time,
    }
