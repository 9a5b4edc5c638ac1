"""Configurations of searches that differ in a few settings, and evaluate equally many formulas."""

from collections.abc import Mapping
from typing import Any

from eznas.discovery.config import PRESETS, Config, full_key, keys, read
from eznas.errors import InputError
from eznas.system.arguments import described

Settings = Mapping[str, Any]

AS_IT_IS = "as it is"
GREEDY = "greedy least squares"
BY_FOLDS = "greedy, by folds"
REFINED = "greedy, refined"
YARDSTICKS = (GREEDY, BY_FOLDS, REFINED)
LEAST = 8  # networks that a search sees
SECTIONS = ("evolution.", "termination.")  # of the settings that searches may differ in

_AS_RATED = {  # formulas as they are, rated by tau, of no more than selection and chance
    "evolution.fit": False,
    "evolution.stepwise": 0.0,
    "evolution.tuned": 0,
    "evolution.greedy_terms": 0,
    "evolution.refine": False,
}
_ORIGINAL = {key: PRESETS["paper"][f"evolution.{key}"] for key in ("population", "offspring")}
VARIANTS: Mapping[str, Settings] = {
    "without interactions": {"evolution.interactions": False},
    "without crossover and merging": {"evolution.crossover": 0.0},
    "without exchange of terms": {"evolution.exchange": 0.0},
    "without refined weights": {"evolution.refine": False},
    "selection by lexicase": {"evolution.selection": "lexicase"},
    "40 nodes, rated by tau": {
        key: value for key, value in PRESETS["short"].items() if key != "evolution.generations"
    },
    "EZNAS's scheme": _AS_RATED
    | {f"evolution.{key}": value for key, value in _ORIGINAL.items()}
    | {"evolution.max_nodes": 60, "evolution.max_depth": 14},
    "random formulas": _AS_RATED
    | {"evolution.fresh": 1.0, "evolution.crossover": 0.0}
    | {"evolution.max_nodes": 60, "evolution.max_depth": 14},
}


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    """A mapping with texts as keys; `InputError` for anything else."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InputError(f"{name}: expected texts with what they stand for, got {described(value)}")
    return value


def full_settings(name: str, settings: Any, sections: tuple[str, ...]) -> dict[str, Any]:
    """Settings by SECTION.KEY; `InputError` for those that a search by folds cannot have."""
    full = {full_key(key): value for key, value in mapping(name, settings).items()}
    for key in full:
        if key == "evolution.seed" or not key.startswith(sections):
            of = ", ".join(section.rstrip(".") for section in sections)
            raise InputError(f"setting {key}: expected one of {of}, and not the seed, here")
    return full


def checked_name(name: str) -> str:
    """The name of a variant; `InputError` for that of another row."""
    if name in (AS_IT_IS, *YARDSTICKS):
        raise InputError(f"variant {name!r}: a row has this name already")
    return name


def within(config: Config, most: int) -> Config:
    """The configuration of a search that sees at most so many networks."""
    evolution = config.evolution
    champion = min(evolution.champion_networks, most - LEAST)
    networks = min(evolution.networks, most - champion)
    sizes = {"networks": networks, "champion_networks": champion}
    sizes["first_networks"] = min(evolution.first_networks, networks)
    return config.model_copy(update={"evolution": evolution.model_copy(update=sizes)})


def labels_of(config: Config) -> int:
    """How many networks a search sees."""
    return config.evolution.networks + config.evolution.champion_networks


def variant_of(base: Config, other: Settings) -> Config:
    """The configuration with other settings, and as many generations as give equally many
    formulas, where these are not among them."""
    tree = base.model_dump()
    settings: dict[str, Any] = {}
    for key in keys():
        section, _, name = key.rpartition(".")
        settings[key] = (tree[section] if section else tree)[name]
    usual, own = base.evolution, read(settings={**settings, **other}).evolution
    formulas = usual.population + usual.generations * usual.offspring
    settings["evolution.generations"] = max(0, round((formulas - own.population) / own.offspring))
    return read(settings={**settings, **other})
