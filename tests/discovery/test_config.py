"""Configurations: presets, files and single settings, and errors that say what is wrong."""

import json
from functools import reduce

import pytest

from eznas.discovery import config
from eznas.discovery.config import (
    EZNAS_TENSORS,
    PRESETS,
    Config,
    as_toml,
    full_key,
    keys,
    read,
    setting,
)
from eznas.errors import LONGEST, InputError
from eznas.evolution.config import DEFAULT_STATISTICS
from eznas.proxies.classics import CLASSICS
from eznas.statistics.catalogue import CATALOGUE, PATHS
from eznas.statistics.config import MeasurementSettings


@pytest.fixture
def toml(tmp_path):
    def written(text):
        path = tmp_path / "run.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def value_of(config, key):
    """The value of SECTION.KEY."""
    return reduce(getattr, key.split("."), config)


def test_without_anything_the_defaults():
    assert read() == read(preset="quick") == Config()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_whole_configurations(name):
    config = read(preset=name)
    for key, value in PRESETS[name].items():
        assert value_of(config, key) == value
    assert set(config.evolution.statistics) <= set(CATALOGUE)
    assert set(config.evolution.seed_formulas) <= set(CLASSICS)


def test_the_paper_has_22_tensors():
    assert len(set(EZNAS_TENSORS)) == 22
    assert set(EZNAS_TENSORS) <= set(CATALOGUE)
    assert read(preset="paper").evolution.statistics == EZNAS_TENSORS


def test_the_hybrid_and_its_parts_are_seeds_by_default():
    assert {"hybrid", "logsynflow", "naswot"} <= set(Config().evolution.seed_formulas)


def test_sketches_cost_no_raw_tensors():
    assert set(PATHS) < set(DEFAULT_STATISTICS)
    assert len(set(DEFAULT_STATISTICS)) == len(DEFAULT_STATISTICS)
    assert all(CATALOGUE[s].type.form not in ("maps", "weights") for s in DEFAULT_STATISTICS)


def test_a_file_over_a_preset_and_settings_over_both(toml):
    file = toml('preset = "paper"\ngenerations = 7\npopulation = 40\nimages = "photos.npz"\n')
    config = read(file, settings={"population": 30})
    assert config.evolution.generations == 7
    assert config.evolution.population == 30
    assert config.measurement.images == "photos.npz"
    assert config.evolution.offspring == PRESETS["paper"]["evolution.offspring"]


def test_a_preset_asked_for_comes_before_that_of_the_file(toml):
    assert read(toml('preset = "paper"'), preset="quick") == Config()


def test_a_file_may_hold_lists(toml):
    config = read(
        toml(
            'statistics = ["weight", "params"]\nseed_formulas = []\ntasks = ["nasbench201/cifar10"]'
        )
    )
    assert config.evolution.statistics == ("weight", "params")
    assert config.evolution.seed_formulas == ()
    assert config.tasks == ("nasbench201/cifar10",)


# Another value than the default for every key; numbers that are not listed get a near one.
OTHER_VALUES = {
    "tasks": ["nasbench201/cifar10"],
    "models.file": "mine.csv",
    "models.input": ["1,8,8"],
    "models.init": "keep",
    "evolution.statistics": ["layer_params"],
    "evolution.primitives": ["add", "sum_layers"],
    "evolution.seed_formulas": ["params"],
    "evolution.complexity": {"log": 2},
    "evolution.max_terms": 3,
    "evolution.max_constants": 0,
    "evolution.selection": "lexicase",
    "measurement.images": "photos.npz",
    "measurement.device": "cuda:1",
    "termination.max_evals": 5,
    "termination.target": 0.5,
    "termination.patience": 5,
    "evidence.hold_out": ["nasbench101"],
}


def other_value(key):
    default = value_of(Config(), key)
    if key in OTHER_VALUES:
        return OTHER_VALUES[key]
    if isinstance(default, bool):
        return not default
    return default + 1 if isinstance(default, int) else (1 + default) / 2  # a share, or 1 to 2


