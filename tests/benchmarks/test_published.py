"""Published scores: the columns of a proxy under its authors' names, and files that are refused."""

import csv
import gzip

import numpy as np
import pytest

from eznas.benchmarks.published import read_published
from eznas.errors import InputError
from eznas.spaces import SPACES
from tests.shared import shared

SPACE = SPACES["nasbench201"]
FIRST, SECOND, THIRD = (SPACE.architectures()[i] for i in (7, 4711, 9))
HEADER = "architecture,naswot\n"


def read(tmp_path, text, name="mine.csv", encoding="utf-8"):
    path = tmp_path / name
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return read_published(path, SPACE)


def columns(published, proxy, dataset="cifar10", architectures=(FIRST, SECOND)):
    return {c: s.tolist() for c, s in published.columns(proxy, dataset, architectures).items()}


@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_plain_and_gzipped_files_are_read(tmp_path, name, encoding):
    text = f"index,architecture,naswot,params\r\n0,{SECOND},1.5,20\r\n\r\n1,{FIRST},-2e3,10\r\n"
    published = read(tmp_path, text, name, encoding)
    assert published.architectures == (SECOND, FIRST)
    assert list(published.scores) == ["naswot", "params"]
    assert all(s.dtype == np.float64 for s in published.scores.values())
    assert columns(published, "naswot") == {"naswot": [-2000.0, 1.5]}
    assert columns(published, "params") == {"params": [10.0, 20.0]}


def test_scores_are_in_the_order_of_the_requested_networks(tmp_path):
    published = read(tmp_path, HEADER + f"{FIRST},1\n{SECOND},2\n{THIRD},3\n")
    scores = columns(published, "naswot", architectures=(THIRD, "|unknown|", FIRST, THIRD))[
        "naswot"
    ]
    np.testing.assert_array_equal(scores, [3, np.nan, 1, 3])
    assert columns(published, "naswot", architectures=()) == {"naswot": []}


def test_a_network_in_several_rows_has_their_mean(tmp_path):
    text = f"architecture,naswot,snip\n{FIRST},1,-1e8\n{SECOND},2,-1e8\n{FIRST},4,7\n"
    published = read(tmp_path, text)
    assert published.architectures == (FIRST, SECOND)
    assert columns(published, "naswot") == {"naswot": [2.5, 2.0]}
    np.testing.assert_array_equal(columns(published, "snip")["snip"], [7, np.nan])


@pytest.mark.parametrize("score", ["-1e8", "-100000000.0", "inf", "-inf", "nan"])
def test_failures_are_nan(tmp_path, score):
    published = read(tmp_path, HEADER + f"{FIRST},{score}\n{SECOND},-99999999.0\n")
    np.testing.assert_array_equal(columns(published, "naswot")["naswot"], [np.nan, -99999999.0])


def test_published_names_are_aliases(tmp_path):
    names = "architecture,jacov,nwot,flops,synflow"
    published = read(tmp_path, f"{names}\n{FIRST},1,2,3,4\n")
    for column, proxy in (("jacov", "jacob_cov"), ("nwot", "naswot"), ("flops", "operations")):
        assert published.proxy_of(column) == proxy
        assert list(columns(published, proxy)) == [column]
        assert columns(published, column) == {}  # the alias itself is no proxy
    assert columns(published, "synflow", architectures=(FIRST,)) == {"synflow": [4.0]}


def test_naslibs_files_can_be_read(tmp_path):
    text = f"dataset,arch,flops,nwot,val_accuracy\ncifar10,{SECOND},3.5,4,91\n"
    published = read(tmp_path, text)
    assert published.architectures == (SECOND,)
    assert list(published.scores) == ["flops", "nwot"]
    assert columns(published, "operations", architectures=(SECOND,)) == {"flops": [3.5]}


