"""TransNAS-Bench-101's file, in the form that its authors' API reads (yawen-d/TransNASBench,
api/api.py): data, space, architecture, task, metrics, values epoch by epoch."""

import pytest
import torch

from eznas.benchmarks.readers import transnas
from eznas.errors import InputError
from eznas.spaces import SPACES
from tests.benchmarks.readers.intruder import Intruder

MICRO, MACRO = SPACES["transnas-micro"], SPACES["transnas-macro"]
FIRST, SECOND = "64-41414-1_02_333", "64-41414-3_33_333"


def result(valid, test=99.0):
    metrics = {"valid_top1": valid, "test_top1": [test] * len(valid), "train_loss": [1.0]}
    return {"encoder_str": "", "total_epochs": len(valid), "metrics": metrics}


def row(objects=(1.0,), scenes=(2.0,)):
    tasks = {"class_object": result([*objects]), "class_scene": result([*scenes])}
    return tasks | {"jigsaw": result([3.0]), "normal": {"metrics": {"valid_ssim": [0.5]}}}


def save(tmp_path, micro, macro=None):
    path = tmp_path / "transnas.pth"
    data = {"micro": micro, "macro": macro or {"64-1234-basic": row()}}
    content = {"data": data, "task_list": [], "metrics_dict": {}, "info_names": []}
    torch.save(content, path)
    return path


def test_the_accuracy_is_that_of_the_best_epoch(tmp_path):
    path = save(tmp_path, {FIRST: row((40.0, 45.5, 44.0), (50.0, 54.25)), SECOND: row((30.0,))})
    table = transnas.read(path, MICRO)
    assert (table.space, table.kind) == ("transnas-micro", "validation")
    assert table.trials == {
        "class_object": {FIRST: (45.5,), SECOND: (30.0,)},
        "class_scene": {FIRST: (54.25,), SECOND: (2.0,)},
    }


def test_the_macro_space_of_the_same_file(tmp_path):
    table = transnas.read(save(tmp_path, {FIRST: row()}), MACRO)
    assert table.space == "transnas-macro"
    assert table.trials == {
        "class_object": {"64-1234-basic": (1.0,)},
        "class_scene": {"64-1234-basic": (2.0,)},
    }


def test_code_is_refused_and_never_runs(tmp_path):
    path = save(tmp_path, {FIRST: Intruder(tmp_path / "made")})
    with pytest.raises(InputError, match=r"transnas\.pth: not readable as plain data") as raised:
        transnas.read(path, MICRO)
    assert not (tmp_path / "made").exists()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("micro", "message"),
    [
        ({}, "expected architectures under data, micro"),
        (3, "expected architectures under data, micro"),
        ({"64-41414-4_33_333": row()}, "64-41414-4_33_333"),
        (
            {FIRST: {"class_object": result([1.0])}},
            f"{FIRST}: expected valid_top1, a list of numbers",
        ),
        (
            {FIRST: row(())},
            f"{FIRST}: expected valid_top1, .* in the metrics of class_object and class_scene",
        ),
        ({FIRST: row(("high",))}, f"{FIRST}: expected valid_top1"),
        ({FIRST: 3}, f"{FIRST}: expected valid_top1"),
        ({FIRST: row(), f" {FIRST}": row()}, f"network {FIRST} was already read from {FIRST}"),
    ],
)
def test_errors_name_file_and_architecture(tmp_path, micro, message):
    with pytest.raises(InputError, match=rf"transnas\.pth: .*{message}"):
        transnas.read(save(tmp_path, micro), MICRO)


def test_a_missing_and_a_damaged_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth: cannot be read: No such file"):
        transnas.read(tmp_path / "none.pth", MICRO)
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(InputError, match=r"junk\.pth: not readable as plain data") as raised:
        transnas.read(tmp_path / "junk.pth", MICRO)
    assert "\n" not in str(raised.value)
