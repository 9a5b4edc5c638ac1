"""A user's CSV file of accuracies: order, runs, and errors that name the line."""

import numpy as np
import pytest

from eznas.benchmarks.readers.plain_csv import finite_number, read_accuracies, read_runs
from eznas.errors import InputError
from eznas.spaces import SPACES

SPACE = SPACES["nasbench201"]
FIRST, SECOND = SPACE.architectures()[7], SPACE.architectures()[4711]


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding=encoding, newline="")
    return read_accuracies(path, SPACE)


@pytest.mark.parametrize(
    "text",
    [
        f"architecture,accuracy\n{SECOND},91.5\n{FIRST},-3\n",
        f"accuracy,note,architecture\r\n91.5,,{SECOND}\r\n\r\n-3,b,{FIRST}",
        f"\ufeffarchitecture, accuracy\n {SECOND} , 9.15e1\n{FIRST},-3",
    ],
)
def test_rows_are_in_file_order(tmp_path, text):
    architectures, accuracies = read(tmp_path, text)
    assert architectures == (SECOND, FIRST)
    assert accuracies.dtype == np.float64
    assert accuracies.tolist() == [91.5, -3.0]


HEADER = "architecture,accuracy\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: no column architecture or accuracy; .*found nothing"),
        ("architecture,score\n", r":1: no column accuracy; expected the header arch.*,score"),
        (f"{FIRST},91\n", r":1: no column architecture or accuracy"),
        (HEADER, r": no rows"),
        (HEADER + f"{FIRST},1\n{SECOND},high\n", r":3: expected a finite number.*found 'high'"),
        (HEADER + f"{FIRST},nan\n", r":2: expected a finite number.*found 'nan'"),
        (HEADER + f"{FIRST},-inf\n", r":2: expected a finite number.*found '-inf'"),
        (HEADER + f"{FIRST},\n", r":2: expected a finite number.*found nothing"),
        (HEADER + f"{FIRST}\n", r":2: 1 cells, expected 2 as in the header"),
        (HEADER + f"{FIRST},91,62\n", r":2: 3 cells, expected 2 as in the header"),
        (HEADER + f'{FIRST},"91,62"\n', r":2: expected a finite number.*found '91,62'"),
        (HEADER + f"{FIRST},9_1\n", r":2: expected a finite number.*found '9_1'"),
        (HEADER + f"{FIRST},\uff19\uff11\n", r":2: expected a finite number.*found"),
        (HEADER + f'"{FIRST},91\n', r": not a CSV file in UTF-8: unexpected end of data"),
        ("architecture,accuracy,accuracy\n", r":1: column accuracy 2 times; expected it once"),
        (
            "architecture,accuracy,val_accuracy\n",
            r":1: columns accuracy and val_accuracy; expected one of them",
        ),
        (HEADER + "resnet,1\n", r":2: .*architecture 'resnet' is not of the form"),
        (HEADER + ",1\n", r":2: .*architecture '' is not of the form"),
    ],
)
def test_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(InputError, match=r"mine\.csv" + message) as raised:
        read(tmp_path, text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["91", "+91", "91.", ".5", "-1.5e-3", "2E+2", "0"])
def test_numbers_in_plain_notation(text):
    assert finite_number(text) == float(text)


@pytest.mark.parametrize(
    "text", ["", ".", "e5", "1_0", "nan", "inf", "1e999", "0x1f", "1,5", "91 %", "1 0", "1.2.3"]
)
def test_other_texts_are_no_numbers(text):
    assert finite_number(text) is None


def test_several_runs_become_their_mean(tmp_path):
    rows = f"{FIRST},1\n{SECOND},7\n\n  {FIRST} ,4\n{FIRST},1\n"
    architectures, accuracies = read(tmp_path, HEADER + rows)
    assert (architectures, accuracies.tolist()) == ((FIRST, SECOND), [2.5, 7.0])


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read: No such file"):
        read_accuracies(tmp_path / "none.csv", SPACE)


def test_not_a_text_file(tmp_path):
    with pytest.raises(InputError, match=r"mine\.csv: not a CSV file in UTF-8"):
        read(tmp_path, HEADER + "é", encoding="latin-1")


def test_naslibs_names_of_columns(tmp_path):
    architectures, accuracies = read(tmp_path, f"dataset,arch,val_accuracy\ncifar10,{FIRST},91\n")
    assert (architectures, accuracies.tolist()) == ((FIRST,), [91.0])


def test_a_network_in_several_rows_has_several_runs(tmp_path):
    path = tmp_path / "runs.csv"
    rows = ((FIRST, 90), (SECOND, 5), (f" {FIRST}", 91.5), (FIRST, 90), (SECOND, 5))
    path.write_text(HEADER + "".join(f"{a},{n}\n" for a, n in rows))
    assert read_runs(path, SPACE) == {FIRST: (90.0, 91.5), SECOND: (5.0,)}
    path.write_text(HEADER + f"{FIRST},90\n{FIRST},high\n")
    with pytest.raises(InputError, match=r"runs\.csv:3: expected a finite number"):
        read_runs(path, SPACE)
    path.write_text(HEADER)
    with pytest.raises(InputError, match=r"runs\.csv: no rows"):
        read_runs(path, SPACE)
