"""What a search does with few networks: less of everything that fits noise."""

from typing import Any

from eznas.discovery.config import Config
from eznas.errors import InputError

SMALL = 50  # below so many networks the search is shorter and its formulas are simpler
FEWEST = 13  # below so many none is evolved: a published proxy is recommended

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
    below `SMALL` the `SETTINGS` that the user did not set.

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
    usual = SETTINGS if networks < SMALL else {}
    unset = {k: v for k, v in usual.items() if k not in evolution.model_fields_set}
    return config.model_copy(update={"evolution": evolution.model_copy(update=sample | unset)})
