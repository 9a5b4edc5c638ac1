"""Callbacks: what they need not have, several together, and what TensorBoard gets."""

import errno
import struct
import sys

import pytest

import eznas
from eznas.errors import InputError
from tests.discovery.made_up_run import report


class Counts(eznas.Callback):
    def __init__(self, with_bar):
        self.calls, self._with_bar = [], with_bar

    def phase(self, name, networks):
        self.calls.append((name, networks))
        return (lambda done, total: self.calls.append((done, total))) if self._with_bar else None


def test_several_callbacks_are_called_in_turn():
    first, second = Counts(True), Counts(False)
    several = eznas.CallbackList(first, second)
    several.phase("measuring", 8)(4, 8)
    several.generation(report(0), 1.0, 2.0)  # which neither of the two has
    assert (first.calls, second.calls) == ([("measuring", 8), (4, 8)], [("measuring", 8)])


def events(folder):
    """The events of a folder's only file, whose records have a length, a digest, data, a digest."""
    from tensorboardX.proto.event_pb2 import Event

    [file] = folder.iterdir()
    data, start = file.read_bytes(), 0
    while start < len(data):
        (length,) = struct.unpack("<Q", data[start : start + 8])
        yield Event.FromString(data[start + 12 : start + 12 + length])
        start += length + 16


def test_tensorboard_gets_a_point_a_generation_and_new_formulas(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX, of eznas[tensorboard], is missing")
    board = eznas.TensorBoard(str(tmp_path / "logs" / "first"))
    board.generation(report(0), 1.0, 9.0)
    board.generation(report(1, 0.75), 2.0, 8.0)
    board.close()
    values = [(e.step, v) for e in events(tmp_path / "logs" / "first") for v in e.summary.value]
    numbers = {(step, value.tag): value.simple_value for step, value in values}
    assert numbers[0, "fitness/best"] == 0.5
    assert numbers[1, "fitness/best"] == 0.75
    assert numbers[1, "search/seconds"] == 2
    texts = [step for step, value in values if value.HasField("tensor")]
    assert texts == [0]  # the formula is the same in both


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match=r"pip install 'eznas\[tensorboard\]'"):
        eznas.TensorBoard(str(tmp_path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    pytest.importorskip("tensorboardX", reason="tensorboardX, of eznas[tensorboard], is missing")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/logs: cannot write"):
        eznas.TensorBoard(str(tmp_path / "file" / "logs"))


def test_tensorboard_in_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    tensorboard = pytest.importorskip("tensorboardX", reason="tensorboardX is missing")

    def full(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tensorboard, "SummaryWriter", full)
    with pytest.raises(InputError, match="cannot write: No space left on device"):
        eznas.TensorBoard(str(tmp_path))