@pytest.mark.parametrize(
    ("file", "space", "networks"),
    [
        ("nasbench101_sample.csv.gz", "nasbench101", 301),
        ("darts_nasbench301_sample.csv.gz", "nds-darts", 500),
    ],
)
def test_naslibs_published_scores(file, space, networks):
    path = shared(file)
    published = read_published(path, SPACES[space])
    assert len(published.architectures) == networks
    assert {published.proxy_of(c) for c in published.scores} >= {
        "jacob_cov",
        "operations",
        "synflow",
    }
    assert not {"arch", "dataset", "val_accuracy"} & published.scores.keys()
    with gzip.open(path, "rt", newline="") as text:
        rows = [*csv.DictReader(text)]
    first = SPACES[space].canonical(rows[0]["arch"])
    snip = [float(r["snip"]) for r in rows if SPACES[space].canonical(r["arch"]) == first]
    assert published.architectures[0] == first
    assert published.scores["snip"][0] == pytest.approx(sum(snip) / len(snip), rel=1e-12)


def test_columns_of_a_data_set(tmp_path):
    names = "architecture,cifar10_naswot,cifar100_naswot,ImageNet16-120_nwot,cifar10_flops,naswot"
    published = read(tmp_path, f"{names}\n{FIRST},1,2,3,4,5\n")
    assert {d: list(columns(published, "naswot", d)) for d in ("cifar10", "cifar100", "svhn")} == {
        "cifar10": ["cifar10_naswot", "naswot"],
        "cifar100": ["cifar100_naswot", "naswot"],
        "svhn": ["naswot"],  # no data set in its name: counts for every one
    }
    assert list(columns(published, "naswot", "ImageNet16-120")) == ["ImageNet16-120_nwot", "naswot"]
    assert columns(published, "operations", architectures=(FIRST,)) == {"cifar10_flops": [4.0]}
    assert columns(published, "operations", "cifar100") == {}
    assert published.proxy_of("cifar100_naswot") == "cifar100_naswot"
    assert published.proxy_of("cifar100_naswot", "cifar10") == "cifar100_naswot"
    assert published.proxy_of("cifar100_nwot", "cifar100") == "naswot"


def test_architectures_are_canonical(tmp_path):
    published = read(tmp_path, HEADER + f" {FIRST} ,1\n")
    assert published.architectures == (FIRST,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: no column architecture"),
        ("network,naswot\n", r":1: no column architecture"),
        ("architecture,index\n", r":1: no column of scores, found architecture,index"),
        (HEADER, r": no rows"),
        (
            HEADER + f"{FIRST},1\n{SECOND},high\n",
            r":3: expected a finite number as naswot, found 'high'",
        ),
        (HEADER + f"{FIRST},\n", r":2: expected a finite number as naswot, found nothing"),
        (HEADER + f"{FIRST}\n", r":2: 1 cells, expected 2 as in the header"),
        ("arch,architecture,zen\n", r":1: columns architecture and arch; expected one of them"),
        (HEADER + f"{FIRST},1\n\nresnet,1\n", r":4: .*architecture 'resnet' is not of the form"),
    ],
)
@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
def test_errors_name_file_and_line(tmp_path, text, message, name):
    with pytest.raises(InputError, match=name.replace(".", r"\.") + message) as raised:
        read(tmp_path, text, name)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read(tmp_path):
    for name in ("none.csv", "none.csv.gz"):
        with pytest.raises(InputError, match=r"none\.csv.*: cannot be read: No such file"):
            read_published(tmp_path / name, SPACE)
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_published(tmp_path, SPACE)
    with pytest.raises(InputError, match=r"mine\.csv: not a CSV file in UTF-8"):
        read(tmp_path, HEADER + "é", encoding="latin-1")


def test_a_damaged_gzip_file_is_named(tmp_path):
    path = tmp_path / "mine.csv.gz"
    lines = "".join(f"{a},{i}.25\n" for i, a in enumerate(SPACE.architectures()[:50]))
    intact = gzip.compress((HEADER + lines).encode(), mtime=0)
    path.write_bytes(intact)
    assert len(read_published(path, SPACE).architectures) == 50
    bad_codes = bytearray(intact)
    bad_codes[20] ^= 0xFF  # in the table of codes, so that inflating fails
    bad_checksum = bytearray(intact)
    bad_checksum[-6] ^= 1
    for data in (intact[:-9], intact[:5], bytes(bad_codes), bytes(bad_checksum), HEADER.encode()):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"mine\.csv\.gz: cannot be read: .") as raised:
            read_published(path, SPACE)
        assert "\n" not in str(raised.value)
