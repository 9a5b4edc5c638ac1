"""What is fuzzed: the readers of what may come from a stranger, by name.

A target is given bytes and an empty folder. It reads them and returns, or raises `InputError`;
anything else is a finding. A new reader is a function, a line in `TARGETS` and a line in `SEEDS`.
"""

import gzip
import io
import json
import os
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

from eznas.benchmarks import read_accuracies
from eznas.benchmarks.readers import nats
from eznas.benchmarks.readers.pickles import plain_pickle
from eznas.benchmarks.store import FOLDER, path_of, stored
from eznas.discovery import config
from eznas.discovery.checkpoint import LOGS, STATE, Checkpoints
from eznas.discovery.folder import Environment, RunFolder
from eznas.evaluation.feature_store import FeatureStore
from eznas.evolution import randomness
from eznas.formulas.parser import parse, parse_any
from eznas.formulas.simplify import simplified
from eznas.primitives import PRIMITIVES
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import resolve
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.system.files import digest

FORMULA = CLASSICS["hybrid"].formula
PROXY = {
    **{"eznas_proxy": 1, "name": "mine", "formula": FORMULA, "constants": [2.5], "coverage": 1.0},
    **{"statistics": ["params"], "conditions": [{"seed": 0}], "fingerprint": ["00"]},
    **{"raw_batch": 4, "sketch_batch": 16, "judged": [{"tau": None}]},
}
RUN = {
    "config.json": config.Config().model_dump(),
    "archive.json": [{"formula": FORMULA, "coverage": 1.0}],
    "result.json": {"formula": FORMULA, "held_out": [{"proxy": "champion", "tau": 0.5}]},
    "environment.json": {"conditions": [{"seed": 0}], "fingerprints": ["00"]},
}
STORED = {
    **{"format": 2, "space": "nasbench-macro", "value_type": "test", "components": [0]},
    **{"origin": {"file": "a", "sha256": "0"}, "trials": {"cifar10": {"00000000": [90.5]}}},
}
KEPT = {
    **{"formula": FORMULA, "origin": "seed", "generation": 0, "taus": [0.5, None]},
    **{"fitness": -1.0, "reason": "ties", "coverage": 1.0},
}
SAVED = {
    **{
        "format": 1,
        "seconds": 1.5,
        "last": 9,
        "held": True,
        "begun": {"config.json": digest(b"{}")},
    },
    "logs": {log: {"bytes": 0, "sha256": digest(b"")} for log in LOGS},
    "search": {
        **{"generation": 0, "evaluations": 9, "networks": 8, "stale": 0},
        "random": [3, [0] * 624 + [624], None],
        **{"population": [KEPT], "archive": [KEPT], "met": ["00"], "measures": {"params": 8}},
        "refused": {"depth": "killed"},
    },
}
TABLE = SPACES["nasbench201"]
CELL = TABLE.architectures()[7]


def formula(data: bytes, _: Path) -> None:
    """A formula, what it is printed, sorted and simplified as, and all of it read again."""
    simplified.cache_clear()  # a finding is one by itself, and a million inputs are no leak
    found = parse_any(data.decode(errors="surrogateescape"))
    canonical, short = found.canonical, simplified(found)
    assert parse_any(found.text) == found
    assert parse_any(canonical.text).canonical == canonical == canonical.canonical
    assert parse_any(short.text) == short == simplified(short)
    assert short.type == canonical.type == found.type
    assert short.size <= canonical.size == found.size


def proxy(data: bytes, folder: Path) -> None:
    """A proxy file, and its copy."""
    (folder / "mine.json").write_bytes(data)
    found, content = files.read(folder / "mine.json")
    files.write(folder / "copy.json", content)
    again, copied = files.read(folder / "copy.json")
    assert (again, copied) == (found, content)
    assert found.name.isprintable()
    assert content.formula.isprintable()


