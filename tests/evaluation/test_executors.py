"""Workers: the same numbers however many there are, whatever they were asked before."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.evaluation import executors as module
from eznas.evaluation.bank_on_disk import Mapped
from eznas.evaluation.evaluator import Evaluator, Place
from eznas.evaluation.executors import RayWorkers, Serial, start, try_ray
from eznas.evaluation.feature_store import DIGITS, FeatureStore, StoredWorkers
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated

IMAGES = generated(4, size=16)
SETTINGS = (
    MeasurementConfig(IMAGES, classes=10, raw=2, sketch=4),
    MeasurementConfig(IMAGES.resized(8), classes=5, raw=2, sketch=4),
)
PLACES = (
    Place(SPACES["nasbench201"], SETTINGS),
    Place(SPACES["nasbench-macro"], SETTINGS[1:]),
)
STRINGS = (
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",  # disconnected
    "|skip_connect~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
    "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
)
SHARDS = [(0, STRINGS[:2]), (1, STRINGS[2:3]), (2, STRINGS[3:])]
KEPT = ("data_relu_agreement", "layer_params")
TEXTS = [
    "logdet(sum_layers(data_relu_agreement))",
    "sum_layers(log(layer_params))",
    "mean_layers(norm(data_conv_output_gram))",  # not kept
    "sum_layers(mean_abs(weight))",  # not kept either
    "params",
]


def evaluator(statistics=KEPT, keep=True):
    return Evaluator(PLACES, statistics, keep)


def same(found, expected):
    """Bit by bit, NaN included."""
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype == np.float64
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()


def part(arrays, rows, shards):
    """The measures `rows` of the networks of `shards`, from arrays over all of `SHARDS`."""
    starts = np.cumsum([0, *(len(s[1]) for s in SHARDS)])
    columns = [i for s in shards for i in range(starts[s], starts[s + 1])]
    return tuple(np.ascontiguousarray(a[:, rows][:, :, columns]) for a in arrays)


@pytest.fixture(scope="module")
def reference():
    return Serial(evaluator).evaluate(SHARDS, TEXTS)


def test_one_row_per_setting_and_measure_one_column_per_network(reference):
    values, coverage = reference
    assert values.shape == coverage.shape == (2, len(TEXTS), len(STRINGS))
    gram, params = 2, 4
    assert np.isnan(coverage[:, gram, 1]).all()  # nothing is alive in the second network
    assert np.isfinite(values[:, params]).all()
    assert (values[0, gram, [0, 2, 3]] != values[1, gram, [0, 2, 3]]).all()  # two input sizes
    assert (values[0, params] > values[1, params]).all()  # two widths of the head


@pytest.mark.parametrize("order", [(2, 0, 1), (1,), (2, 1)])
def test_shards_do_not_depend_on_their_company(reference, order):
    found = Serial(evaluator).evaluate([SHARDS[i] for i in order], TEXTS)
    same(found, part(reference, list(range(len(TEXTS))), order))


def test_measures_do_not_depend_on_what_was_asked_before(reference):
    serial = Serial(evaluator)
    for rows, shards in (([3, 1], [0]), ([0], [0, 1, 2]), ([2, 4, 1, 0], [2, 0]), ([3], [1])):
        found = serial.evaluate([SHARDS[i] for i in shards], [TEXTS[r] for r in rows])
        same(found, part(reference, rows, shards))


@pytest.mark.parametrize(("statistics", "keep"), [((), False), ((), True), (KEPT, False)])
def test_what_is_kept_changes_no_number(reference, statistics, keep):
    made = evaluator(statistics, keep)
    rows = [0, 2, 3]
    for _ in range(2):
        found = made.evaluate(SHARDS[2], [TEXTS[r] for r in rows])
        same(found, part(reference, rows, [2]))


def test_statistics_beyond_those_kept_are_let_go():
    made = evaluator()
    made.evaluate(SHARDS[1], ["params"])
    size = made.nbytes
    made.evaluate(SHARDS[1], TEXTS)
    assert made.nbytes == size > 0
    assert set(made._kept) == {(0, 1, 0), (0, 1, 1)}
    assert all(set(k.shard.blocks) == set(KEPT) for k in made._kept.values())


def test_beyond_the_budget_shards_go_to_disk_and_no_number_changes(reference):
    made = Evaluator(PLACES, KEPT, True, budget=0)
    for _ in range(2):
        for at, shard in enumerate(SHARDS):
            same(made.evaluate(shard, TEXTS), part(reference, range(len(TEXTS)), [at]))
    assert all(isinstance(k.shard, Mapped) for k in made._kept.values())
    assert made.nbytes == 0
    free = Evaluator(PLACES, KEPT, True, budget=1 << 50)
    free.evaluate(SHARDS[0], TEXTS)
    assert free.nbytes == free.touched(KEPT) > free.touched(KEPT[1:]) > 0
    made = Evaluator(PLACES, KEPT, True, budget=0)
    made.evaluate(SHARDS[0], TEXTS)
    assert made.touched(KEPT) == free.touched(KEPT)


def test_what_was_computed_can_be_forgotten(reference):
    made = evaluator()
    made.evaluate(SHARDS[1], TEXTS)
    held = made.nbytes
    made.forget()
    assert made.nbytes == held
    assert all(not k.cache._values for k in made._kept.values())
    same(made.evaluate(SHARDS[1], TEXTS), part(reference, range(len(TEXTS)), [1]))


def test_half_storage_changes_raw_features_alone():
    texts = ["mean_layers(norm(data_conv_output))", "sum_layers(norm(weight))", TEXTS[0]]
    half = [replace(s, storage="half") for s in SETTINGS]
    single, rounded = (
        Evaluator((Place(SPACES["nasbench201"], tuple(s)),), ("data_conv_output",)).evaluate(
            SHARDS[1], texts
        )[0]
        for s in (SETTINGS, half)
    )
    np.testing.assert_array_equal(single[:, 1:], rounded[:, 1:])
    np.testing.assert_allclose(single[:, 0], rounded[:, 0], rtol=0.01)
    assert (single[:, 0] != rounded[:, 0]).all()
    assert half[0].fingerprint != SETTINGS[0].fingerprint
    assert "storage" not in SETTINGS[0].describe()
    with pytest.raises(InputError, match="storage 'quarter'"):
        replace(SETTINGS[0], storage="quarter")


def test_without_keeping_nothing_stays():
    made = evaluator(keep=False)
    made.evaluate(SHARDS[1], ["params"])
    assert (made._kept, made.nbytes) == ({}, 0)


def test_what_is_kept_is_measured_once(monkeypatch):
    import eznas.evaluation.evaluator

    asked = []

    def counted(model, conditions, rows, measure=eznas.evaluation.evaluator.measure):
        asked.append([r.name for r in rows])
        return measure(model, conditions, rows)

    monkeypatch.setattr(eznas.evaluation.evaluator, "measure", counted)
    made = evaluator()
    made.evaluate(SHARDS[1], TEXTS[:2])
    assert {tuple(a) for a in asked} == {KEPT}
    assert len(asked) == len(SETTINGS)
    asked.clear()
    made.evaluate(SHARDS[1], ["max_layers(log(layer_params))", TEXTS[0]])
    assert asked == []
    made.evaluate(SHARDS[1], ["params"])
    assert asked == [["params"]] * len(SETTINGS)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_random_state_are_as_before(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(5)
        state = torch.get_rng_state()
        evaluator().evaluate(SHARDS[1], TEXTS[:1])
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == threads
        with pytest.raises(ValueError, match="unknown"):
            evaluator().evaluate(SHARDS[1], ["no_such_statistic"])
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_the_random_state_changes_no_number(reference):
    torch.manual_seed(77)
    same(evaluator().evaluate(SHARDS[1], TEXTS), part(reference, list(range(len(TEXTS))), [1]))


def test_every_place_has_its_own_networks_and_settings(reference):
    serial = Serial(evaluator)
    same(serial.evaluate(SHARDS, TEXTS), reference)
    macro = [(0, ("00000000", "12000002")), (1, ("22222222",))]
    values, coverage = serial.evaluate(macro, ["params", *TEXTS[:1]], 1)
    assert values.shape == coverage.shape == (1, 2, 3)
    assert values[0, 0].tolist() == sorted(values[0, 0].tolist())
    same(serial.evaluate(SHARDS, TEXTS), reference)  # numbers of shards do not meet


def test_progress_is_told():
    told = []
    serial = start(evaluator, 1, lambda done, total: told.append((done, total)))
    assert isinstance(serial, Serial)
    serial.evaluate(SHARDS[1:], ["params"])
    serial.close()
    assert (serial.count, told) == (1, [(1, 2), (2, 2)])


def test_recorded_workers_give_the_stored_digits_and_measure_once(reference, tmp_path):
    told = []
    records = FeatureStore(tmp_path / "records", "nasbench201")
    records.about(SETTINGS)
    inner = Serial(evaluator, lambda done, total: told.append((done, total)))
    team = StoredWorkers(inner, records, SETTINGS)
    found = team.evaluate(SHARDS, TEXTS)
    np.testing.assert_allclose(found[0], reference[0], rtol=10.0 ** (1 - DIGITS))
    np.testing.assert_allclose(found[1], reference[1], rtol=1e-5)
    assert told == [(1, 3), (2, 3), (3, 3)]
    for order in ((0, 1, 2), (2, 0)):
        again = team.evaluate([SHARDS[i] for i in order], TEXTS)
        same(again, part(found, list(range(len(TEXTS))), order))
    assert len(told) == 3
    records.close()
    reopened = StoredWorkers(inner, FeatureStore(records.path, "nasbench201"), SETTINGS)
    same(reopened.evaluate(SHARDS, TEXTS), found)
    assert len(told) == 3


@pytest.fixture
def ray_workers():
    """Makes workers, and stops them."""
    made = []

    def make(count, progress=None):
        made.append(start(evaluator, count, progress))
        return made[-1]

    yield make
    for workers in made:
        workers.close()


# What the cluster leaves to the garbage collector, and its own advice, is no matter of ours.
from_ray = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


@pytest.mark.ray
@from_ray
@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_actors_gives_the_same_bits(reference, count):
    workers = RayWorkers(evaluator, count)
    try:
        same(workers.evaluate(SHARDS, TEXTS), reference)
        order = (2, 0)
        found = workers.evaluate([SHARDS[i] for i in order], TEXTS[1:3])
        same(found, part(reference, [1, 2], order))
    finally:
        workers.close()


@pytest.mark.ray
@from_ray
def test_two_places_on_two_actors(ray_workers):
    networks = tuple(SPACES["nasbench-macro"].sample(3, seed=0))
    shards, texts = [(0, networks[:2]), (1, networks[2:])], ["sum_layers(log(layer_params))"]
    expected = Serial(evaluator).evaluate(shards, texts, place=1)
    workers = ray_workers(2)
    workers.evaluate(SHARDS, texts)
    same(workers.evaluate(shards, texts, place=1), expected)


@pytest.mark.ray
@from_ray
def test_a_lost_actor_is_made_anew(reference, ray_workers):
    import ray

    told = []
    workers = ray_workers(2, lambda done, total: told.append((done, total)))
    same(workers.evaluate(SHARDS, TEXTS[:2]), part(reference, [0, 1], [0, 1, 2]))
    lost = workers._actors[0]
    ray.kill(lost)
    told.clear()
    same(workers.evaluate(SHARDS, TEXTS), reference)
    assert workers._actors[0] is not lost
    assert told[-1] == (3, 3)
    same(workers.evaluate(SHARDS, TEXTS), reference)


@pytest.mark.ray
@from_ray
def test_an_error_in_a_worker_reaches_the_driver(ray_workers):
    with pytest.raises(ValueError, match="no_such_statistic"):
        ray_workers(2).evaluate(SHARDS, ["no_such_statistic"])


@pytest.mark.ray
@from_ray
def test_ray_is_tried_and_ends_again():
    import ray

    seconds, largest = try_ray(2)
    assert 0 < seconds < 120
    assert largest > 100 << 20  # torch was imported there
    assert not ray.is_initialized()


@pytest.mark.ray
@from_ray
def test_a_task_that_does_not_come_back_is_bad_input(monkeypatch):
    import ray

    monkeypatch.setattr(module, "_PATIENCE", 0)
    with pytest.raises(InputError, match="Ray: Get timed out"):
        try_ray(2)
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    "error", [Exception("no\nraylet"), ConnectionError("no\nraylet"), RuntimeError("no\nraylet")]
)
def test_ray_that_does_not_start_is_bad_input(monkeypatch, error):
    def fails(count):
        raise error

    monkeypatch.setattr(module, "_start_ray", fails)
    with pytest.raises(InputError, match=r"^Ray: no raylet$"):
        try_ray(2)


def test_a_fault_of_our_own_in_trying_ray_is_raised(monkeypatch):
    monkeypatch.setattr(module, "_start_ray", lambda count: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        try_ray(2)


@pytest.mark.ray
@from_ray
def test_the_cluster_ends_with_its_workers():
    import ray

    workers = RayWorkers(evaluator, 2)
    assert ray.is_initialized()
    workers.close()
    assert not ray.is_initialized()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999999"])
def test_a_cluster_that_nobody_answers_for_is_refused_at_once(monkeypatch, address):
    monkeypatch.setenv(module.ADDRESS, address)
    with pytest.raises(InputError, match=f"Ray cluster '{address}': cannot be reached"):
        start(evaluator, 1)
