"""A run on real networks, as small as they come, and what it leaves behind."""

import json
from pathlib import Path
from typing import NamedTuple

from eznas.discovery.callbacks import NoCallback
from eznas.discovery.config import Config, read
from eznas.discovery.run import Result

TINY = {
    "tasks": ("nasbench201/ImageNet16-120",),  # the smallest images
    "statistics": ("layer_params", "data_relu_agreement", "data_conv_output_gram", "params"),
    "seed_formulas": ("naswot", "live_params"),
    "generations": 2,
    "population": 16,
    "offspring": 16,
    "first_networks": 8,
    "networks": 16,
    "champion_networks": 8,
    "evidence.networks": 16,
    "replicates": 20,
    "raw_batch": 2,
    "sketch_batch": 4,
}
# For runs that have to measure: as few networks as a run can have.
FEW = {"networks": 8, "champion_networks": 0, "evidence.networks": 8}
LOGS_AND_ARCHIVE = ("journal.jsonl", "archive.json")


def tiny(**changes) -> Config:
    """The configuration of a tiny run, with some keys changed."""
    return read(settings=TINY | changes)


class FinishedRun(NamedTuple):
    """A run in `home`/runs, and what `evolve` returned."""

    home: Path
    result: Result

    @property
    def stores(self) -> Path:
        """The folder of feature stores that it has filled."""
        return self.home / "data" / "features"


class Interrupts(NoCallback):
    """Presses Ctrl-C after a generation."""

    def __init__(self, after):
        self.after = after

    def generation(self, report, seconds, left):
        if report.generation == self.after:
            raise KeyboardInterrupt


def read_json(home, run, name):
    """The content of a file of a run in `home`/runs."""
    return json.loads((home / "runs" / run / name).read_text())


def journal(home, run):
    """The lines of a run's journal."""
    text = (home / "runs" / run / "journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def comparable(home, run):
    """What has to be equal between equal runs, byte for byte."""
    result = read_json(home, run, "result.json")
    keys = ("formula", "evaluations", "held_out", "difference")
    champion = read_json(home, run, "champion.json")
    return {
        **{name: (home / "runs" / run / name).read_bytes() for name in LOGS_AND_ARCHIVE},
        "result.json": json.dumps({key: result[key] for key in keys}),
        "champion.json": json.dumps(champion | {"name": ""}),  # it is named after the run
    }
