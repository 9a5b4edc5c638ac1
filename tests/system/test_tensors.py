"""Weights and states in files: what comes back is what went in, and nothing in a file is run."""

import io
import pickle
from pathlib import Path

import pytest
import torch

from eznas.errors import InputError
from eznas.system.files import write_sealed
from eznas.system.tensors import read_state, read_tensors, write_state, write_tensors


def test_weights_come_back_as_they_were_written(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    weights = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor([1, 2])}
    write_tensors(tmp_path / "w.safetensors", weights)
    back = read_tensors(tmp_path / "w.safetensors")
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_a_damaged_file_of_weights_is_named(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"w\.safetensors: damaged or missing"):
        read_tensors(tmp_path / "w.safetensors")


def test_a_state_comes_back_with_its_plain_values(tmp_path: Path) -> None:
    state = {"epochs": 3, "identity": "x", "moments": [{"step": torch.tensor(2.5)}]}
    write_state(tmp_path / "s.tensors", state)
    back = read_state(tmp_path / "s.tensors")
    assert back["epochs"] == 3
    assert back["identity"] == "x"
    assert torch.equal(back["moments"][0]["step"], torch.tensor(2.5))


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run while reading",)


@pytest.mark.parametrize("content", [b"no archive", pickle.dumps(_Runs())])
def test_a_state_that_is_no_state_is_refused_without_running_it(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sealed(tmp_path / "s.tensors", content)
    with pytest.raises(InputError, match=r"s\.tensors: not readable as tensors"):
        read_state(tmp_path / "s.tensors")
    assert capsys.readouterr().out == ""


def test_a_state_is_a_dict(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save([1, 2], buffer)
    write_sealed(tmp_path / "s.tensors", buffer.getvalue())
    with pytest.raises(InputError, match="expected a dict of tensors, got list"):
        read_state(tmp_path / "s.tensors")
