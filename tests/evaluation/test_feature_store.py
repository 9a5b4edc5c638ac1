"""FeatureStore: what is read back is what was written, whatever became of the process that wrote it."""

import gc
import gzip
import itertools
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.evaluation import feature_store as module
from eznas.evaluation.feature_store import DIGITS, PORTION, FeatureStore, StoredWorkers
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated

ROOT = Path(__file__).parents[2]
IMAGES = generated(2, size=8)
SETTINGS = (
    MeasurementConfig(IMAGES, raw=2, sketch=2),
    MeasurementConfig(IMAGES, raw=2, sketch=2, seed=1),
)
SPACE = "nasbench201"
NETWORKS = tuple(f"|op~{i}|" for i in range(40))
MEASURES = ("params", 'weighted_mean_layers(log("a"), b)', "sum_layers(x)", 'odd "name"\'s')
SHARDS = [(i, NETWORKS[8 * i : 8 * i + 8]) for i in range(5)]


def number(*key):
    """A value of 17 digits for a key, at any scale, the same in every process."""
    random = np.random.default_rng([len(repr(key)), *repr(key).encode()])
    return random.normal() * 10.0 ** random.integers(-9, 44)


def made_up(shards, texts):
    """Value and coverage [settings, measures, networks]: some undefined, infinite or thin."""
    networks = [a for _, own in shards for a in own]
    keys = itertools.product(range(len(SETTINGS)), texts, networks)
    values = np.array([number(*k) for k in keys])
    values = values.reshape(len(SETTINGS), len(texts), len(networks))
    coverage = np.ones_like(values)
    for i, network in enumerate(networks):
        if (value_type := NETWORKS.index(network) % 8) < 4:
            values[:, :, i] = (math.nan, math.inf, -math.inf, 1 / 3)[value_type]
            coverage[:, :, i] = (math.nan, 1, 1, 2 / 3)[value_type]
    return values, coverage


def stored(values, digits=DIGITS):
    """As many digits as are kept."""
    return np.vectorize(lambda v: float(f"{v:.{digits}g}"), otypes=[float])(values)


class MadeUp:
    """Workers without networks; `asked` are the numbers of shards, and the texts, of every call."""

    count = 1

    def __init__(self):
        self.asked = []
        self.closed = False

    def evaluate(self, shards, texts):
        self.asked.append(([number for number, _ in shards], list(texts)))
        return made_up(shards, texts)

    def close(self):
        self.closed = True


@pytest.fixture
def opened(tmp_path):
    """Opens records of a folder and claims them; at the end they are closed."""
    found = []

    def make(path=tmp_path / "records", space=SPACE):
        found.append(FeatureStore(Path(path), space))
        found[-1].about(SETTINGS)
        return found[-1]

    yield make
    for each in found:
        each.close()


def add(records, shards, texts=MEASURES, settings=SETTINGS):
    networks = [a for _, own in shards for a in own]
    values, coverage = made_up(shards, texts)
    at = [SETTINGS.index(s) for s in settings]
    records.append(settings, networks, texts, values[at], coverage[at])


def contents(records, texts=MEASURES, networks=NETWORKS):
    """Value, coverage and known, [settings, measures, networks] each."""
    found = [records.find(s.fingerprint, texts, networks) for s in SETTINGS]
    return [np.stack(part) for part in zip(*found, strict=True)]


def check_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def file_of(records):
    return records.path / "measures.csv.gz"


def test_what_is_written_is_read_to_the_stored_digits(opened):
    records = opened()
    add(records, SHARDS)
    values, coverage = made_up(SHARDS, MEASURES)
    assert not np.isfinite(values).all()
    expected = [stored(values), stored(coverage, 6), np.ones(values.shape, dtype=bool)]
    check_equal(contents(records), expected)
    check_equal(contents(FeatureStore(records.path, SPACE)), expected)
    np.testing.assert_allclose(contents(records)[0], values, rtol=10.0 ** (1 - DIGITS))
    assert (contents(records)[0] != values).any()  # there was what to round


def test_a_value_that_was_read_is_written_as_it_was(opened, tmp_path):
    records = opened()
    add(records, SHARDS)
    values, coverage, _ = contents(records)
    again = opened(tmp_path / "again")
    again.append(SETTINGS, NETWORKS, MEASURES, values, coverage)
    check_equal(contents(again), contents(records))
    assert file_of(again).read_bytes() == file_of(records).read_bytes()