def as_listed(value):
    """A value as a configuration has it: lists become tuples."""
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("key", [*keys()])
def test_every_key_can_be_set(toml, key):
    """By its full name, by its bare name where that is enough, on a command line and in a file."""
    value, name = other_value(key), key.rpartition(".")[2]
    section = key.removesuffix(name).removesuffix(".")
    expected = {k: value_of(Config(), k) for k in keys()} | {key: as_listed(value)}
    assert expected[key] != value_of(Config(), key)
    assignment = f"{name} = {as_toml(value)}"
    texts = [f"{key} = {as_toml(value)}", f"[{section}]\n{assignment}" if section else ""]
    unique = key.startswith("evolution.") or sum(k.endswith(f".{name}") for k in keys()) == 1
    configs = [
        read(settings={key: value}),
        read(settings=dict([setting(f"{key}={as_toml(value)}")])),
        *(read(toml(text)) for text in texts if text),
        *((read(settings={name: value}), read(toml(assignment))) if unique else ()),
    ]
    for resolved in configs:
        assert {k: value_of(resolved, k) for k in keys()} == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("+weight", (*DEFAULT_STATISTICS, "weight")),
        (["+weight,+params"], (*DEFAULT_STATISTICS, "weight")),  # params is there already
        ("-params", tuple(s for s in DEFAULT_STATISTICS if s != "params")),
        ("weight, params", ("weight", "params")),
    ],
)
def test_a_list_of_names_is_replaced_or_changed(toml, value, expected):
    assert read(settings={"statistics": value}).evolution.statistics == expected
    assert read(toml(f"statistics = {json.dumps(value)}")).evolution.statistics == expected


def test_lists_are_changed_layer_by_layer(toml):
    file = toml('preset = "paper"\nstatistics = ["-weight"]')
    tensors = [t for t in EZNAS_TENSORS if t != "weight"]
    assert read(file, settings={"statistics": "+params"}).evolution.statistics == (
        *tensors,
        "params",
    )


def test_seeds_are_added_or_replaced():
    seeds = Config().evolution.seed_formulas
    added = read(settings={"seed_formulas": ["+-depth"]}).evolution.seed_formulas
    assert added == (*seeds, "-depth")
    formulas = ["-depth", "log(params), 2"]  # a minus begins a formula, a comma is part of it
    assert read(settings={"seed_formulas": formulas}).evolution.seed_formulas == tuple(formulas)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["+weight", "params"], r"expected names alone, or \+ or - in front of each, got 'params'"),
        ("-layer_areas", "unknown statistic to leave out 'layer_areas'; did you mean 'layer_area'"),
        (7, "got 7"),
    ],
)
def test_slips_in_a_list_of_names(value, message):
    with pytest.raises(InputError, match=message):
        read(settings={"statistics": value})


def test_a_bare_key_of_several_sections_is_that_of_the_evolution():
    assert full_key("networks") == "evolution.networks"
    assert full_key("evidence.networks") == "evidence.networks"
    assert full_key("seed") == "evolution.seed"
    config = read(settings={"seed": 5, "measurement.seed": 6})
    assert (config.evolution.seed, config.measurement.seed) == (5, 6)


def test_a_run_measures_on_smaller_batches_than_a_proxy():
    """Wherever the section comes from: a setting beside them keeps the defaults of a search."""
    config = read(settings={"measurement.seed": 3})
    assert (config.measurement.raw_batch, config.measurement.sketch_batch) == (4, 32)
    assert config == Config(measurement={"seed": 3})


def test_an_empty_file_changes_nothing(toml):
    assert read(toml("")) == Config()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("seed=3", "seed", 3),
        (" seed = 3 ", "seed", 3),
        ("greedy_terms=false", "greedy_terms", False),
        ("images=photos.npz", "images", "photos.npz"),
        ('images="a=b.npz"', "images", "a=b.npz"),
        ("images=a=b.npz", "images", "a=b.npz"),
        ('statistics=["weight", "params"]', "statistics", ["weight", "params"]),
        ("images=", "images", ""),
        ("device=cuda:0", "device", "cuda:0"),
    ],
)
def test_settings_are_read_as_toml_or_as_text(text, key, value):
    assert setting(text) == (key, value)


