"""Feature stores of runs: they save measuring and change no result."""

import json
import shutil
from functools import partial

import pytest

from eznas.discovery import records as records_module
from eznas.discovery.callbacks import NoCallback
from eznas.discovery.records import listed_features, records_folder, stores_for
from eznas.discovery.run import evolve
from eznas.discovery.search import search_table
from eznas.discovery.setup import prepare
from eznas.errors import InputError
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.feature_store import FeatureStore, present_build
from eznas.evaluation.stored_workers import Measuring, StoredWorkers, started
from eznas.formulas.candidates import candidate_features
from eznas.formulas.parser import parse
from eznas.studies.records import build_records
from tests.discovery.tiny_run import FEW, TINY, comparable, tiny


class Phases(NoCallback):
    """Notes phases, generations and notes, in their order."""

    def __init__(self):
        self.heard = []

    def phase(self, name, networks):
        self.heard.append(name)
        return None

    def generation(self, report, seconds, left):
        self.heard.append(report.generation)

    def note(self, text):
        self.heard.append(text)


SHORT = tiny(generations=0, population=8, offspring=8, networks=8, **{"evidence.networks": 0})


@pytest.fixture
def heard():
    return Phases()


def test_a_run_is_the_same_to_the_bit_with_a_full_store_an_empty_one_and_none(
    home, heard, finished_run
):
    config = tiny()
    evolve(config, name="none", records="none")
    shutil.copytree(finished_run.stores, "stores")  # empty when that run began
    store = FeatureStore(home / "stores" / "nasbench201", "nasbench201")
    [key] = {context.measurement.key for context in prepare(config, 1, None).contexts}
    assert len(store.networks(key)) == 24 + 16  # searched on, and tested
    before = (store.path / "features.gz").read_bytes()
    store.claim([])  # by another process, as it were: what is full needs no claim
    evolve(config, name="full", records="stores", watcher=heard)
    store.close()
    before_it = comparable(finished_run.home, "undisturbed")
    assert comparable(home, "none") == before_it == comparable(home, "full")
    assert (store.path / "features.gz").read_bytes() == before
    assert not [text for text in heard.heard if "another process" in str(text)]


def test_a_run_without_a_test_stores_only_what_it_searched_on(home):
    config = tiny(generations=0, **FEW | {"evidence.networks": 0})
    evolve(config, name="untested", records="stores")
    store = FeatureStore(home / "stores" / "nasbench201", "nasbench201")
    [context] = prepare(config, 1, None).contexts
    assert store.networks(context.measurement.key) == sorted(context.architectures)


@pytest.mark.usefixtures("home", "tiny_networks_ship")
def test_another_seed_finds_its_networks_in_the_store(forbid_measuring):
    trees = {"population": 8, "generations": 0, "greedy_terms": 3, "seed_formulas": ("params",)}
    setups = [prepare(tiny(**trees, seed=seed), 1, None, records=None) for seed in (1, 2)]
    forbid_measuring()
    first, second = map(_filled, setups)
    assert first == second


def _filled(setup):
    """The names of the features that a search looks at first, filled on its networks (those that
    help to choose the champion come later)."""
    team = started(
        partial(Evaluator, setup.contexts, setup.config.evolution.statistics, lenient=True),
        1,
        setup.contexts,
        stores_for(setup.contexts, setup.records),
        Measuring("measuring", setup.config.evolution.networks),
        lenient=True,
        listed=setup.listed,
    )
    try:
        table = search_table(setup, team)
        features = candidate_features(setup.config.evolution.statistics)
        table.fill([*features, *setup.seeds], setup.config.evolution.networks)
    finally:
        team.close()
    return table.filled()


def test_folders(monkeypatch, tmp_path):
    assert records_folder("none") is None
    assert records_folder("mine").name == "mine"
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path))
    assert records_folder(None) == tmp_path / "features"

    def no_home():
        raise InputError("no home folder")

    monkeypatch.setattr(records_module, "data_folder", no_home)
    assert records_folder(None) is None


def test_contexts_of_one_space_share_its_store(tmp_path):
    setup = prepare(tiny(tasks=("nasbench201",)), 1, None)
    stores = stores_for(setup.contexts, tmp_path)
    assert list(stores) == [0, 1]
    assert stores[0] is stores[1]
    assert stores_for(setup.contexts, None) == {}


