"""The file of a feature store: any reader of gzip and CSV reads it, and damage is noticed."""

import csv
import gzip
import itertools
import math

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.evaluation.feature_store import FeatureStore
from tests.evaluation.stored import (
    ARCHITECTURES,
    CONFIGS,
    FEATURES,
    SPACE,
    add,
    check_equal,
    contents,
    file_of,
)


def test_any_reader_of_gzip_and_csv_reads_all_of_it(open_store):
    store = open_store()
    add(store, [0], FEATURES[:2])
    add(store, [1], FEATURES[:2])
    with gzip.open(file_of(store), "rt", newline="", encoding="utf-8") as text:
        lines = list(csv.reader(text))
    header = ["architecture", "measurement", *FEATURES[:2]]
    assert [line for line in lines if line[0] == "architecture"] == [header, header]
    rows = {(line[0], line[1]): line[2:] for line in lines if line != header}
    fingerprints = [config.fingerprint for config in CONFIGS]
    assert set(rows) == set(itertools.product(ARCHITECTURES[:16], fingerprints))
    assert rows[ARCHITECTURES[0], fingerprints[1]] == ["empty"] * 2
    assert rows[ARCHITECTURES[9], fingerprints[0]] == ["inf"] * 2
    assert rows[ARCHITECTURES[3], fingerprints[0]] == ["0.333333333@0.666667"] * 2
    assert rows[ARCHITECTURES[12], fingerprints[1]] == ["nan"] * 2


@pytest.fixture
def three_members(open_store):
    """The path of a store whose file has three gzip members, and where the last begins."""
    store = open_store()
    for number in range(3):
        start = file_of(store).stat().st_size if number else 0
        add(store, [number])
    store.close()
    return store.path, start


def test_a_last_member_that_was_cut_off_is_dropped_and_the_rest_kept(three_members, open_store):
    path, last = three_members
    file = path / "features.csv.gz"
    data, expected = file.read_bytes(), contents(FeatureStore(path, SPACE))
    for array, unknown in zip(expected, (math.nan, 0, 0, False), strict=True):
        array[:, :, 16:24] = unknown
    for size in {last + 1, last + 5, last + 9, last + 10, last + 30, len(data) - 9, len(data) - 1}:
        file.write_bytes(data[:size])
        check_equal(contents(FeatureStore(path, SPACE)), expected)
        assert file.stat().st_size == size  # who only reads cuts nothing: it may still be written
        store = open_store()
        assert file.read_bytes() == data[:last]
        check_equal(contents(store), expected)
        add(store, [2])
        store.close()
        assert file.read_bytes() == data


def test_a_first_member_that_was_cut_off_leaves_nothing(open_store):
    store = open_store()
    add(store, range(5))
    store.close()
    data = file_of(store).read_bytes()
    file_of(store).write_bytes(data[: len(data) // 2])
    again = open_store()
    assert file_of(again).stat().st_size == 0
    assert not contents(again)[-1].any()


def contents_or_error(path):
    try:
        return contents(FeatureStore(path, SPACE))
    except InputError as error:
        return str(error)


def test_a_flipped_bit_is_noticed_and_nothing_is_changed(three_members):
    """Where values depend on it; the last bytes of all may also read as if the last member had been
    cut off there."""
    path, last = three_members
    file = path / "features.csv.gz"
    data, expected = file.read_bytes(), contents(FeatureStore(path, SPACE))
    random, errors = np.random.default_rng(0), 0
    starts = [i for i in range(len(data)) if data[i : i + 3] == b"\x1f\x8b\x08"]
    assert len(starts) == 3
    assert starts[-1] == last
    ends = [end - back for end in (*starts[1:], len(data)) for back in range(1, 12)]
    headers = [start + i for start in starts for i in range(10)]
    bits = {(byte, bit) for byte in ends + headers for bit in range(8)}
    bits |= {(int(p), int(b)) for p, b in random.integers((len(data), 8), size=(200, 2))}
    for byte, bit in sorted(bits):
        damaged = bytearray(data)
        damaged[byte] ^= 1 << bit
        file.write_bytes(damaged)
        arrays = contents_or_error(path)
        if isinstance(arrays, str):
            assert arrays.startswith(f"{file}: damaged")
            assert "\n" not in arrays
            errors += 1
        else:
            known = arrays[-1]
            if byte < len(data) - 11:
                assert np.array_equal(known, expected[-1])
            assert known[:, :, :16].all()
            for array, expected_array in zip(arrays[:-1], expected[:-1], strict=True):
                np.testing.assert_array_equal(array[known], expected_array[known])
        assert file.read_bytes() == bytes(damaged)
    assert errors > 400


def test_a_hole_in_the_middle_is_no_cut_end(three_members):
    """Damage before a further member: nothing behind it is dropped for that."""
    path, last = three_members
    file = path / "features.csv.gz"
    data = file.read_bytes()
    # The last is a block that claims all that follows for itself, so that no end is ever reached.
    holes = [data[: last - size] + data[last:] for size in range(1, 400, 7)]
    for damaged in (*holes, data[:10] + b"\x00\xff\xff\x00\x00" + data[15:]):
        file.write_bytes(damaged)
        assert str(contents_or_error(path)).startswith(f"{file}: damaged at byte ")
        with pytest.raises(InputError, match="damaged at byte"):
            FeatureStore(path, SPACE).claim(CONFIGS)
        assert file.read_bytes() == damaged


HEADER = b"architecture,measurement,params\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER, "damaged at byte 0"),
        (gzip.compress(b"\xff\xfe\x00", mtime=0), "damaged"),
        (gzip.compress(HEADER + b"a,b,1,2\n", mtime=0), ":2: expected 3 cells, got 4"),
        (gzip.compress(HEADER + b"a,b\n", mtime=0), ":2: expected 3 cells, got 2"),
        (gzip.compress(HEADER + b"a,b,much\n", mtime=0), ":2: could not convert"),
        (gzip.compress(HEADER + b"a,b,1@\n", mtime=0), ":2: could not convert"),
        (gzip.compress(HEADER + b"\n", mtime=0), ":2: expected 3 cells, got 0"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, content, message):
    file = tmp_path / "features.csv.gz"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        FeatureStore(tmp_path, SPACE)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_that_is_no_csv_is_named(tmp_path):
    file = tmp_path / "features.csv.gz"
    file.write_bytes(gzip.compress(HEADER + b"a\rb,00,1\n", mtime=0))
    with pytest.raises(InputError, match=r"features\.csv\.gz: damaged: new-line"):
        FeatureStore(tmp_path, SPACE)