@pytest.mark.parametrize("text", ["seed", "", "=3", " = 3"])
def test_a_setting_needs_a_key_and_a_value(text):
    with pytest.raises(InputError, match="expected key=value"):
        setting(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("generation", "generations"), ("sead", "seed"), ("netwroks", "networks")],
)
def test_an_unknown_key_names_the_nearest(toml, written, meant):
    expected = f"unknown configuration key '{written}'; did you mean '{meant}'?"
    for call in (
        lambda: read(toml(f"{written} = 3")),
        lambda: read(settings={written: 3}),
    ):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value) == expected


def test_an_unknown_preset_names_the_nearest(toml):
    with pytest.raises(InputError, match="unknown preset 'quik'; did you mean 'quick'"):
        read(preset="quik")
    for wrong in ('"papers"', "3", "[1]"):
        with pytest.raises(InputError, match="unknown preset"):
            read(toml(f"preset = {wrong}"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("generations", "many"),
        ("generations", 1.5),
        ("generations", -1),
        ("population", 7),
        ("raw_batch", 1),
        ("seed", -1),
        ("statistics", 3),
        ("statistics", [1]),
        ("statistics", []),
        ("greedy_terms", "perhaps"),
        ("images", 3),
        ("max_nodes", 1000),  # more than the parser reads again
        ("max_depth", 101),
        ("tasks", {"cifar10": 1}),
        ("tasks", []),
        ("selection", "roulette"),
    ],
)
def test_wrong_values_name_key_and_value(key, value):
    with pytest.raises(InputError) as caught:
        read(settings={key: value})
    message = str(caught.value)
    assert f"configuration key '{full_key(key)}" in message
    assert "\n" not in message
    assert ", got " in message


def test_a_sample_cannot_start_larger_than_it_ends():
    with pytest.raises(InputError, match=r"first_networks.: .* networks = 50, got 60"):
        read(settings={"first_networks": 60, "networks": 50})
    config = read(settings={"first_networks": 50, "networks": 50})
    assert config.evolution.first_networks == 50


@pytest.mark.parametrize("text", ["seed = ", "seed: 3", "[", "seed = 1\nseed = 2"])
def test_what_is_not_toml_is_named(toml, text):
    with pytest.raises(InputError, match=r"configuration .*run\.toml: not TOML: ") as caught:
        read(toml(text))
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.toml: No such file"):
        read(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="configuration"):
        read(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00seed")
    with pytest.raises(InputError, match="not TOML"):
        read(binary)


def test_a_configuration_comes_back_from_plain_data():
    config = read(preset="paper", settings={"seed": 5, "seed_formulas": ["params"]})
    assert Config(**config.model_dump()) == config
    for section, key in ((config, "tasks"), (config.evolution, "seed")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(section, key, 6)


def test_a_nesting_is_refused(toml):
    deep = "[" * 100_000
    with pytest.raises(InputError, match=r"run\.toml: not TOML: "):
        read(toml(f"seed = {deep}"))
    with pytest.raises(InputError, match=r"\.seed': Input should be a valid integer") as caught:
        read(settings=dict([setting(f"seed={deep}")]))
    assert len(str(caught.value)) <= LONGEST


@pytest.mark.parametrize("key", ["raw_batch", "sketch_batch"])
def test_a_batch_that_no_memory_holds_is_refused(key):
    with pytest.raises(InputError, match=f"'measurement\\.{key}': .*4096"):
        read(settings={key: 10**12})


def test_measurement_settings_of_a_search_have_its_defaults_however_they_are_given():
    for given in ({"seed": 3}, MeasurementSettings(seed=3)):
        settings = Config(measurement=given).measurement
        assert (settings.raw_batch, settings.sketch_batch, settings.seed) == (4, 32, 3)


def test_an_empty_table_must_be_a_section(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("[evolution]\n")
    assert config.read(file) == Config()
    file.write_text("[evolutoin]\n")
    with pytest.raises(InputError, match="unknown configuration key 'evolutoin'"):
        config.read(file)
