"""Workers with a feature store: what it holds is not measured again, and a killed run goes on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.evaluation import feature_store as store_module
from eznas.evaluation import stored_workers as workers_module
from eznas.evaluation.executors import NoPhases, SerialExecutor
from eznas.evaluation.feature_store import FILE, FeatureStore
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import BITS, FeatureValues
from eznas.evaluation.status import Status
from eznas.evaluation.stored_workers import SHARDS_PER_APPEND, Measuring, StoredWorkers
from eznas.evaluation.workers import Workers
from tests.evaluation import networks
from tests.evaluation.stored import (
    ARCHITECTURES,
    CONFIGS,
    CONTEXTS,
    FEATURES,
    MEMBERS,
    SHARDS,
    SPACE,
    add,
    check_equal,
    contents,
    made_up,
    reread,
)

ROOT = Path(__file__).parents[2]


class MadeUpWorkers:
    """Workers without networks; `calls` are the (context, number) of shards and texts of each."""

    count = 1

    def __init__(self):
        self.calls = []
        self.closed = False

    def evaluate(self, shards, texts):
        self.calls.append(([(s.context, s.number) for s in shards], list(texts)))
        return [made_up(shard.context, texts, shard.architectures) for shard in shards]

    def close(self):
        self.closed = True


class Heard(NoPhases):
    """Keeps what it hears: phases, progress and notes."""

    def __init__(self):
        self.phases, self.progress, self.notes = [], [], []

    def phase(self, name, networks):
        self.phases.append((name, networks))
        return lambda done, total: self.progress.append((done, total))

    def note(self, text):
        self.notes.append(text)


def stored_workers(store, workers=None, **settings):
    return StoredWorkers(workers or MadeUpWorkers(), {0: store, 1: store}, CONTEXTS, **settings)


def check_values(values, expected):
    for shard_values, shard_expected in zip(values, expected, strict=True):
        check_equal(shard_values, shard_expected)


EXPECTED = [made_up(s.context, FEATURES, s.architectures).rounded() for s in SHARDS]


def test_only_what_is_missing_is_evaluated(open_store):
    workers = stored_workers(open_store())
    calls, texts = workers.workers.calls, list(FEATURES)
    assert SHARDS_PER_APPEND == 4
    check_values(workers.evaluate(SHARDS, FEATURES), EXPECTED)
    assert calls == [
        ([(0, 0), (1, 0), (0, 1), (1, 1)], texts),
        ([(0, 2), (1, 2), (0, 3), (1, 3)], texts),
        ([(0, 4), (1, 4)], texts),
    ]
    calls.clear()
    check_values(workers.evaluate(SHARDS, FEATURES), EXPECTED)
    indices = [3, 1, 8, 6]
    values = workers.evaluate([SHARDS[i] for i in indices], FEATURES[2:0:-1])
    check_values(values, [EXPECTED[i].rows([2, 1]) for i in indices])
    assert calls == []
    workers.evaluate(SHARDS[:2], ["sum_layers(y)", FEATURES[0]])
    assert calls == [([(0, 0), (0, 1)], ["sum_layers(y)"])]


def test_shards_that_lack_the_same_are_evaluated_together(open_store):
    store = open_store()
    add(store, [0], FEATURES[:2])
    add(store, [1])
    add(store, [2], contexts=[1])  # in one context only
    for context, config in enumerate(CONFIGS):  # all networks of shard 3 but the first
        rest = MEMBERS[3][1:]
        store.append(FEATURES, [(config, rest, made_up(context, FEATURES, rest))])
    workers = stored_workers(store)
    values = workers.evaluate(SHARDS, FEATURES)
    assert workers.workers.calls == [
        ([(0, 0), (1, 0)], list(FEATURES[2:])),
        ([(0, 2), (0, 3), (1, 3), (0, 4)], list(FEATURES)),
        ([(1, 4)], list(FEATURES)),
    ]
    check_values(values, EXPECTED)
    both = [FeatureValues.beside(EXPECTED[i : i + 5]) for i in (0, 5)]
    check_equal(reread(store)[:3], [np.stack(arrays) for arrays in zip(*both, strict=True)])


def test_more_workers_have_larger_portions(open_store):
    inner_workers = MadeUpWorkers()
    inner_workers.count = 2
    workers = stored_workers(open_store(), inner_workers)
    shards = [Shard(0, number, (ARCHITECTURES[number],)) for number in range(20)]
    workers.evaluate(shards, FEATURES[:1])
    assert [len(numbers) for numbers, _ in inner_workers.calls] == [8, 8, 4]
    assert workers.count == 2
    workers.close()
    assert inner_workers.closed


def test_what_was_measured_before_a_failure_is_kept(open_store):
    class FailingWorkers(MadeUpWorkers):
        def evaluate(self, shards, texts):
            if self.calls:
                raise InputError("no luck")
            return super().evaluate(shards, texts)

    store = open_store()
    with pytest.raises(InputError, match="no luck"):
        stored_workers(store, FailingWorkers()).evaluate(SHARDS[:5], FEATURES)
    known = reread(store)[-1]
    assert known[0, :, :32].all()
    assert not known[0, :, 32:].any()
    assert not known[1].any()


@pytest.mark.parametrize("reason", ["killed", "network killed", "memory"])
def test_failures_are_not_stored(open_store, reason):
    class LenientWorkers(MadeUpWorkers):
        def evaluate(self, shards, texts):
            return [FeatureValues.failed(len(texts), 8, reason) for _ in shards]

    store = open_store()
    [values] = stored_workers(store, LenientWorkers()).evaluate(SHARDS[:1], FEATURES[:1])
    check_equal(values, FeatureValues.failed(1, 8, reason))
    assert not contents(store)[-1].any()


def test_the_others_are_stored_where_a_network_and_a_feature_fail(open_store):
    class LenientWorkers(MadeUpWorkers):
        def evaluate(self, shards, texts):
            shard_values = super().evaluate(shards, texts)
            for values in shard_values:
                values.status[:, 2] = Status.FORWARD_FAILED
                values.status[1, 3] = Status.OUT_OF_MEMORY
            return shard_values

    store = open_store()
    [values] = stored_workers(store, LenientWorkers()).evaluate(SHARDS[:1], FEATURES)
    assert (values.status[:, 2] == Status.FORWARD_FAILED).all()
    known = contents(store, architectures=MEMBERS[0])[-1][0]
    assert known[[0, 2, 3]].all(0).tolist() == [True] * 2 + [False] + [True] * 5
    assert not known[1].any()


def test_networks_are_measured_once_and_give_the_stored_digits(reference, tmp_path):
    """With an evaluator of real networks."""
    heard = Heard()
    measuring, progress = Measuring("measuring", 7, heard), heard.progress
    store = FeatureStore(tmp_path / "store", SPACE)
    inner_workers = Workers(SerialExecutor(networks.make_evaluator), progress=measuring)
    workers = StoredWorkers(inner_workers, {0: store, 1: store}, networks.CONTEXTS, measuring)
    values = workers.evaluate(networks.SHARDS, networks.FEATURES)
    for shard_values, expected in zip(values, reference, strict=True):
        tolerances = 2.0**-BITS, 0
        known = expected.status == 0  # the value of an empty network says nothing
        for array, expected_array, rtol in zip(shard_values, expected, tolerances, strict=False):
            np.testing.assert_allclose(array[known], expected_array[known], rtol=rtol)
        np.testing.assert_array_equal(shard_values.status, expected.status)
    assert heard.phases == [("measuring", 7)]
    networks_of_shards = {a for shard in networks.SHARDS for a in shard.architectures}
    assert {total for _, total in progress} == {len(networks_of_shards)}
    assert progress == sorted(progress)
    assert progress[-1][0] == len(networks_of_shards)
    progress.clear()
    for indices in ((0, 1, 2, 3, 4, 5), (2, 0), (5, 3)):
        shards = [networks.SHARDS[i] for i in indices]
        again = workers.evaluate(shards, networks.FEATURES)
        networks.assert_equal(again, [values[i] for i in indices])
    workers.close()
    reopened = FeatureStore(store.path, SPACE)
    workers = StoredWorkers(inner_workers, {0: reopened, 1: reopened}, networks.CONTEXTS)
    networks.assert_equal(workers.evaluate(networks.SHARDS, networks.FEATURES), values)
    assert progress == []


def test_what_is_not_listed_is_evaluated_and_not_stored(open_store):
    workers = stored_workers(open_store(), listed=frozenset(FEATURES[:2]))
    for calls in (2, 1):
        check_values(workers.evaluate(SHARDS[:2], FEATURES), EXPECTED[:2])
        assert len(workers.workers.calls) == 1
        assert workers.workers.calls.pop()[1] == list(FEATURES if calls == 2 else FEATURES[2:])
    store = workers.stores[0]
    assert contents(store)[-1][0, :, 0].tolist() == [True, True, False, False]


def test_a_store_that_another_process_adds_to_is_read_only(open_store):
    other = open_store()
    add(other, [0])
    heard = Heard()
    store = FeatureStore(other.path, SPACE)
    workers = stored_workers(store, measuring=Measuring("", 0, heard))
    for _ in range(2):
        check_values(workers.evaluate(SHARDS[:3], FEATURES), EXPECTED[:3])
    assert [numbers for numbers, _ in workers.workers.calls] == [[(0, 1), (0, 2)]] * 2
    assert heard.notes == [
        f"{store.path}: another process is adding feature values; it is read, and nothing is added"
    ]
    workers.close()
    check_equal(reread(other), contents(other))


@pytest.fixture
def earlier_build(open_store, monkeypatch):
    """A store whose values are by another build of torch."""
    store = open_store()
    monkeypatch.setattr(store_module, "present_build", lambda: "1.0")
    for config in CONFIGS:
        store.agree(config)
    add(store, range(5))
    content = json.loads((store.path / "measurement.json").read_text())
    for config in content["measurement"].values():
        config["torch"] = ["1.0"]
    (store.path / "measurement.json").write_text(json.dumps(content))
    store.close()
    monkeypatch.undo()
    return FeatureStore(store.path, SPACE)


def test_values_of_another_build_are_used_where_they_agree(earlier_build):
    heard = Heard()
    workers = stored_workers(earlier_build, measuring=Measuring("", 0, heard))
    for _ in range(2):
        check_values(workers.evaluate(SHARDS, FEATURES), EXPECTED)
    some = sorted(ARCHITECTURES)[::5]
    assert len(some) == 8
    assert [numbers for numbers, _ in workers.workers.calls] == [[(0, 0)], [(1, 0)]]
    assert heard.notes == []
    workers.close()
    again = stored_workers(FeatureStore(earlier_build.path, SPACE))
    check_values(again.evaluate(SHARDS, FEATURES), EXPECTED)
    assert again.workers.calls == []
    assert again.stores[0].builds(CONFIGS[0].key) == ("1.0", str(torch.__version__))


class OtherWorkers(MadeUpWorkers):
    """Workers whose parameters in context 1 are others than those that are stored."""

    def evaluate(self, shards, texts):
        shard_values = super().evaluate(shards, texts)
        for shard, values in zip(shards, shard_values, strict=True):
            if shard.context == 1 and "params" in texts:
                values.values[texts.index("params")] *= 1 + 3e-5
        return shard_values


def test_values_of_another_build_are_not_used_where_they_differ(earlier_build):
    heard, before = Heard(), contents(earlier_build)
    workers = stored_workers(earlier_build, OtherWorkers(), measuring=Measuring("", 0, heard))
    values = workers.evaluate(SHARDS, FEATURES)
    check_values(values[:5], EXPECTED[:5])
    for shard_values, expected in zip(values[5:], EXPECTED[5:], strict=True):
        assert not np.array_equal(shard_values.values[0], expected.values[0], equal_nan=True)
        check_equal(shard_values.rows([1, 2, 3]), expected.rows([1, 2, 3]))
    [note] = heard.notes
    assert note == (
        f"{earlier_build.path}: its values are by torch 1.0, and those by torch "
        f"{torch.__version__} differ (params: by 3e-05): none are used"
    )
    workers.close()
    check_equal(reread(earlier_build), before)


def test_features_that_are_not_listed_are_compared_too(earlier_build):
    """Others will read them: the store is said to agree as a whole."""
    listed = frozenset(FEATURES) - {"params"}
    workers = stored_workers(earlier_build, OtherWorkers(), listed=listed)
    workers.evaluate(SHARDS, sorted(listed))
    workers.close()
    assert [earlier_build.builds(config.key) for config in CONFIGS] == [
        ("1.0", str(torch.__version__)),
        ("1.0",),
    ]


def test_the_comparison_is_a_phase_of_its_own(earlier_build):
    heard = Heard()
    workers = stored_workers(earlier_build, measuring=Measuring("measuring", 40, heard))
    workers.evaluate(SHARDS, FEATURES)
    title = "comparing stored values with this machine's on 8 networks"
    assert heard.phases == [(title, 8)] * 2
    workers.evaluate(SHARDS, ["sum_layers(y)"])
    assert heard.phases[2:] == [("measuring", 40)]
    workers.measuring.begin_comparing(8)
    workers.measuring(3, 8)
    workers.measuring.begin(16, 40)
    workers.measuring(4, 8)
    assert heard.phases[3:] == [(title, 8), ("measuring", 40)]
    assert heard.progress[-2:] == [(3, 8), (20, 40)]
    workers.close()


@pytest.mark.parametrize("failing", [["append"], ["compact"], ["append", "compact"]])
def test_where_a_store_cannot_be_written_to_any_more_the_values_are_still_given(
    open_store, monkeypatch, failing
):
    def fails(*_):
        raise InputError("features.gz: cannot write: No space left on device")

    heard, store = Heard(), open_store()
    for change in failing:
        monkeypatch.setattr(store, change, fails)
    workers = stored_workers(store, measuring=Measuring("", 0, heard))
    check_values(workers.evaluate(SHARDS, FEATURES), EXPECTED)
    workers.close()
    [note] = heard.notes
    assert note.startswith("features.gz: cannot write: No space left on device; it is ")
    assert not store.is_claimed


class StoppingWorkers(MadeUpWorkers):
    """Says so and waits for its end when it comes to shard 3."""

    def evaluate(self, shards, texts):
        if shards[0].number == 3:
            print("waits", flush=True)
            sys.stdin.read()
        return super().evaluate(shards, texts)


def test_after_a_killed_run_the_next_goes_on_where_it_stopped(open_store, tmp_path, monkeypatch):
    """To the same bytes as a run that nobody killed."""
    path = tmp_path / "store"
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.evaluation.test_stored_workers", str(path)],
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
                open_store(path)
        finally:
            program.kill()
    assert program.returncode == -signal.SIGKILL
    with (path / FILE).open("ab") as file:
        file.write((path / FILE).read_bytes()[:50])  # as if killed while it wrote
    monkeypatch.setattr(workers_module, "SHARDS_PER_APPEND", 1)
    store = open_store(path)
    known = contents(store)[-1]
    assert known.all((0, 1)).tolist() == [True] * 24 + [False] * 16
    assert not known[:, :, 24:].any()
    workers = stored_workers(store)
    values = workers.evaluate(SHARDS, FEATURES)
    in_all = [[(c, number)] for number in range(5) for c in (0, 1)]
    assert [numbers for numbers, _ in workers.workers.calls] == in_all[6:]
    store.compact()

    uninterrupted = stored_workers(open_store(tmp_path / "uninterrupted"))
    check_values(uninterrupted.evaluate(SHARDS, FEATURES), values)
    assert [numbers for numbers, _ in uninterrupted.workers.calls] == in_all
    uninterrupted.close()
    for name in (FILE, "measurement.json"):
        assert (path / name).read_bytes() == (tmp_path / "uninterrupted" / name).read_bytes()


if __name__ == "__main__":
    workers_module.SHARDS_PER_APPEND = 1
    store_to_fill = FeatureStore(Path(sys.argv[1]), SPACE)
    store_to_fill.claim(CONFIGS)
    stored_workers(store_to_fill, StoppingWorkers()).evaluate(SHARDS, FEATURES)
