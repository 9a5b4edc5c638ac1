"""The figures that must never change, computed afresh; this file knows where things are.

`python -m tests.golden.figures` writes them beside this file, as they are on this commit and this
machine. They were first taken on commit bd51ce1, before anything was moved or renamed; they are
taken again only where a result was meant to change, or what is computed here, and the commit then
says why. The journal is that of a search on features that ship (`eznas/evaluation/stored`), and
holds as long as these are what they are; that measuring gives what it gave is for the scores.
"""

import contextlib
import json
import os
import platform
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import torch

import eznas
from eznas.benchmarks.loading import without_accuracies
from eznas.discovery import config, records
from eznas.discovery.setup import contexts_for
from eznas.evolution import randomness
from eznas.evolution.grammar import Grammar, Individual, grow
from eznas.formulas.candidates import candidate_features
from eznas.formulas.parser import parse
from eznas.primitives import NET_SCALAR
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated

HOME = Path(__file__).parent
RUNS = HOME.parents[1] / "runs"
TORCH = "2.13.0+cpu"  # on which the fingerprints were taken: they name it
CHAMPIONS = ("quick-1", "quick-2", "quick-3")
TEN_CLASSICS = (
    *("params", "depth", "hybrid", "naswot", "jacob_cov", "snip", "zico", "zen"),
    *("eznas_a_sum", "az_nas"),
)
SHIPPED = records.PACKAGED  # before a test puts another in its place
# A search small enough for a test, in which every operator and both input sizes take part, on
# features that ship with the package.
SMALL_SEARCH = {
    "generations": 3,
    "population": 24,
    "offspring": 24,
    "first_networks": 16,
    "evolution.networks": 24,
    "champion_networks": 8,
    "evidence.networks": 16,
    "replicates": 20,
    "statistics": ("noise_conv_output_covariance", "layer_params", "layer_flops", "paths_count"),
    "seed_formulas": ("hybrid", "live_params", "depth"),
}


def machine() -> str:
    """What last bits depend on beside the code: where it is equal, so are all numbers."""
    model_name = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    processor = model_name[1] if model_name else platform.processor()
    kernels = os.environ.get("OPENBLAS_CORETYPE", "")
    capability = torch.backends.cpu.get_cpu_capability()
    return " ".join([processor, capability, kernels, torch.__version__])


def five_networks() -> tuple[str, ...]:
    """Architectures of NAS-Bench-201, some of them with dead layers."""
    return SPACES["nasbench201"].sample(10, seed=0)[:5]


def fingerprints() -> dict[str, list[str]]:
    """Fingerprint and image digest of measuring conditions, by what they are."""
    figures = {}
    for size, classes in ((32, 10), (32, 100), (16, 120), (64, 10)):
        for seed in (0, 1):
            images = generated(64, size, seed=seed)
            for raw, sketch, init in ((16, 64, "kaiming"), (4, 32, "kaiming"), (16, 64, "keep")):
                own = MeasurementConfig(
                    images, classes, raw=raw, sketch=sketch, initialisation=init, seed=seed
                )
                key = f"{size} pixels, {classes} classes, {raw} and {sketch} images, {init}, {seed}"
                figures[key] = [_fingerprint(own), images.fingerprint]
    small = generated(64, 32).resized(16)
    figures["32 pixels made 16"] = [
        _fingerprint(MeasurementConfig(small, raw=8, sketch=64)),
        small.fingerprint,
    ]
    for space, asked in (("nasbench201", ()), ("nasbench201", ("cifar10@24",)), ("darts", ())):
        space = "nds-darts" if space == "darts" else space
        for preset in ("quick", "paper"):
            benchmark = without_accuracies(space, (), asked)
            for context in contexts_for(benchmark, config.read(preset=preset)):
                own = context.measurement
                key = f"{preset} on {space} {' '.join(asked)} at {own.size}"
                figures[key] = [_fingerprint(own), own.images.fingerprint]
    return figures


def _fingerprint(measurement: MeasurementConfig) -> str:
    version, torch.__version__ = torch.__version__, TORCH
    try:
        return measurement.fingerprint
    finally:
        torch.__version__ = version


def grammar(preset: str) -> list[str]:
    """The productions of a preset's language, in their order."""
    statistics = config.read(preset=preset).evolution.statistics
    grammar = Grammar(statistics, candidate_features(statistics))
    return [
        f"{value_type} = {'constant' if p.node is None else p.node.name} "
        f"({', '.join(map(str, p.arguments))}) weight {p.weight} depth {p.depth}"
        for value_type, productions in grammar.productions.items()
        for p in productions
    ]


