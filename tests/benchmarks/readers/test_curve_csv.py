"""Learning curves of a user's CSV file: columns of epochs, and errors that name the line."""

import gzip

import pytest

from eznas.benchmarks.readers.curve_csv import read_curves
from eznas.errors import InputError
from eznas.spaces import SPACES

SPACE = SPACES["nasbench-macro"]
HEADER = "architecture,accuracy,accuracy_1,accuracy_3\n"


def read(tmp_path, text, name="mine.csv", **options):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return read_curves(path, SPACE, **options)


@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
def test_columns_in_any_order(tmp_path, name):
    text = (
        "loss_10,note,accuracy_2,architecture,loss_2,accuracy_10,accuracy\n"
        "0.5,a,20,22222222,-1,30,40\n\n"
        "0.25,, 21 , 00000000 ,1e1,31,41.5\n"
    )
    curves = read(tmp_path, text, name)
    assert (curves.name, curves.space, curves.dataset) == (name, SPACE.name, "cifar10")
    assert curves.architectures == ("22222222", "00000000")
    assert curves.epochs.tolist() == [2, 10]
    assert curves.values["accuracy"].tolist() == [[20, 30], [21, 31]]
    assert curves.values["train_loss"].tolist() == [[-1, 0.5], [10, 0.25]]
    assert curves.accuracies.tolist() == [40, 41.5]
    assert curves.total_epochs == 10


def test_one_kind_of_curve_is_enough(tmp_path):
    accuracy = read(tmp_path, HEADER + "00000000,9,1,2\n", total_epochs=90)
    assert list(accuracy.values) == ["accuracy"]
    assert accuracy.total_epochs == 90
    loss = read(tmp_path, "architecture,accuracy,loss_7\n00000000,9,300\n", dataset="mine")
    assert (list(loss.values), loss.dataset) == (["train_loss"], "mine")
    assert loss.epochs.tolist() == [7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: no column architecture or accuracy; found nothing"),
        ("architecture,accuracy_1\n", r":1: no column accuracy; found architecture,accuracy_1"),
        ("architecture,accuracy\n", r":1: no columns of epochs, expected accuracy_1 or loss_1"),
        ("architecture,accuracy,accuracy_01\n", r":1: no columns of epochs"),
        ("architecture,accuracy,accuracy_1,accuracy_2,loss_1\n", r":1: accuracy_2 without loss_2"),
        ("architecture,accuracy,accuracy_1,loss_1,loss_3\n", r":1: loss_3 without accuracy_3"),
        (HEADER, r": no rows; expected at least one"),
        (HEADER + "00000000,9,1,2\n1,9,1,2\n", r":3: NAS-Bench-Macro architecture '1'"),
        (
            HEADER + "00000000,9,1,2\n00000000,9,1,2\n",
            r":3: network 0+ was already read, line 2",
        ),
        (HEADER + "00000000,9,1,\n", r":2: expected a finite number as accuracy_3, found nothing"),
        (HEADER + "00000000,9,1\n", r":2: 3 cells, expected 4 as in the header"),
        (HEADER + "00000000,9,nan,2\n", r":2: expected a finite .* accuracy_1, found 'nan'"),
        (HEADER + "00000000,,1,2\n", r":2: expected a finite number as accuracy, found nothing"),
        (HEADER + "00000000,9,1,101\n", r":2: expected an accuracy from 0 to 100 as accuracy_3"),
        (HEADER + "00000000,-1,1,10\n", r":2: expected an accuracy from 0 to 100 as accuracy, "),
        ("architecture,accuracy,accuracy_0\n00000000,9,1\n", r": .*ascending epochs from 1 to 0"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError, match=r"mine\.csv" + message) as raised:
        read(tmp_path, text)
    assert "\n" not in str(raised.value)


def test_fewer_epochs_in_all_than_in_the_file(tmp_path):
    with pytest.raises(InputError, match=r"mine\.csv: .*ascending epochs from 1 to 2"):
        read(tmp_path, HEADER + "00000000,9,1,2\n", total_epochs=2)
    with pytest.raises(InputError, match=r"none\.csv: cannot be read: No such file"):
        read_curves(tmp_path / "none.csv", SPACE)
