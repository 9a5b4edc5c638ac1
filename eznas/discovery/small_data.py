"""What a search does with few networks: less of everything that fits noise."""

from collections.abc import Mapping
from typing import Any

from eznas.discovery.config import PRESETS, Config
from eznas.errors import InputError

SMALL = 50  # below so many networks the search is shorter and its formulas are simpler
FEWEST = 13  # below so many none is evolved: a published proxy is recommended

# Formulas of few networks are short. On folds of NAAP-440, 154 networks to search on, those of 40
# nodes by tau had .90 and .86, of 40 with fitted weights .84 and .83, of 160 .75.
ENOUGH = 400  # networks for long ones
SHORT = {key.removeprefix("evolution."): value for key, value in PRESETS["short"].items()}
# Kendall's tau of 40 networks has a standard deviation of some .1: the best of thousands of long
# formulas would be the luckiest one.
SETTINGS: dict[str, Any] = {
    "generations": 8,
    "population": 60,
    "offspring": 60,
    "greedy_terms": 2,
    "stepwise": 0.1,
    "tuned": 0,
    "max_nodes": 30,
    "max_depth": 8,
    "parsimony": 1.6,
}


def fitted_to(config: Config, networks: int) -> Config:
    """The configuration for a search on so many networks of a user's own: it uses all of them, and
    where the user did not set them, the settings `SHORT` and below `SMALL` networks `SETTINGS`.

    Raises `InputError` where the user set a number of networks.
    """
    evolution = config.evolution
    for key in ("networks", "first_networks", "champion_networks"):
        default, value = type(evolution).model_fields[key].default, getattr(evolution, key)
        expected = 0 if key == "champion_networks" else networks
        if value not in (default, expected):
            raise InputError(
                f"configuration key 'evolution.{key}': not with models of your own, which all "
                "take part"
            )
    if networks < FEWEST:
        return config
    sample = {"networks": networks, "first_networks": networks, "champion_networks": 0}
    usual = SHORT | (SETTINGS if networks < SMALL else {})
    return _with(config, sample | _unset(config, usual))


def short_where_few(config: Config, networks: int) -> Config:
    """The configuration for a search on so many networks of all tasks together: below `ENOUGH`,
    with the settings `SHORT` where the user did not set them."""
    return config if networks >= ENOUGH else _with(config, _unset(config, SHORT))


def _unset(config: Config, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in settings.items() if k not in config.evolution.model_fields_set}


def _with(config: Config, settings: Mapping[str, Any]) -> Config:
    return config.model_copy(update={"evolution": config.evolution.model_copy(update=settings)})