def random_trees() -> list[str]:
    """The first 200 random trees of seed 1, of the quick language."""
    statistics = config.read().evolution.statistics
    grammar = Grammar(statistics, candidate_features(statistics))
    before = randomness.state()
    randomness.seed(1)
    try:
        depths = [3 + i % 5 for i in range(200)]
        return [Individual(grow(grammar, NET_SCALAR, d)).expression.text for d in depths]
    finally:
        randomness.restore(before)


def archives() -> dict[str, list[str]]:
    """Canonical text of every formula in the archives of the committed runs."""
    return {
        file.parent.name: [
            parse(entry["formula"]).canonical.text
            for entry in json.loads(file.read_text())["formulas"]
        ]
        for file in sorted(RUNS.glob("*/archive.json"))
        if file.parent.name in (*CHAMPIONS, "paper-1", "two-spaces-1")
    }


def journal() -> dict[str, object]:
    """What a small run finds, generation by generation, and how it is judged in the end."""
    settings = config.read(settings=SMALL_SEARCH)
    with (
        TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, EZNAS_DATA=folder),
        mock.patch.object(records, "PACKAGED", SHIPPED),
    ):
        result = eznas.evolve(settings, name="golden")
        lines = Path("runs/golden/journal.jsonl").read_text().splitlines()
    generations = []
    for line in map(json.loads, lines):
        best = line["best"]
        generations.append(
            {
                "generation": line["generation"],
                "networks": line["networks"],
                "formula": best["formula"],
                "fitness": best["fitness"],
                "taus": best["taus"],
                "coverage": best["coverage"],
                "median": line["median"],
                "valid": line["valid"],
                "evaluations": line["evaluations"],
                "features": line["features"],
                "pairs": line["pairs"],
                "reasons": line["reasons"],
                "origins": line["origins"],
                "disconnected": line["disconnected"],
            }
        )
    return {
        "generations": generations,
        "champion": result.formula,
        "evaluations": result.evaluations,
        "judged": [[r["proxy"], r["dataset"], r["tau"], r["tau_low"]] for r in result.held_out],
        "ahead": [[r["against"], r["dataset"], r["tau"], r["low"]] for r in result.difference],
    }


def correlation(folder_of_records: Path | None) -> dict[str, object]:
    """`correlate hybrid naswot params` on 200 networks: with recorded values, or measured."""
    with TemporaryDirectory() as folder:
        given = None
        if folder_of_records is not None:
            given = str(Path(folder, "records"))
            shutil.copytree(folder_of_records, given)
        figures = eznas.correlate(
            ["hybrid", "naswot", "params"], networks=200, against="hybrid", records=given
        )
    return {
        "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in figures.rows],
        "difference": [dict(row) for row in figures.difference],
    }


def scores(names: tuple[str, ...]) -> dict[str, list[float | None]]:
    """Scores of five networks by some proxies, on a small batch."""
    figures = {}
    for name in names:
        proxy = eznas.load(str(RUNS / name) if name in CHAMPIONS else name)
        proxy = replace(proxy, raw_batch=4)
        own = []
        for architecture in five_networks():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model = SPACES["nasbench201"].build(architecture)
            own.append(proxy.score(model, batch=8, init="kaiming"))
        figures[name] = [repr(value) for value in own]
    return figures


def formulas() -> dict[str, str]:
    """The text of every published proxy."""
    return {name: parse(classic.formula).text for name, classic in CLASSICS.items()}


FIGURES = {
    "fingerprints": fingerprints,
    "formulas": formulas,
    "archives": archives,
    "random_trees": random_trees,
    "grammar_quick": lambda: grammar("quick"),
    "grammar_paper": lambda: grammar("paper"),
    "classics": lambda: scores(TEN_CLASSICS),
    "champions": lambda: scores(CHAMPIONS),
    "recorded_correlation": lambda: correlation(RUNS / "nasbench201-all"),
    "measured_correlation": lambda: correlation(None),
    "journal": journal,
}


def main(names: list[str]) -> None:
    """Write the figures (all of them, or those that are named)."""
    torch.set_num_threads(1)
    (HOME / "machine.txt").write_text(machine() + "\n")
    for name in names or FIGURES:
        text = json.dumps(FIGURES[name](), indent=1, ensure_ascii=False)
        (HOME / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