def test_any_reader_of_gzip_and_csv_reads_the_whole(opened):
    import csv

    records = opened()
    add(records, SHARDS[:1], MEASURES[:2])
    add(records, SHARDS[1:2], MEASURES[:2])
    with gzip.open(file_of(records), "rt", newline="", encoding="utf-8") as text:
        lines = list(csv.reader(text))
    header = ["architecture", "conditions", *MEASURES[:2]]
    assert [line for line in lines if line[0] == "architecture"] == [header, header]
    rows = {(line[0], line[1]): line[2:] for line in lines if line != header}
    prints = [s.fingerprint for s in SETTINGS]
    assert set(rows) == set(itertools.product(NETWORKS[:16], prints))
    assert rows[NETWORKS[0], prints[1]] == ["nan@nan"] * 2
    assert rows[NETWORKS[9], prints[0]] == ["inf"] * 2
    assert rows[NETWORKS[3], prints[0]] == ["0.333333333@0.666667"] * 2


def test_the_folder_says_what_it_holds(opened):
    records = opened()
    add(records, SHARDS[:1])
    records.close()
    about = json.loads((records.path / "conditions.json").read_text())
    assert about == {
        "conditions": {s.fingerprint: s.describe() for s in SETTINGS},
        "space": SPACE,
    }
    other = MeasurementConfig(IMAGES, raw=2, sketch=2, seed=7)
    again = FeatureStore(records.path, SPACE)
    again.about([other])
    again.close()
    about["conditions"][other.fingerprint] = other.describe()
    assert json.loads((records.path / "conditions.json").read_text()) == about


def test_nothing_is_known_of_what_was_never_measured(opened):
    records = opened()
    values, coverage, known = contents(records)
    assert not known.any()
    add(records, SHARDS[:2], MEASURES[:2], SETTINGS[1:])
    values, coverage, known = contents(records)
    expected = np.zeros_like(known)
    expected[1, :2, :16] = True
    np.testing.assert_array_equal(known, expected)
    assert np.isnan(values[~known]).all()
    assert (coverage[~known] == 0).all()
    assert not records.find("another", MEASURES, NETWORKS)[2].any()


def test_find_answers_in_the_order_of_the_question(opened):
    records = opened()
    add(records, SHARDS)
    values = contents(records)[0]
    networks = (NETWORKS[30], NETWORKS[4], "|unknown|", NETWORKS[30])
    found, _, known = records.find(SETTINGS[0].fingerprint, MEASURES[::-1], networks)
    np.testing.assert_array_equal(found[:, [0, 1, 3]], values[0, ::-1][:, [30, 4, 30]])
    assert known.all(0).tolist() == [True, True, False, True]


def test_of_two_values_the_last_counts_also_when_reopened(opened):
    """The tables come in another order when they are sorted."""
    records = opened()
    shape = (2, 1, len(NETWORKS))
    for value, texts in ((1.0, ["b", "c"]), (2.0, ["b"]), (3.0, ["b", "a"])):
        values = np.full((2, len(texts), len(NETWORKS)), value)
        records.append(SETTINGS, NETWORKS, texts, values, np.ones_like(values))
    expected = np.full(shape, 3.0)
    np.testing.assert_array_equal(contents(records, ["b"])[0], expected)
    np.testing.assert_array_equal(contents(FeatureStore(records.path, SPACE), ["b"])[0], expected)
    records.compact()
    np.testing.assert_array_equal(contents(records, ["b"])[0], expected)
    np.testing.assert_array_equal(contents(FeatureStore(records.path, SPACE), ["b"])[0], expected)
    np.testing.assert_array_equal(contents(records, ["c"])[0], np.full(shape, 1.0))


PARTS = [  # shards, measures, settings; each order of appends has the same content in the end
    (SHARDS[:2], MEASURES, SETTINGS),
    (SHARDS[2:3], MEASURES[::-1], SETTINGS[:1]),
    (SHARDS[2:3], MEASURES[:3], SETTINGS[1:]),
    (SHARDS[3:], MEASURES[1:2], SETTINGS),
    (SHARDS[3:4], (MEASURES[3], MEASURES[0], MEASURES[2]), SETTINGS[::-1]),
]


