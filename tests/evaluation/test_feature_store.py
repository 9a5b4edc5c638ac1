"""FeatureStore: what is read back is what was written, and one process at a time adds to it."""

import dataclasses
import gc
import json

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.evaluation import feature_store
from eznas.evaluation.feature_store import FeatureStore
from eznas.evaluation.feature_values import BITS, FeatureValues
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from tests.evaluation.stored import (
    ARCHITECTURES,
    CONFIGS,
    FEATURES,
    IMAGES,
    SPACE,
    add,
    check_equal,
    contents,
    file_of,
    made_up,
    reread,
)

ALL = range(5)  # the numbers of shards
BUILD = str(torch.__version__)


def test_what_is_written_is_read_to_the_stored_digits(open_store):
    store = open_store()
    add(store, ALL)
    values = FeatureValues(
        *map(np.stack, zip(*(made_up(c, FEATURES, ARCHITECTURES) for c in (0, 1)), strict=True))
    )
    assert not np.isfinite(values.values).all()
    expected = [*values.rounded(), np.ones(values.values.shape, dtype=bool)]
    check_equal(contents(store), expected)
    check_equal(reread(store), expected)
    np.testing.assert_allclose(contents(store)[0], values.values, rtol=2.0**-BITS)
    assert (contents(store)[0] != values.values).any()  # there was what to round


def test_a_build_that_claimed_a_store_and_added_nothing_is_forgotten(open_store, monkeypatch):
    monkeypatch.setattr(feature_store, "present_build", lambda: "1.0")
    store = open_store()
    store.claim(CONFIGS)
    assert store.builds(CONFIGS[0].key) == ("1.0",)
    store.close()
    monkeypatch.undo()
    again = open_store()
    again.claim(CONFIGS)
    assert again.builds(CONFIGS[0].key) == (BUILD,)


def test_a_value_that_was_read_is_written_as_it_was(open_store, tmp_path):
    store, again = open_store(), open_store(tmp_path / "again")
    add(store, ALL)
    parts = [
        (config, ARCHITECTURES, store.find(config.key, FEATURES, ARCHITECTURES)[0])
        for config in CONFIGS
    ]
    again.append(FEATURES, parts)
    check_equal(contents(again), contents(store))
    assert file_of(again).read_bytes() == file_of(store).read_bytes()


def test_the_folder_says_what_it_holds(open_store):
    store = open_store()
    add(store, [0])
    store.close()
    file = store.path / "measurement.json"
    description = json.loads(file.read_text())
    assert description == {
        "measurement": {config.key: config.describe() | {"torch": [BUILD]} for config in CONFIGS},
        "space": SPACE,
    }
    other = MeasurementConfig(IMAGES, raw=2, sketch=2, seed=7)
    again = FeatureStore(store.path, SPACE)
    again.claim([other])
    again.close()
    description["measurement"][other.key] = other.describe() | {"torch": [BUILD]}
    assert json.loads(file.read_text()) == description


def test_nothing_is_known_of_what_was_never_measured(open_store):
    store = open_store()
    assert not contents(store)[-1].any()
    add(store, [0, 1], FEATURES[:2], contexts=[1])
    values, coverage, status, known = contents(store)
    expected = np.zeros_like(known)
    expected[1, :2, :16] = True
    np.testing.assert_array_equal(known, expected)
    assert np.isnan(values[~known]).all()
    assert (coverage[~known] == 0).all()
    assert (status[~known] == 0).all()
    assert not store.find("another", FEATURES, ARCHITECTURES)[1].any()


def test_find_answers_in_the_order_of_the_question(open_store):
    store = open_store()
    add(store, ALL)
    all_values = contents(store)[0]
    architectures = (ARCHITECTURES[30], ARCHITECTURES[4], "|unknown|", ARCHITECTURES[30])
    values, known = store.find(CONFIGS[0].key, FEATURES[::-1], architectures)
    np.testing.assert_array_equal(values.values[:, [0, 1, 3]], all_values[0, ::-1][:, [30, 4, 30]])
    assert known.all(0).tolist() == [True, True, False, True]


def test_of_an_architecture_that_repeats_the_last_column_is_stored(open_store):
    store = open_store()
    values = FeatureValues.missing(1, 3)
    values.values[:], values.coverage[:] = [[1, 2, 3]], 1
    store.append(["params"], [(CONFIGS[0], ["a", "b", "a"], values)])
    for opened in (store, FeatureStore(store.path, SPACE)):
        stored, known = opened.find(CONFIGS[0].key, ["params"], ["b", "a", "c", "a"])
        np.testing.assert_array_equal(stored.values, [[2, 3, np.nan, 3]])
        assert known.tolist() == [[True, True, False, True]]


def test_of_two_values_the_last_counts_also_when_reopened(open_store):
    """The tables come in another order when they are sorted."""
    store = open_store()
    for value, features in ((1.0, ["b", "c"]), (2.0, ["b"]), (3.0, ["b", "a"])):
        values = FeatureValues.missing(len(features), len(ARCHITECTURES))
        values.values[:], values.coverage[:] = value, 1
        store.append(features, [(config, ARCHITECTURES, values) for config in CONFIGS])

    def check_last_counts():
        for opened in (store, FeatureStore(store.path, SPACE)):
            assert (contents(opened, ["b"])[0] == 3).all()
            assert (contents(opened, ["c"])[0] == 1).all()

    check_last_counts()
    store.compact()
    check_last_counts()


# (shard numbers, features, contexts); in any order of appends the content is the same in the end.
PARTS = [
    ([0, 1], FEATURES, [0, 1]),
    ([2], FEATURES[::-1], [0]),
    ([2], FEATURES[:3], [1]),
    ([3, 4], FEATURES[1:2], [0, 1]),
    ([3], (FEATURES[3], FEATURES[0], FEATURES[2]), [1, 0]),
]


