"""How exactly autoencoders decode: rows, their table, and their page."""

import io

import pytest
from rich.console import Console

from eznas.errors import InputError
from eznas.report import tables
from eznas.report.study_page import study_page
from eznas.studies import autoencoding as module
from eznas.studies.autoencoding import autoencoding


class Watcher:
    def __init__(self):
        self.phases = []

    def phase(self, name, networks):
        self.phases.append((name, networks))


@pytest.fixture(scope="module")
def rows():
    return autoencoding(["naap440", "nasbench-macro"], epochs=2, repeats=2, seed=5)


def test_a_row_for_every_space_and_seed(rows):
    assert [(row["space"], row["seed"]) for row in rows] == [
        *(("naap440", 5), ("naap440", 6), ("nasbench-macro", 5), ("nasbench-macro", 6))
    ]
    macro = rows[2]
    assert (macro["trained"], macro["held_out"]) == (5905, 656)
    assert macro["epochs"] == 2
    assert macro["valid"] == 1.0
    for row in rows:
        assert all(0 <= row[share] <= 1 for share in ("exact", "valid", "unique", "new"))


def test_the_same_seed_gives_the_same_row(rows):
    again = autoencoding(["naap440"], epochs=2, seed=5)[0]
    assert again | {"seconds": 0} == rows[0] | {"seconds": 0}


def test_held_out_architectures_are_not_trained_on():
    fitted, held_out = module._parts(module.SPACES["naap440"], 0, Watcher())
    assert len(held_out) == 44
    assert not set(fitted) & set(held_out)
    assert set(fitted) | set(held_out) == set(module.SPACES["naap440"].architectures())


def test_work_is_announced():
    watcher = Watcher()
    autoencoding(["naap440"], epochs=1, watcher=watcher)
    assert watcher.phases == [
        ("drawing architectures of naap440, seed 0", 22_000),
        ("training on naap440, seed 0", 396),
    ]


def test_table_and_page(rows):
    console = Console(file=io.StringIO(), width=120)
    console.print(tables.autoencoding_table(rows))
    assert "nasbench-macro │ choices" in console.file.getvalue()
    page = study_page("mine", {"rows.json": {"command": "eznas", "rows": rows}})
    assert "Autoencoders of the architectures of naap440, nasbench-macro." in page
    assert "| nasbench-macro | choices | 6 | 16 | 128 | 5,905 | 656 |" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spaces": ["nasbench202"]}, "unknown space 'nasbench202'.*nasbench201"),
        ({"encoder": "graphs"}, "unknown encoder 'graphs'"),
        ({"spaces": ["nds-resnet"], "encoder": "graph"}, "nds-resnet: gives no graphs"),
        ({"repeats": 0}, "0 repeats: expected at least 1"),
        ({"epochs": 0}, "0 epochs: expected at least 1"),
    ],
)
def test_input_that_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        autoencoding(**arguments)