def test_compact_gives_equal_bytes_for_equal_content_in_any_order(opened, tmp_path):
    seen, sizes = [], []
    for number, order in enumerate([PARTS, PARTS[::-1], PARTS[2:] + PARTS[:2]]):
        records = opened(tmp_path / str(number))
        for part in order:
            add(records, *part)
        before = contents(records)
        sizes.append(file_of(records).stat().st_size)
        records.compact()
        check_equal(contents(records), before)
        check_equal(contents(FeatureStore(records.path, SPACE)), before)
        seen.append((file_of(records).read_bytes(), before))
        add(records, SHARDS[3:], MEASURES[1:2])  # once more what is known: nothing changes
        records.compact()
        assert file_of(records).read_bytes() == seen[-1][0]
    for data, found in seen[1:]:
        assert data == seen[0][0]
        check_equal(found, seen[0][1])
    assert len(seen[0][0]) < min(sizes)


def test_a_measure_that_is_added_later_joins_its_networks(opened):
    """Also byte by byte: as if all had been measured at once."""
    records = opened()
    for text in MEASURES:
        add(records, SHARDS, [text])
    records.compact()
    once = opened(records.path.parent / "once")
    add(once, SHARDS, sorted(MEASURES))
    once.compact()
    assert file_of(records).read_bytes() == file_of(once).read_bytes()


def test_no_records_compact_to_no_records(opened):
    records = opened()
    records.compact()
    assert not contents(FeatureStore(records.path, SPACE))[2].any()
    add(records, SHARDS)
    assert contents(FeatureStore(records.path, SPACE))[2].all()


@pytest.fixture
def three(opened):
    """The path of records of three members, and where the last of them begins."""
    records = opened()
    for shard in SHARDS[:3]:
        before = file_of(records).stat().st_size if shard != SHARDS[0] else 0
        add(records, [shard])
    records.close()
    return records.path, before


def test_a_last_member_that_was_cut_off_is_dropped_and_the_rest_kept(three, opened):
    path, last = three
    file = path / "measures.csv.gz"
    data, expected = file.read_bytes(), contents(FeatureStore(path, SPACE))
    for found in expected:
        found[:, :, 16:24] = {"f": math.nan, "b": False}[found.dtype.kind]
    expected[1][:, :, 16:24] = 0
    for size in {last + 1, last + 5, last + 9, last + 10, last + 30, len(data) - 9, len(data) - 1}:
        file.write_bytes(data[:size])
        check_equal(contents(FeatureStore(path, SPACE)), expected)
        assert file.stat().st_size == size  # who only reads cuts nothing: it may still be written
        records = opened()
        assert file.read_bytes() == data[:last]
        check_equal(contents(records), expected)
        add(records, SHARDS[2:3])
        records.close()
        assert file.read_bytes() == data


