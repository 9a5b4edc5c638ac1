"""Fuzz targets: functions that read data which may be untrusted, by name.

A target takes bytes and an empty folder. It reads the bytes and returns, or raises `InputError`;
anything else is a failure. A new target is a function, a line in `TARGETS` and one in `SEEDS`.
"""

import gzip
import io
import json
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from eznas.benchmarks.curves import curves_path, load_curves
from eznas.benchmarks.readers import nats
from eznas.benchmarks.readers.curve_csv import read_curves
from eznas.benchmarks.readers.pickles import plain_pickle
from eznas.benchmarks.readers.plain_csv import read_accuracies
from eznas.benchmarks.store import FOLDER, path_of, stored
from eznas.discovery import config
from eznas.discovery.checkpoint import LATEST, LOGS, Checkpoints
from eznas.discovery.run import Outcome
from eznas.evaluation.feature_store import FILE as STORE_FILE
from eznas.evaluation.feature_store import FeatureStore
from eznas.evolution import randomness
from eznas.formulas.parser import parse, parse_any
from eznas.formulas.simplify import simplified
from eznas.primitives import PRIMITIVES
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import load
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.system.files import digest
from eznas.system.folder import RunFolder

FORMULA = CLASSICS["hybrid"].formula
MEASURED = {
    **{"measurement": [{"seed": 0}], "fingerprint": ["00"]},
    **{"raw_batch": 4, "sketch_batch": 16},
}
PROXY = {
    **{
        "eznas_proxy": 2,
        "name": "mine",
        "formula": FORMULA,
        "constants": [2.5],
        "coverage": 1.0,
        "labels": {},
    },
    **{"statistics": ["params"], "evidence": [{"tau": None}], **MEASURED},
}
RUN = {
    "config.json": config.Config().model_dump(),
    "archive.json": {"formulas": [{"formula": FORMULA, "coverage": 1.0}], **MEASURED},
    "champion.json": PROXY,
    "result.json": {"formula": FORMULA, "held_out": [{"proxy": "champion", "tau": 0.5}]},
    "environment.json": {"python": "3.11", "packages": {"torch": "2.11"}, "machine": "x86_64"},
}
STORED = {
    **{"format": 3, "space": "nasbench-macro", "kind": "test", "components": [0]},
    "held_out": [False],
    **{"origin": {"file": "a", "sha256": "0"}, "trials": {"cifar10": {"00000000": [90.5]}}},
}
CURVES = {
    **{"format": 1, "name": "naap440", "origin": {"file": "a", "sha256": "0"}},
    "curves": [
        {
            **{"space": "naap440", "dataset": "cifar10", "architectures": ["3x12s2-3x16s2-1x16s1"]},
            **{"epochs": [1, 3], "values": {"accuracy": [[30.5, 40]], "train_loss": [[2.5, 2]]}},
            **{"accuracies": [58.5], "total_epochs": 90},
        }
    ],
}
ARCHIVED = {  # a formula of a search's population or archive
    **{"formula": FORMULA, "origin": "seed", "generation": 0, "taus": [0.5, None]},
    **{"fitness": -1.0, "reason": "ties", "coverage": 1.0},
}
CHECKPOINT = {
    **{"format": 2, "seconds": 1.5, "last": 9, "configured": True},
    "fixed": {"config.json": digest(b"{}")},
    "logs": {log: {"bytes": 0, "sha256": digest(b"")} for log in LOGS},
    "search": {
        **{"generation": 0, "evaluations": 9, "networks": 8, "stale": 0},
        "random": [3, [0] * 624 + [624], None],
        **{"population": [ARCHIVED], "archive": [ARCHIVED], "seen": ["00"]},
        **{"features": {"params": 8}, "unusable": {"depth": "killed"}},
    },
}
SPACE = SPACES["nasbench201"]
CELL = SPACE.architectures()[7]
STORED_FEATURES = (
    json.dumps(
        {"measurement": "00", "features": ["params", "depth"], "architectures": [CELL]}
    ).encode()
    + b"\n"
    + bytes(2 * (8 + 8 + 1))
)


def formula(data: bytes, _: Path) -> None:
    """A formula: its printed, its canonical and its simplified text are parsed again."""
    simplified.cache_clear()  # so that inputs do not depend on earlier ones or fill the memory
    expression = parse_any(data.decode(errors="surrogateescape"))
    canonical, simple = expression.canonical, simplified(expression)
    assert parse_any(expression.text) == expression
    assert parse_any(canonical.text).canonical == canonical == canonical.canonical
    assert parse_any(simple.text) == simple == simplified(simple)
    assert simple.type == canonical.type == expression.type
    assert simple.size <= canonical.size == expression.size


def proxy_file(data: bytes, folder: Path) -> None:
    """A proxy file, and its copy."""
    (folder / "mine.json").write_bytes(data)
    proxy, content = files.read(folder / "mine.json")
    files.write(folder / "copy.json", content)
    assert files.read(folder / "copy.json") == (proxy, content)
    assert proxy.name.isprintable()
    assert content.formula.isprintable()


