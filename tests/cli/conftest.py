"""The current folder of a user, with files of all kinds in it."""

import contextlib
import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import eznas
from tests.cli.calls import HEADER, NOTHING, POOLS

MODELS = """
import torch
from torch import nn


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        raise RuntimeError("no luck\\nat all")


def network(width=8):
    print("made")
    return nn.Sequential(
        nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(width, 10),
    )


def wide():
    return network(32)


def flattens():
    return nn.Sequential(nn.ReLU(), nn.Flatten())


def number():
    return 3


def raises():
    raise ValueError("first line\\nsecond line")


def stumbles():
    return torch.no_such_thing


def exits():
    raise SystemExit(0)


def wants(something):
    return something
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """No benchmark was imported."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "cache"))


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """The current folder of all tests here, with a user's files in it."""
    home = tmp_path_factory.mktemp("user")
    (home / "strangers.py").write_text(MODELS)
    (home / "broken.py").write_text("def network(:\n")
    (home / "explodes.py").write_text("raise RuntimeError('first line\\nsecond line')\n")
    (home / "text.txt").write_text("text\n")
    (home / "broken.toml").write_text("generations = \n")
    (home / "key.toml").write_text("generatons = 3\n")
    (home / "type.toml").write_text("generations = 'many'\n")
    (home / "preset.toml").write_text("preset = 'papers'\n")
    for name, lines in ACCURACIES.items():
        (home / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines))
    images, labels = np.zeros((8, 32, 32, 3), np.uint8), np.arange(8)
    np.savez(home / "flat.npz", images=images[..., :1], labels=labels)
    np.savez(home / "oblong.npz", images=images[:, :16], labels=labels)
    np.savez(home / "few.npz", images=images[:2], labels=labels[:2])
    np.savez(home / "unlabelled.npz", images=images)
    (home / "empty").mkdir()
    (home / "empty.json").mkdir()
    os.mkfifo(home / "pipe.json")
    for name, content in SCORES.items():
        (home / name).write_bytes(content)
    for name, files in STORES.items():
        (home / name).mkdir()
        for file, content in files.items():
            (home / name / file).write_bytes(content)
    with contextlib.chdir(home):
        content = eznas.export("params", "good.json")
        for name, damage in DAMAGES.items():
            text = json.dumps(content | damage) if isinstance(damage, dict) else damage
            Path(f"{name}.json").write_text(text)
        yield home
    for name in ("strangers", "broken", "explodes"):
        sys.modules.pop(name, None)


ACCURACIES = {
    "missing": [HEADER, f"{POOLS},"],
    "letters": [HEADER, f"{POOLS},high"],
    "infinite": [HEADER, f"{POOLS},inf"],
    "rows": [HEADER],
    "header": ["network,accuracy", f"{POOLS},1"],
    "nothing": [],
    "stranger": [HEADER, "resnet18,70"],
}
SCORES = {
    "scores.csv": f"architecture,cifar10_naswot,loss\n{NOTHING},1,2\n{POOLS},2,1\n".encode(),
    "bare.csv": f"architecture,naswot\n{NOTHING},1\n{POOLS},2\n".encode(),
    "losses.csv": f"architecture,cifar10_loss\n{NOTHING},1\n{POOLS},2\n".encode(),
    "text.csv": f"architecture,naswot\n{NOTHING},1\n{POOLS},high\n".encode(),
    "unnamed.csv": f"network,naswot\n{NOTHING},1\n".encode(),
    "cut.csv.gz": gzip.compress(b"architecture,naswot\n")[:-5],
}
UNEQUAL = b'{"measurement":"00","features":["params"],"architectures":["a","b"]}\n'
STORES = {
    "flipped": {"features.gz": gzip.compress(b"{}")[:-1] + b"!"},
    "unequal": {"features.gz": gzip.compress(UNEQUAL)},
    "unread": {"measurement.json": b"{"},
    "other": {"measurement.json": b'{"space": "darts", "measurement": {}}'},
}
DAMAGES = {
    "truncated": '{"eznas_proxy": 2, "name": "para',
    "list": "[]",
    "nested": "[" * 100_000,
    "twice": '{"name": "a", "name": "b"}',
    "escape": {"name": "a\x1b[31m\n"},
    "batch": {"raw_batch": 10**12},
    "binary": "\x00\x01",
    "extra": {"colour": "blue"},
    "type": {"constants": "none"},
    "nobatch": {"raw_batch": 0},
    "later": {"eznas_proxy": 3},
    "formula": {"formula": "sum_layers(wieght)"},
    "layer": {"formula": "weight"},
}


@pytest.fixture(autouse=True, scope="module")
def _cheap(cheap):
    """Commands of these tests measure networks of few cells."""