@pytest.fixture
def shipped(home, monkeypatch, finished_run):
    """The values of a run that ship, as the command that makes them leaves them: of no build."""
    shutil.copytree(finished_run.stores, "shipped")
    evolve(SHORT, name="measured", records="shipped")
    folder = home / "shipped" / "nasbench201"
    described = json.loads((folder / "measurement.json").read_text())
    for config in described["measurement"].values():
        config["torch"] = []
    (folder / "measurement.json").write_text(json.dumps(described))
    monkeypatch.setattr(records_module, "PACKAGED", home / "shipped")
    monkeypatch.setenv("EZNAS_DATA", str(home / "data"))
    return folder


def test_a_store_begins_with_the_values_that_ship(home, shipped, heard):
    """And is gone on with by itself; what ships stays as it is."""
    before = {path.name: path.read_bytes() for path in shipped.iterdir()}
    evolve(SHORT, name="read", watcher=heard)
    assert comparable(home, "read") == comparable(home, "measured")
    assert not [text for text in heard.heard if "dropped" in str(text)]
    store = home / "data" / "features" / "nasbench201"
    assert [path.name for path in store.parent.iterdir()] == ["nasbench201"]
    [config] = json.loads((store / "measurement.json").read_text())["measurement"].values()
    assert config["torch"] == [present_build()]
    assert before == {path.name: path.read_bytes() for path in shipped.iterdir()}
    evolve(SHORT, name="elsewhere", records="stores")  # of another folder nothing is known
    assert comparable(home, "elsewhere") == comparable(home, "measured")


def test_values_that_ship_and_differ_are_dropped_and_measured_once(
    home, shipped, heard, monkeypatch
):
    differ = StoredWorkers._differences
    monkeypatch.setattr(
        StoredWorkers, "_differences", lambda *args: dict.fromkeys(differ(*args), 1e-3)
    )
    evolve(SHORT, name="dropped", watcher=heard)
    assert comparable(home, "dropped") == comparable(home, "measured")
    assert len([text for text in heard.heard if "they are dropped" in str(text)]) == 1
    monkeypatch.setattr("eznas.evaluation.evaluator.Evaluator.evaluate", None)
    evolve(SHORT, name="again", watcher=heard)
    assert comparable(home, "again") == comparable(home, "measured")
    assert len([text for text in heard.heard if "they are dropped" in str(text)]) == 1


def test_where_a_store_cannot_be_written_to_nothing_is_copied(home, shipped, monkeypatch):
    (home / "file").write_text("")
    monkeypatch.setenv("EZNAS_DATA", str(home / "file"))
    contexts = prepare(SHORT, 1, None).contexts
    assert not stores_for(contexts, records_folder(None))[0].is_claimed
    assert (home / "file").read_text() == ""


def test_listed_are_short_features_seeds_and_baselines():
    setup = prepare(tiny(), 1, None)
    assert setup.listed >= listed_features(TINY["statistics"], [])
    naswot, depth = parse("logdet(sum_all_layers(data_relu_agreement))"), parse("params")
    assert {naswot.text, depth.text} <= setup.listed
    assert "sum_layers(layer_params * layer_params)" not in setup.listed


def test_stores_are_built_beforehand_and_gone_on_with(home, heard, forbid_measuring, monkeypatch):
    monkeypatch.setattr(
        "eznas.studies.records.usual_formulas",
        lambda _: [parse("params"), parse("log(operations)")],
    )
    [row] = build_records(["nasbench201"], networks=12, watcher=heard)
    assert (row["space"], row["part"], row["networks"]) == ("nasbench201", "search", 12)
    assert row["inputs"] == [32, 16]
    assert heard.heard == ["measuring networks of nasbench201, search part"]
    forbid_measuring()
    assert build_records(["nasbench201"], networks=8, watcher=heard)[0]["networks"] == 8
    assert len(heard.heard) == 1
    for bad in ({"part": "test"}, {"records": "none"}, {"networks": 1}):
        with pytest.raises(InputError):
            build_records(["nasbench201"], **bad)