def test_compact_gives_equal_bytes_for_equal_content_in_any_order(open_store, tmp_path):
    compacted, sizes = [], []
    for name, order in enumerate([PARTS, PARTS[::-1], PARTS[2:] + PARTS[:2]]):
        store = open_store(tmp_path / str(name))
        for part in order:
            add(store, *part)
        before = contents(store)
        sizes.append(file_of(store).stat().st_size)
        store.compact()
        check_equal(contents(store), before)
        check_equal(reread(store), before)
        compacted.append((file_of(store).read_bytes(), before))
        add(store, [3, 4], FEATURES[1:2])  # once more what is known: nothing changes
        store.compact()
        assert file_of(store).read_bytes() == compacted[-1][0]
    for data, arrays in compacted[1:]:
        assert data == compacted[0][0]
        check_equal(arrays, compacted[0][1])
    assert len(compacted[0][0]) < min(sizes)


def test_a_feature_that_is_added_later_joins_its_networks(open_store, tmp_path):
    """Also byte by byte: as if all had been measured at once."""
    one_by_one, at_once = open_store(), open_store(tmp_path / "at once")
    for feature in FEATURES:
        add(one_by_one, ALL, [feature])
    add(at_once, ALL, sorted(FEATURES))
    for store in (one_by_one, at_once):
        store.compact()
    assert file_of(one_by_one).read_bytes() == file_of(at_once).read_bytes()


def test_an_empty_store_compacts_to_an_empty_store(open_store):
    store = open_store()
    store.compact()
    assert not reread(store)[-1].any()
    add(store, ALL)
    assert reread(store)[-1].all()


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"measurement": []}', '{"measurement": {"a": {"torch": "2"}}}', "\x00", ""],
)
def test_a_damaged_description_is_named(tmp_path, content):
    (tmp_path / "measurement.json").write_text(content)
    with pytest.raises(InputError, match=r"measurement\.json: (damaged|content)"):
        FeatureStore(tmp_path, SPACE)


def test_another_space_is_refused(open_store):
    path = open_store().path
    with pytest.raises(InputError, match="feature values of nasbench201, expected darts"):
        FeatureStore(path, "darts")


@pytest.mark.parametrize("path", ["file.txt", "file.txt/below"])
def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path, path):
    (tmp_path / "file.txt").write_text("text")
    store = FeatureStore(tmp_path / path, SPACE)
    with pytest.raises(InputError, match=r"file\.txt.*: cannot write: "):
        store.claim(CONFIGS)
    assert (tmp_path / "file.txt").read_text() == "text"


def test_one_handle_at_a_time_adds(open_store):
    first = open_store()
    second = FeatureStore(first.path, SPACE)
    for store in (second, second, FeatureStore(first.path, SPACE)):
        with pytest.raises(InputError, match="another process is adding"):
            store.claim(CONFIGS)
    del store
    gc.collect()  # a file that was left open would be warned of
    first.claim(CONFIGS)  # it has it already
    first.close()
    second.claim(CONFIGS)
    with pytest.raises(InputError, match="another process is adding"):
        first.claim(CONFIGS)
    second.close()
    second.close()
    first.claim(CONFIGS)


def test_what_another_added_before_the_claim_is_not_lost(open_store):
    """Who opened the folder earlier must not write it anew as it was then."""
    first = open_store()
    add(first, [0])
    early = FeatureStore(first.path, SPACE)
    add(first, range(1, 5))
    expected = contents(first)
    first.close()
    early.claim(CONFIGS)
    check_equal(contents(early), expected)
    early.compact()
    early.close()
    check_equal(reread(first), expected)


def test_features_of_words_that_the_language_has_no_more_are_not_named(open_store):
    """Nobody can ask for them, and comparing builds would end in an error."""
    store, gone = open_store(), "sum_layers(norm(no_such_statistic))"
    add(store, [0], ["params", gone])
    assert store.features(CONFIGS[0].key) == ["params"]


def test_columns_name_the_definition_of_what_changed():
    """Logarithms of measured tensors leave out layers of which nothing comes, since 3."""
    assert feature_store._column("sum_layers(layer_params)") == "sum_layers(layer_params)"
    assert feature_store._column("mean_layers(log(layer_flops))") == "mean_layers(log(layer_flops))"
    assert feature_store._column("log(params)") == "log(params)"
    log_norm = "sum_layers(log(norm(weight)))"
    assert feature_store._column(log_norm) == f"{log_norm} #3"


def test_a_new_definition_of_a_statistic_hides_old_values_of_its_features_alone(
    open_store, monkeypatch
):
    features = ["sum_layers(norm(weight))", "sum_layers(layer_params)", "params"]
    config = CONFIGS[0]
    values = FeatureValues(np.ones((3, 2)), np.ones((3, 2)), np.zeros((3, 2), np.int8))
    store = open_store()
    store.append(features, [(config, ARCHITECTURES[:2], values)])

    def known():
        return store.find(config.key, features, ARCHITECTURES[:2])[1].all(1).tolist()

    assert known() == [True, True, True]
    changed = dataclasses.replace(CATALOGUE["weight"], definition=99)
    monkeypatch.setitem(CATALOGUE, "weight", changed)
    feature_store._column.cache_clear()
    assert known() == [False, True, True]
    store.append(features[:1], [(config, ARCHITECTURES[:2], values.rows([0]))])
    assert known() == [True, True, True]
    store.compact()
    assert known() == [True, True, True]
    monkeypatch.undo()
    feature_store._column.cache_clear()
    assert known() == [True, True, True]
