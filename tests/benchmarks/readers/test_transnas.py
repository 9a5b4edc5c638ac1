"""TransNAS-Bench-101's file, in the form that its authors' API reads (yawen-d/TransNASBench,
api/api.py): data, space, architecture, task, metrics, values epoch by epoch."""

import os

import pytest
import torch

from eznas.benchmarks.readers import transnas
from eznas.errors import InputError
from eznas.spaces import SPACES

MICRO, MACRO = SPACES["transnas-micro"], SPACES["transnas-macro"]
FIRST, SECOND = "64-41414-1_02_333", "64-41414-3_33_333"


def result(valid, test=99.0):
    metrics = {"valid_top1": valid, "test_top1": [test] * len(valid), "train_loss": [1.0]}
    return {"encoder_str": "", "total_epochs": len(valid), "metrics": metrics}


def row(objects=(1.0,), scenes=(2.0,)):
    tasks = {"class_object": result([*objects]), "class_scene": result([*scenes])}
    return tasks | {"jigsaw": result([3.0]), "normal": {"metrics": {"valid_ssim": [0.5]}}}


def saved(tmp_path, micro, macro=None):
    path = tmp_path / "transnas.pth"
    data = {"micro": micro, "macro": macro or {"64-1234-basic": row()}}
    content = {"data": data, "task_list": [], "metrics_dict": {}, "info_names": []}
    torch.save(content, path)
    return path


def test_the_best_epoch_counts(tmp_path):
    path = saved(tmp_path, {FIRST: row((40.0, 45.5, 44.0), (50.0, 54.25)), SECOND: row((30.0,))})
    table = transnas.read(path, MICRO)
    assert (table.space, table.kind) == ("transnas-micro", "validation")
    assert table.trials == {
        "class_object": {FIRST: (45.5,), SECOND: (30.0,)},
        "class_scene": {FIRST: (54.25,), SECOND: (2.0,)},
    }


def test_the_other_half(tmp_path):
    table = transnas.read(saved(tmp_path, {FIRST: row()}), MACRO)
    assert table.space == "transnas-macro"
    assert table.trials == {
        "class_object": {"64-1234-basic": (1.0,)},
        "class_scene": {"64-1234-basic": (2.0,)},
    }


class Intruder:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_is_refused_and_never_runs(tmp_path):
    path = saved(tmp_path, {FIRST: Intruder(tmp_path / "made")})
    with pytest.raises(InputError, match=r"transnas\.pth: not readable as plain data") as caught:
        transnas.read(path, MICRO)
    assert not (tmp_path / "made").exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("micro", "message"),
    [
        ({}, "expected architectures under data, micro"),
        (3, "expected architectures under data, micro"),
        ({"64-41414-4_33_333": row()}, "64-41414-4_33_333"),
        ({FIRST: {"class_object": result([1.0])}}, f"{FIRST}: expected class_scene, metrics"),
        ({FIRST: row(())}, f"{FIRST}: expected class_object, metrics, valid_top1"),
        ({FIRST: row(("high",))}, f"{FIRST}: expected class_object"),
        ({FIRST: 3}, f"{FIRST}: expected class_object"),
        ({FIRST: row(), f" {FIRST}": row()}, f"the network {FIRST} once more"),
    ],
)
def test_errors_name_file_and_architecture(tmp_path, micro, message):
    with pytest.raises(InputError, match=rf"transnas\.pth: .*{message}"):
        transnas.read(saved(tmp_path, micro), MICRO)


def test_what_is_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth: cannot be read: No such file"):
        transnas.read(tmp_path / "none.pth", MICRO)
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"junk\.pth: not readable as plain data") as caught:
        transnas.read(tmp_path / "junk.pth", MICRO)
    assert "\n" not in str(caught.value)
