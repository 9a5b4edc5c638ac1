"""The file of a feature store: what is in it, and damage is noticed."""

import gzip
import json
import math
import struct

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.evaluation.feature_store import FILE, FeatureStore
from tests.evaluation.stored import (
    ARCHITECTURES,
    CONFIGS,
    FEATURES,
    SPACE,
    add,
    check_equal,
    contents,
    file_of,
    made_up,
)


def test_a_member_is_json_and_numbers_byte_by_byte(open_store):
    """Read here by other means."""
    store = open_store()
    add(store, [0], FEATURES[:2], contexts=[1])
    content = gzip.decompress(file_of(store).read_bytes())
    header, _, numbers = content.partition(b"\n")
    assert json.loads(header) == {
        "measurement": CONFIGS[1].key,
        "features": list(FEATURES[:2]),
        "architectures": list(ARCHITECTURES[:8]),
    }
    assert len(numbers) == 16 * (8 + 8 + 1)
    parts = numbers[:128], numbers[128:256]
    values, coverages = ([struct.unpack("<d", part[i::16])[0] for i in range(16)] for part in parts)
    expected = made_up(1, FEATURES[:2], ARCHITECTURES[:8]).rounded()
    np.testing.assert_array_equal(values, expected.values.ravel())
    np.testing.assert_array_equal(coverages, expected.coverage.ravel())
    assert [*numbers[256:]] == expected.status.ravel().tolist()


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
    file = path / FILE
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
    file = path / FILE
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
    file = path / FILE
    data = file.read_bytes()
    # The last is a block that claims all that follows for itself, so that no end is ever reached.
    holes = [data[: last - size] + data[last:] for size in range(1, 400, 7)]
    for damaged in (*holes, data[:10] + b"\x00\xff\xff\x00\x00" + data[15:]):
        file.write_bytes(damaged)
        assert str(contents_or_error(path)).startswith(f"{file}: damaged at byte ")
        with pytest.raises(InputError, match="damaged at byte"):
            FeatureStore(path, SPACE).claim(CONFIGS)
        assert file.read_bytes() == damaged


HEADER = b'{"measurement":"00","features":["params"],"architectures":["a","b"]}\n'
NUMBERS = bytes(2 * (8 + 8 + 1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER, "damaged at byte 0"),
        (b"", "damaged: subsection not found"),
        (b"\xff\xfe\x00\n", "damaged: Invalid JSON"),
        (b"[]\n", "damaged: Input should be an object"),
        (HEADER.replace(b"features", b"future"), "damaged: Field required"),
        (HEADER.replace(b'["params"]', b"3") + NUMBERS, "damaged: Input should be a valid array"),
        (HEADER, "damaged: cannot reshape"),
        (HEADER + NUMBERS[1:], "damaged: cannot reshape"),
        (HEADER + NUMBERS + b"x", "damaged: subsection not found"),
        (HEADER + NUMBERS[1:] + b"\x05", "damaged: a status that is never stored"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, content, message):
    file = tmp_path / FILE
    whole = gzip.compress(content or b"no line", mtime=0)
    file.write_bytes(content if message == "damaged at byte 0" else whole)
    with pytest.raises(InputError) as caught:
        FeatureStore(tmp_path, SPACE)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_table_is_none(tmp_path):
    file = tmp_path / FILE
    file.write_bytes(gzip.compress(HEADER.replace(b'["params"]', b"[]"), mtime=0))
    assert not contents(FeatureStore(tmp_path, SPACE))[-1].any()