def run(name: str, data: bytes, folder: Path) -> None:
    """A run folder of which one file is a stranger's."""
    (folder / name).write_bytes(data)
    for own in (f for f in RUN if not (folder / f).exists()):
        (folder / own).write_text(json.dumps(RUN[own]))
    for text in (str(folder), f"{folder}#1"):
        assert resolve(text).name.isprintable()
    RunFolder(folder).read("config.json", config.Config)
    RunFolder(folder).read("environment.json", Environment)


def state(data: bytes, folder: Path) -> None:
    """The state of a run, under a seal that fits."""
    sealed(_sealed(data), folder)


def sealed(data: bytes, folder: Path) -> None:
    """The state of a run as it lies on disk, and what a search takes from it."""
    (folder / "config.json").write_bytes(b"{}")
    for log in LOGS:
        (folder / log).write_bytes(b"")
    (folder / STATE).write_bytes(data)
    with Checkpoints(RunFolder(folder)) as books:
        saved = books.restore()
    if saved is not None:
        for kept in (*saved.search.population, *saved.search.archive):
            parse(kept.formula)
        randomness.restore(saved.search.random)


def _sealed(content: bytes) -> bytes:
    return json.dumps({"bytes": len(content), "sha256": digest(content)}).encode() + b"\n" + content


def settings(data: bytes, folder: Path) -> None:
    """A configuration."""
    (folder / "own.toml").write_bytes(data)
    config.read(folder / "own.toml")


def setting(data: bytes, _: Path) -> None:
    """A single setting of a configuration."""
    config.read(settings=dict([config.setting(data.decode(errors="surrogateescape"))]))


def records(data: bytes, folder: Path) -> None:
    """The measured values of a folder of records."""
    (folder / "measures.csv.gz").write_bytes(gzip.compress(data, 1))
    FeatureStore(folder, TABLE.name)


def accuracies(data: bytes, folder: Path) -> None:
    """A CSV file of architectures and accuracies."""
    (folder / "own.csv").write_bytes(data)
    read_accuracies(folder / "own.csv", TABLE)


def imported(data: bytes, folder: Path) -> None:
    """Ground truth as it was imported."""
    with mock.patch.dict(os.environ, {FOLDER: str(folder)}):
        path_of(str(STORED["space"])).write_bytes(gzip.compress(data, 1))
        stored(str(STORED["space"])).benchmark()


def pickled(data: bytes, _: Path) -> None:
    """A pickle of an official file."""
    plain_pickle(io.BytesIO(data), "table", nats._ADMITTED)


TARGETS: dict[str, Callable[[bytes, Path], None]] = {
    "formula": formula,
    "proxy": proxy,
    **{name.removesuffix(".json"): partial(run, name) for name in RUN},
    "state": state,
    "sealed": sealed,
    "settings": settings,
    "setting": setting,
    "records": records,
    "accuracies": accuracies,
    "imported": imported,
    "pickled": pickled,
}
SEEDS: dict[str, list[bytes]] = {
    "formula": [c.formula.encode() for c in CLASSICS.values()],
    "proxy": [json.dumps(PROXY).encode()],
    **{name.removesuffix(".json"): [json.dumps(own).encode()] for name, own in RUN.items()},
    "state": [json.dumps(SAVED, separators=(",", ":")).encode()],
    "sealed": [_sealed(json.dumps(SAVED, separators=(",", ":")).encode())],
    "settings": [b"seed = 3\npreset = 'paper'\nstepwise = 0.5\ntasks = ['nasbench201/cifar10']\n"],
    "setting": [b"seed=3", b"tasks=['nasbench201']", b"selection=lexicase"],
    "records": [f"architecture,conditions,params,depth\n{CELL},00,1.5,2@0.5\n".encode()],
    "accuracies": [f"architecture,accuracy\n{CELL},90.5\n".encode()],
    "imported": [json.dumps(STORED).encode()],
    "pickled": [pickle.dumps({"90": [1.5, (2, "a")]}, protocol) for protocol in range(5)],
}
KEYS = (*PROXY, *STORED, *SAVED, *SAVED["search"], *KEPT, *config.Config.model_fields)
TOKENS = (*PRIMITIVES, *CATALOGUE, *KEYS, "NaN", "1e999", "\\ud800")