def run(name: str, data: bytes, folder: Path) -> None:
    """A run folder in which one file is untrusted."""
    for file, content in RUN.items():
        (folder / file).write_text(json.dumps(content))
    (folder / name).write_bytes(data)
    for reference in (str(folder), f"{folder}#1"):
        assert load(reference).name.isprintable()
    RunFolder(folder).read("config.json", config.Config)
    RunFolder(folder).read("result.json", Outcome)
    RunFolder(folder).read("environment.json", dict[str, Any])


def state(data: bytes, folder: Path) -> None:
    """The content of a checkpoint, under a seal with the right digest."""
    sealed(_sealed(data), folder)


def sealed(data: bytes, folder: Path) -> None:
    """The file of a checkpoint with its seal, and what a resumed search reads from it."""
    (folder / "config.json").write_bytes(b"{}")
    for log in LOGS:
        (folder / log).write_bytes(b"")
    (folder / LATEST).write_bytes(data)
    with Checkpoints(RunFolder(folder)) as checkpoints:
        checkpoint = checkpoints.restore()
    if checkpoint is not None:
        for individual in (*checkpoint.search.population, *checkpoint.search.archive):
            parse(individual.formula)
        randomness.restore(checkpoint.search.random)


def _sealed(content: bytes) -> bytes:
    return json.dumps({"bytes": len(content), "sha256": digest(content)}).encode() + b"\n" + content


def settings(data: bytes, folder: Path) -> None:
    """A configuration file."""
    (folder / "mine.toml").write_bytes(data)
    config.read(folder / "mine.toml")


def setting(data: bytes, _: Path) -> None:
    """A setting of a configuration, as on the command line."""
    config.read(settings=dict([config.setting(data.decode(errors="surrogateescape"))]))


def feature_store(data: bytes, folder: Path) -> None:
    """The values of a feature store."""
    (folder / STORE_FILE).write_bytes(gzip.compress(data, 1))
    FeatureStore(folder, SPACE.name)


def accuracies(data: bytes, folder: Path) -> None:
    """A CSV file of architectures and accuracies."""
    (folder / "mine.csv").write_bytes(data)
    read_accuracies(folder / "mine.csv", SPACE)


def imported(data: bytes, folder: Path) -> None:
    """The stored table of an imported benchmark."""
    with mock.patch.dict(os.environ, {FOLDER: str(folder)}):
        path_of(str(STORED["space"])).write_bytes(gzip.compress(data, 1))
        stored(str(STORED["space"])).benchmark()


def stored_curves(data: bytes, folder: Path) -> None:
    """The stored learning curves of an import."""
    with mock.patch.dict(os.environ, {FOLDER: str(folder)}):
        curves_path(str(CURVES["name"])).write_bytes(gzip.compress(data, 1))
        load_curves(str(CURVES["name"])).until(90)


def curve_csv(data: bytes, folder: Path) -> None:
    """A CSV file of architectures and learning curves."""
    (folder / "mine.csv").write_bytes(data)
    read_curves(folder / "mine.csv", SPACE)


def pickled(data: bytes, _: Path) -> None:
    """A pickle in an official file."""
    plain_pickle(io.BytesIO(data), "table", nats.ADMITTED)


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "formula": formula,
    "proxy": proxy_file,
    **{name.removesuffix(".json"): partial(run, name) for name in RUN},
    "state": state,
    "sealed": sealed,
    "settings": settings,
    "setting": setting,
    "feature_store": feature_store,
    "accuracies": accuracies,
    "imported": imported,
    "stored_curves": stored_curves,
    "curve_csv": curve_csv,
    "pickled": pickled,
}
SEEDS: dict[str, list[bytes]] = {
    "formula": [c.formula.encode() for c in CLASSICS.values()],
    "proxy": [json.dumps(PROXY).encode()],
    **{name.removesuffix(".json"): [json.dumps(content).encode()] for name, content in RUN.items()},
    "state": [json.dumps(CHECKPOINT, separators=(",", ":")).encode()],
    "sealed": [_sealed(json.dumps(CHECKPOINT, separators=(",", ":")).encode())],
    "settings": [b"seed = 3\npreset = 'paper'\nstepwise = 0.5\ntasks = ['nasbench201/cifar10']\n"],
    "setting": [b"seed=3", b"tasks=['nasbench201']", b"selection=lexicase"],
    "feature_store": [STORED_FEATURES],
    "accuracies": [f"architecture,accuracy\n{CELL},90.5\n".encode()],
    "imported": [json.dumps(STORED).encode()],
    "stored_curves": [json.dumps(CURVES).encode()],
    "curve_csv": [f"architecture,accuracy,accuracy_1,loss_1\n{CELL},90.5,20,2.5\n".encode()],
    "pickled": [pickle.dumps({"90": [1.5, (2, "a")]}, protocol) for protocol in range(5)],
}
KEYS = (*PROXY, *STORED, *CURVES, *CHECKPOINT, *CHECKPOINT["search"], *ARCHIVED, *config.keys())
TOKENS = (*PRIMITIVES, *CATALOGUE, *KEYS, "NaN", "1e999", "\\ud800")
