"""Evaluators: the same numbers whatever is kept, evaluated before or evaluated beside."""

import numpy as np
import pytest
import torch

from eznas.evaluation import measuring
from eznas.evaluation.bank_on_disk import BankOnDisk
from eznas.evaluation.executors import SerialExecutor
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status
from eznas.evaluation.workers import Workers
from tests.evaluation.networks import (
    ARCHITECTURES,
    FEATURES,
    GRAM,
    MACRO_SHARDS,
    PARAMS,
    SHARDS,
    STATISTICS,
    assert_equal,
    evaluate,
    in_both_contexts,
    make_evaluator,
)


@pytest.fixture
def serial_workers():
    return Workers(SerialExecutor(make_evaluator))


def test_one_row_per_feature_one_column_per_network(reference):
    large, small = (FeatureValues.beside(reference[i : i + 3]) for i in (0, 3))  # images
    for values in (large, small):
        assert {array.shape for array in values} == {(len(FEATURES), len(ARCHITECTURES))}
        assert values.status[GRAM].tolist() == [0, Status.EMPTY, 0, 0]  # nothing in it is live
        assert np.isfinite(values.values[PARAMS]).all()
    connected = [0, 2, 3]
    assert (large.values[GRAM, connected] != small.values[GRAM, connected]).all()
    assert (large.values[PARAMS] > small.values[PARAMS]).all()  # two widths of the head


@pytest.mark.parametrize("order", [(2, 0, 1), (1,), (2, 1)])
def test_shards_do_not_depend_on_their_company(reference, serial_workers, order):
    indices = in_both_contexts(*order)
    values = serial_workers.evaluate([SHARDS[i] for i in indices], FEATURES)
    assert_equal(values, [reference[i] for i in indices])


def test_features_do_not_depend_on_earlier_evaluations(reference, serial_workers):
    for rows, numbers in (([3, 1], [0]), ([0], [0, 1, 2]), ([2, 4, 1, 0], [2, 0]), ([3], [1])):
        indices = in_both_contexts(*numbers)
        texts = [FEATURES[row] for row in rows]
        values = serial_workers.evaluate([SHARDS[i] for i in indices], texts)
        assert_equal(values, [reference[i].rows(rows) for i in indices])


@pytest.mark.parametrize(("statistics", "keep"), [((), False), ((), True), (STATISTICS, False)])
def test_what_is_kept_changes_no_number(reference, statistics, keep):
    evaluator = make_evaluator(statistics=statistics, keep=keep)
    rows = [0, 2, 3]
    for _ in range(2):
        for i in in_both_contexts(2):
            values = evaluate(evaluator, SHARDS[i], [FEATURES[row] for row in rows])
            assert_equal([values], [reference[i].rows(rows)])


def test_statistics_beyond_those_kept_are_dropped():
    evaluator = make_evaluator()
    shards = [SHARDS[i] for i in in_both_contexts(1)]
    for shard in shards:
        evaluate(evaluator, shard, ["params"])
    size = evaluator.nbytes
    for shard in shards:
        evaluate(evaluator, shard, FEATURES)
    assert evaluator.nbytes == size > 0
    assert set(evaluator._shards) == {(0, 1), (1, 1)}
    assert all(set(s.bank.blocks) == set(STATISTICS) for s in evaluator._shards.values())


def test_beyond_the_budget_banks_go_to_disk_and_no_number_changes(reference):
    evaluator = make_evaluator(budget=0)
    for _ in range(2):
        for shard, expected in zip(SHARDS, reference, strict=True):
            assert_equal([evaluate(evaluator, shard, FEATURES)], [expected])
    assert all(isinstance(s.bank, BankOnDisk) for s in evaluator._shards.values())
    assert evaluator.nbytes == 0
    with_room, without_room = make_evaluator(budget=1 << 50), make_evaluator(budget=0)
    for evaluator in (with_room, without_room):
        evaluate(evaluator, SHARDS[0], FEATURES)
    assert with_room.nbytes == with_room.bytes_of(STATISTICS)
    assert with_room.bytes_of(STATISTICS) > with_room.bytes_of(STATISTICS[1:]) > 0
    assert without_room.bytes_of(STATISTICS) == with_room.bytes_of(STATISTICS)


def test_what_was_computed_can_be_forgotten(reference):
    evaluator = make_evaluator()
    evaluate(evaluator, SHARDS[1], FEATURES)
    size = evaluator.nbytes
    evaluator.clear_cache()
    assert evaluator.nbytes == size
    assert all(not s.cache._values for s in evaluator._shards.values())
    assert_equal([evaluate(evaluator, SHARDS[1], FEATURES)], [reference[1]])


def test_without_keeping_nothing_stays():
    evaluator = make_evaluator(keep=False)
    evaluate(evaluator, SHARDS[1], ["params"])
    assert (evaluator._shards, evaluator.nbytes) == ({}, 0)


def test_what_is_kept_is_measured_once(monkeypatch):
    measured = []

    def counting(model, config, rows, measure=measuring.measure):
        measured.append(tuple(row.name for row in rows))
        return measure(model, config, rows)

    monkeypatch.setattr(measuring, "measure", counting)
    evaluator = make_evaluator()
    shards = [SHARDS[i] for i in in_both_contexts(1)]  # of one network
    for shard in shards:
        evaluate(evaluator, shard, FEATURES[:2])
    assert measured == [STATISTICS] * len(shards)
    measured.clear()
    for shard in shards:
        evaluate(evaluator, shard, ["max_layers(log(layer_params))", FEATURES[0]])
    assert measured == []
    for shard in shards:
        evaluate(evaluator, shard, ["params"])
    assert measured == [("params",)] * len(shards)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_random_state_are_as_before(threads):
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(5)
        state = torch.get_rng_state()
        evaluate(make_evaluator(), SHARDS[1], FEATURES[:1])
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        with pytest.raises(ValueError, match="unknown"):
            evaluate(make_evaluator(), SHARDS[1], ["no_such_statistic"])
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(threads_before)


def test_the_random_state_changes_no_number(reference):
    torch.manual_seed(77)
    assert_equal([evaluate(make_evaluator(), SHARDS[1], FEATURES)], [reference[1]])


def test_every_context_has_its_own_networks(reference, serial_workers):
    assert_equal(serial_workers.evaluate(SHARDS, FEATURES), reference)
    macro = FeatureValues.beside(serial_workers.evaluate(MACRO_SHARDS, ["params", FEATURES[0]]))
    assert {array.shape for array in macro} == {(2, 3)}
    assert macro.values[0].tolist() == sorted(macro.values[0].tolist())
    # Shards of one number in two contexts are two shards.
    assert_equal(serial_workers.evaluate(SHARDS, FEATURES), reference)
