"""NAAP-440's folder: accuracies and curves of every network, and folders that are refused."""

import csv
import json

import numpy as np
import pytest

from eznas.benchmarks.readers import naap440
from eznas.errors import InputError
from eznas.spaces import SPACES
from tests.shared import shared

SPACE = SPACES["naap440"]
FIRST, SECOND = "3x12s2-3x16s2-1x16s1r", "3x12s2-3x16s2-1x16s1-3x40s2"
SIZES = {FIRST: 2_566, SECOND: 8_646}


def scheme(architecture):
    layers = (part.split("x") for part in architecture.split("-"))
    return [
        {"kernel_size": int(k), "width": int(rest[:2]), "stride": int(rest[3])}
        | {"residual": rest.endswith("r")}
        for k, rest in layers
    ]


def rows_of(architectures):
    return [
        {
            **{"ModelId": number, "NumParams": SIZES[architecture], "MaxAccuracy": 0.5},
            **{"e1Accuracy": 0.25, "e2Accuracy": 0.5, "e3Accuracy": 0.4},
            **{"e1LossMean": 2.5, "e2LossMean": 2.25, "e3LossMean": 2.0, "e1LossMedian": 1},
        }
        for number, architecture in enumerate(architectures, 1)
    ]


def write(folder, schemes, rows, name="naap440.csv"):
    """A made-up folder in the published form."""
    (folder / "generated_schemes.json").write_text(json.dumps(schemes))
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.mark.parametrize("name", ["naap440.csv", "naap440dataset.csv"])
def test_a_folder(tmp_path, name):
    rows = rows_of([FIRST, SECOND])[::-1]  # ModelId counts, not the order of the rows
    write(tmp_path, [scheme(FIRST), scheme(SECOND)], rows, name)
    table = naap440.read(tmp_path, SPACE)
    assert (table.space, table.kind) == ("naap440", "test")
    mean = pytest.approx(115 / 3)  # of 25, 50 and 40
    assert table.trials == {"cifar10": {SECOND: (mean,), FIRST: (mean,)}}
    [curves] = naap440.read_curves(tmp_path)
    assert curves.architectures == (SECOND, FIRST)
    assert curves.epochs.tolist() == [1, 2, 3]
    assert curves.values["accuracy"].tolist() == [[25, 50, 40]] * 2
    assert curves.values["train_loss"].tolist() == [[2.5, 2.25, 2]] * 2
    assert (curves.total_epochs, curves.accuracies.tolist()) == (3, [50, 50])


@pytest.mark.parametrize(
    ("schemes", "changed", "message"),
    [
        ({}, {}, "generated_schemes.json: expected a list of schemes"),
        ([[{}]], {}, r"generated_schemes.json: scheme 1: expected layers with kernel_size"),
        ([7], {}, "generated_schemes.json: scheme 1: expected layers"),
        (
            [scheme(FIRST)[:2]],
            {},
            "scheme 1: NAAP-440 architecture '3x12s2-3x16s2': exp",
        ),
        ([scheme(SECOND)], {}, r"naap440\.csv:2: scheme 1 has 8646 parameters, .*'2566'"),
        (
            [scheme(FIRST)],
            {"ModelId": 0},
            r"\.csv:2: expected ModelId from 1 to 1, found '0'",
        ),
        ([scheme(FIRST)], {"ModelId": "x"}, r"expected ModelId from 1 to 1, found 'x'"),
        ([scheme(FIRST)], {"e2Accuracy": ""}, "finite number as e2Accuracy, found nothing"),
        ([scheme(FIRST)], {"MaxAccuracy": 58.9}, "accuracy from 0 to 1 as MaxAccuracy"),
    ],
)
def test_what_is_refused(tmp_path, schemes, changed, message):
    write(tmp_path, schemes, [rows_of([FIRST])[0] | changed])
    with pytest.raises(InputError, match=message):
        naap440.read(tmp_path, SPACE)


def test_files_that_are_missing(tmp_path):
    with pytest.raises(InputError, match=r"generated_schemes\.json: No such file"):
        naap440.read_curves(tmp_path)
    (tmp_path / "generated_schemes.json").write_text("[]")
    with pytest.raises(InputError, match=r"naap440\.csv: cannot be read: No such file"):
        naap440.read_curves(tmp_path)


def test_the_published_folder():
    [curves] = naap440.read_curves(shared("naap440"))
    assert set(curves.architectures) == set(SPACE.architectures())
    assert curves.epochs.tolist() == [*range(1, 91)]
    np.testing.assert_allclose(curves.values["accuracy"].max(axis=1), curves.accuracies)
    assert curves.values["train_loss"][0, :2].tolist() == [1.8651, 1.607]
    assert curves.of([FIRST[:-1]]).accuracies == pytest.approx(58.88)


def test_the_accuracy_is_the_mean_of_the_last_cycle():
    table = naap440.read(shared("naap440"), SPACE)
    [curves] = naap440.read_curves(shared("naap440"))
    means = curves.values["accuracy"][:, [87, 88, 89]].mean(axis=1)
    accuracies = [runs[0] for runs in table.trials["cifar10"].values()]
    np.testing.assert_allclose(accuracies, means, atol=1e-6)