def test_a_first_member_that_was_cut_off_leaves_nothing(opened):
    records = opened()
    add(records, SHARDS)
    records.close()
    data = file_of(records).read_bytes()
    file_of(records).write_bytes(data[: len(data) // 2])
    again = opened()
    assert file_of(again).stat().st_size == 0
    assert not contents(again)[2].any()


def read_or_said(path):
    try:
        return contents(FeatureStore(path, SPACE))
    except InputError as error:
        return str(error)


def test_a_flipped_bit_is_noticed_and_nothing_is_changed(three):
    """Where values depend on it; the last bytes of all may also read as if the last member had been
    cut off there."""
    path, last = three
    file = path / "measures.csv.gz"
    data, expected = file.read_bytes(), contents(FeatureStore(path, SPACE))
    random, noticed = np.random.default_rng(0), 0
    starts = [i for i in range(len(data)) if data[i : i + 3] == b"\x1f\x8b\x08"]
    assert len(starts) == 3
    assert starts[-1] == last
    ends = [end - back for end in (*starts[1:], len(data)) for back in range(1, 12)]
    headers = [start + i for start in starts for i in range(10)]
    bits = {(place, bit) for place in ends + headers for bit in range(8)}
    bits |= {(int(p), int(b)) for p, b in random.integers((len(data), 8), size=(200, 2))}
    for place, bit in sorted(bits):
        damaged = bytearray(data)
        damaged[place] ^= 1 << bit
        file.write_bytes(damaged)
        found = read_or_said(path)
        if isinstance(found, str):
            assert found.startswith(f"{file}: damaged")
            assert "\n" not in found
            noticed += 1
        else:
            known = found[2]
            if place < len(data) - 11:
                assert np.array_equal(known, expected[2])
            assert known[:, :, :16].all()
            for a, b in zip(found[:2], expected[:2], strict=True):
                np.testing.assert_array_equal(a[known], b[known])
        assert file.read_bytes() == bytes(damaged)
    assert noticed > 400


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"architecture,conditions,params\n", "damaged at byte 0"),
        (gzip.compress(b"\xff\xfe\x00", mtime=0), "damaged"),
        (
            gzip.compress(b"architecture,conditions,params\na,b,1,2\n", mtime=0),
            ":2: expected 3 cells, got 4",
        ),
        (
            gzip.compress(b"architecture,conditions,params\na,b\n", mtime=0),
            ":2: expected 3 cells, got 2",
        ),
        (
            gzip.compress(b"architecture,conditions,params\na,b,much\n", mtime=0),
            ":2: could not convert",
        ),
        (
            gzip.compress(b"architecture,conditions,params\na,b,1@\n", mtime=0),
            ":2: could not convert",
        ),
        (
            gzip.compress(b"architecture,conditions,params\n\n", mtime=0),
            ":2: expected 3 cells, got 0",
        ),
    ],
)
def test_what_is_no_records_file_is_named(tmp_path, content, said):
    file = tmp_path / "measures.csv.gz"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        FeatureStore(tmp_path, SPACE)
    assert str(caught.value).startswith(str(file))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_that_is_no_csv_is_named(tmp_path):
    text = "architecture,conditions,params\na\rb,00,1\n"
    (tmp_path / "measures.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    with pytest.raises(InputError, match=r"measures\.csv\.gz: damaged: new-line"):
        FeatureStore(tmp_path, "nasbench201")


@pytest.mark.parametrize("content", ["{", "[]", '{"conditions": []}', "\x00", ""])
def test_damaged_conditions_are_named(tmp_path, content):
    (tmp_path / "conditions.json").write_text(content)
    with pytest.raises(InputError, match=r"conditions\.json: (damaged|content)"):
        FeatureStore(tmp_path, SPACE)


def test_another_space_is_refused(opened):
    path = opened().path
    with pytest.raises(InputError, match="records of nasbench201, expected darts"):
        FeatureStore(path, "darts")


@pytest.mark.parametrize("path", ["file.txt", "file.txt/below"])
def test_where_no_folder_can_be_is_said(tmp_path, path):
    (tmp_path / "file.txt").write_text("text")
    records = FeatureStore(tmp_path / path, SPACE)
    with pytest.raises(InputError, match=r"file\.txt.*: cannot write: "):
        records.about(SETTINGS)
    assert (tmp_path / "file.txt").read_text() == "text"


def test_a_hole_in_the_middle_is_no_cut_end(three):
    """Damage before a further member: nothing behind it is dropped for that."""
    path, last = three
    file = path / "measures.csv.gz"
    data = file.read_bytes()
    # The last is a block that claims all that follows for itself, so that no end is ever reached.
    holes = [data[: last - size] + data[last:] for size in range(1, 400, 7)]
    for damaged in (*holes, data[:10] + b"\x00\xff\xff\x00\x00" + data[15:]):
        file.write_bytes(damaged)
        assert str(read_or_said(path)).startswith(f"{file}: damaged at byte ")
        with pytest.raises(InputError, match="damaged at byte"):
            FeatureStore(path, SPACE).about(SETTINGS)
        assert file.read_bytes() == damaged


def test_one_handle_at_a_time_adds(opened):
    first = opened()
    second = FeatureStore(first.path, SPACE)
    for each in (second, second, FeatureStore(first.path, SPACE)):
        with pytest.raises(InputError, match="another process is adding"):
            each.about(SETTINGS)
    del each
    gc.collect()  # a file that was left open would be warned of
    first.about(SETTINGS)  # it has it already
    first.close()
    second.about(SETTINGS)
    with pytest.raises(InputError, match="another process is adding"):
        first.about(SETTINGS)
    second.close()
    second.close()
    first.about(SETTINGS)


def test_what_another_added_before_the_claim_is_not_lost(opened):
    """Who opened the folder earlier must not write it anew as it was then."""
    first = opened()
    add(first, SHARDS[:1])
    early = FeatureStore(first.path, SPACE)
    add(first, SHARDS[1:])
    expected = contents(first)
    first.close()
    early.about(SETTINGS)
    check_equal(contents(early), expected)
    early.compact()
    early.close()
    check_equal(contents(FeatureStore(first.path, SPACE)), expected)


def recorded(records, workers=None):
    return StoredWorkers(workers or MadeUp(), records, SETTINGS)


def test_workers_ask_for_what_is_missing_and_no_more(opened):
    team = recorded(opened())
    expected = [stored(a, d) for a, d in zip(made_up(SHARDS, MEASURES), (DIGITS, 6), strict=True)]
    assert PORTION == 4
    check_equal(team.evaluate(SHARDS, MEASURES), expected)
    texts = list(MEASURES)
    assert team.workers.asked == [([0, 1, 2, 3], texts), ([4], texts)]
    team.workers.asked.clear()
    check_equal(team.evaluate(SHARDS, MEASURES), expected)
    some = team.evaluate([SHARDS[i] for i in (3, 1)], MEASURES[2:0:-1])
    networks = [*range(24, 32), *range(8, 16)]
    check_equal(some, [a[:, 2:0:-1][:, :, networks] for a in expected])
    assert team.workers.asked == []
    team.evaluate(SHARDS[:2], ["sum_layers(y)", MEASURES[0]])
    assert team.workers.asked == [([0, 1], ["sum_layers(y)"])]


def test_workers_ask_by_shard(opened):
    records = opened()
    add(records, SHARDS[:1], MEASURES[:2])
    add(records, SHARDS[1:2])
    add(records, SHARDS[2:3], settings=SETTINGS[1:])  # not under every setting
    add(records, [(3, SHARDS[3][1][1:])])  # not every network
    team = recorded(records)
    found = team.evaluate(SHARDS, MEASURES)
    assert team.workers.asked == [([0], list(MEASURES[2:])), ([2, 3, 4], list(MEASURES))]
    expected = [stored(a, d) for a, d in zip(made_up(SHARDS, MEASURES), (DIGITS, 6), strict=True)]
    check_equal(found, expected)
    check_equal(contents(FeatureStore(records.path, SPACE))[:2], expected)


def test_more_workers_have_larger_portions(opened):
    workers = MadeUp()
    workers.count = 2
    team = recorded(opened(), workers)
    many = [(i, (NETWORKS[i],)) for i in range(20)]
    team.evaluate(many, MEASURES[:1])
    assert [len(numbers) for numbers, _ in workers.asked] == [8, 8, 4]
    assert team.count == 2
    team.close()
    assert workers.closed


def test_what_was_measured_before_a_failure_is_kept(opened):
    class Fails(MadeUp):
        def evaluate(self, shards, texts):
            if self.asked:
                raise InputError("no luck")
            return super().evaluate(shards, texts)

    records = opened()
    with pytest.raises(InputError, match="no luck"):
        recorded(records, Fails()).evaluate(SHARDS, MEASURES)
    known = contents(FeatureStore(records.path, SPACE))[2]
    assert known[:, :, :32].all()
    assert not known[:, :, 32:].any()


class Stops(MadeUp):
    """Says so and waits for its end when it is asked for shard 3."""

    def evaluate(self, shards, texts):
        if shards[0][0] == 3:
            print("waits", flush=True)
            sys.stdin.read()
        return super().evaluate(shards, texts)


def test_after_a_killed_run_the_next_goes_on_where_it_stopped(opened, tmp_path, monkeypatch):
    """To the same bytes as a run that nobody killed."""
    path = tmp_path / "records"
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.evaluation.test_feature_store", str(path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        try:
            assert program.stdout.readline() == "waits\n"
            with pytest.raises(InputError, match="another process is adding"):
                opened(path)
        finally:
            program.kill()
    assert program.returncode == -signal.SIGKILL
    with (path / "measures.csv.gz").open("ab") as file:
        file.write((path / "measures.csv.gz").read_bytes()[:50])  # as if killed while it wrote
    monkeypatch.setattr(module, "PORTION", 1)
    records = opened(path)
    assert contents(records)[2].all((0, 1)).tolist() == [True] * 24 + [False] * 16
    team = recorded(records)
    found = team.evaluate(SHARDS, MEASURES)
    assert [numbers for numbers, _ in team.workers.asked] == [[3], [4]]
    records.compact()

    whole = recorded(opened(tmp_path / "whole"))
    check_equal(whole.evaluate(SHARDS, MEASURES), found)
    assert [numbers for numbers, _ in whole.workers.asked] == [[0], [1], [2], [3], [4]]
    whole.records.compact()
    for name in ("measures.csv.gz", "conditions.json"):
        assert (path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


if __name__ == "__main__":
    module.PORTION = 1
    opened_here = FeatureStore(Path(sys.argv[1]), SPACE)
    opened_here.about(SETTINGS)
    recorded(opened_here, Stops()).evaluate(SHARDS, MEASURES)
