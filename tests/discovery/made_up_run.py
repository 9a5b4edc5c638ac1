"""The folder of a run that nothing was computed for."""

import json
from dataclasses import asdict
from pathlib import Path

from eznas.evolution.archive import Entry
from eznas.evolution.generation import Generation
from eznas.system.folder import RunFolder
from tests.discovery.tiny_run import tiny


def report(generation: int, fitness: float = 0.5) -> Generation:
    """A generation of ten formulas."""
    entry = Entry("params", "params", 1, fitness, (fitness,), 1.0, 16, generation, "seed")
    numbers = {"networks": 16, "best": entry, "median": 0.25, "valid": 1.0, "evaluations": 10}
    return Generation(
        generation, **numbers, features=1, pairs=16, reasons={}, origins={}, disconnected=0
    )


def make_run(home: Path, name: str, reports=(), **changes) -> RunFolder:
    """The folder of a run in `home`/runs with these generations, a second each."""
    (home / "runs").mkdir(exist_ok=True)
    folder = RunFolder.create(name, "", home / "runs")
    folder.write("config.json", tiny(**changes).model_dump())
    for each in reports:
        add(folder, each)
    return folder


def add(folder: RunFolder, each: Generation) -> None:
    """One more generation."""
    lines = {"timings.jsonl": {"generation": each.generation, "seconds": each.generation + 1.0}}
    for name, content in (lines | {"journal.jsonl": asdict(each)}).items():
        with (folder.path / name).open("a") as file:
            file.write(json.dumps(content) + "\n")


def finish(folder: RunFolder, evaluations: int, stopped: str = "") -> None:
    """The result of a run whose champion was tested on nothing."""
    empty = {"held_out": [], "difference": [], "recommended": ""}
    head = {"run": folder.name, "champion": folder.name, "formula": "params", "seconds": 3.0}
    folder.write("result.json", {**head, **empty, "evaluations": evaluations, "stopped": stopped})
