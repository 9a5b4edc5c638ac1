"""Configurations: presets, files and single settings, and a clear word for what is wrong."""

import pytest

from eznas.discovery.config import ORIGINAL, PRESETS, SKETCHES, Config, read, setting
from eznas.errors import LONGEST, InputError
from eznas.proxies.classics import CLASSICS
from eznas.statistics.catalogue import CATALOGUE, PATHS


@pytest.fixture
def toml(tmp_path):
    def written(text):
        path = tmp_path / "run.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_without_anything_the_defaults():
    assert read() == read(preset="quick") == Config()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_whole_configurations(name):
    config = read(preset=name)
    for key, value in PRESETS[name].items():
        assert getattr(config, key) == value
    assert set(config.statistics) <= set(CATALOGUE)
    assert set(config.seeds) <= set(CLASSICS)


def test_the_paper_has_22_tensors():
    assert len(set(ORIGINAL)) == 22
    assert set(ORIGINAL) <= set(CATALOGUE)
    assert read(preset="paper").statistics == ORIGINAL


def test_the_hybrid_and_its_parts_are_seeds_by_default():
    assert {"hybrid", "logsynflow", "naswot"} <= set(Config().seeds)


def test_sketches_cost_no_raw_tensors():
    assert set(PATHS) < set(SKETCHES)
    assert len(set(SKETCHES)) == len(SKETCHES)
    assert all(CATALOGUE[s].kind.form not in ("maps", "weights") for s in SKETCHES)


def test_a_file_over_a_preset_and_settings_over_both(toml):
    file = toml('preset = "paper"\ngenerations = 7\npopulation = 40\nimages = "photos.npz"\n')
    config = read(file, settings={"population": 30})
    assert config.generations == 7
    assert config.population == 30
    assert config.images == "photos.npz"
    assert config.offspring == PRESETS["paper"]["offspring"]


def test_a_preset_asked_for_comes_before_that_of_the_file(toml):
    assert read(toml('preset = "paper"'), preset="quick") == Config()


def test_a_file_may_hold_lists(toml):
    config = read(
        toml('statistics = ["weight", "params"]\nseeds = []\ntasks = ["nasbench201/cifar10"]')
    )
    assert config.statistics == ("weight", "params")
    assert (config.seeds, config.tasks) == ((), ("nasbench201/cifar10",))


def test_an_empty_file_changes_nothing(toml):
    assert read(toml("")) == Config()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("seed=3", "seed", 3),
        (" seed = 3 ", "seed", 3),
        ("greedy=false", "greedy", False),
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
        ("statistics", "weight"),
        ("statistics", [1]),
        ("statistics", []),
        ("greedy", "perhaps"),
        ("images", 3),
        ("nodes", 1000),  # more than the parser reads again
        ("depth", 60),
        ("tasks", {"cifar10": 1}),
        ("tasks", []),
        ("selection", "roulette"),
    ],
)
def test_wrong_values_name_key_and_value(key, value):
    with pytest.raises(InputError) as caught:
        read(settings={key: value})
    message = str(caught.value)
    assert f"configuration key '{key}" in message
    assert "\n" not in message
    assert ", got " in message


def test_a_sample_cannot_start_larger_than_it_ends():
    with pytest.raises(InputError, match=r"'start': expected at most networks = 50, got 60"):
        read(settings={"start": 60, "networks": 50})
    assert read(settings={"start": 50, "networks": 50}).start == 50


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
    config = read(preset="paper", settings={"seed": 5, "seeds": ["params"]})
    assert Config(**config.model_dump()) == config
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 6


def test_a_nesting_is_refused(toml):
    deep = "[" * 100_000
    with pytest.raises(InputError, match=r"run\.toml: not TOML: "):
        read(toml(f"seed = {deep}"))
    with pytest.raises(InputError, match="'seed': Input should be a valid integer") as caught:
        read(settings=dict([setting(f"seed={deep}")]))
    assert len(str(caught.value)) <= LONGEST


@pytest.mark.parametrize("key", ["raw_batch", "sketch_batch"])
def test_a_batch_that_no_memory_holds_is_refused(key):
    with pytest.raises(InputError, match=f"'{key}': .*4096"):
        read(settings={key: 10**12})
