"""What is said of a run on a user's own models."""

from collections.abc import Mapping
from typing import Any


def recommendation(result: Mapping[str, Any]) -> str:
    """Which published proxy to prefer on a user's own models, and why, in a sentence; `result` as
    `eznas.Result` has it."""
    name, networks = result["recommended"], result["held_out"][0]["networks"]
    if result["difference"]:
        return (
            f"{networks} networks, so intervals are wide; in cross-validation the champion is not "
            f"ahead of {name}, which nothing was fitted for: prefer {name}"
        )
    return (
        f"{networks} networks are too few to evolve a formula on, it would fit noise; recommended: "
        f"{name}, the published proxy that ranks them best (of {result['evaluations']}, chosen on "
        "the same networks: expect less on others)"
    )


def searched(config: Mapping[str, Any]) -> str:
    """The tasks of a run, or the file of a user's own models."""
    return (config.get("models") or {}).get("file") or ", ".join(config["tasks"])


def fitness_in_words(config: Mapping[str, Any]) -> str:
    """What the fitness of a run is, as part of a sentence; runs of earlier versions do not say."""
    evolution = config.get("evolution") or {}
    is_fitted = evolution.get("fit")
    figure = "correlation" if is_fitted else "tau"
    fitted = " (with weights fitted to other networks)" if is_fitted else ""
    if evolution.get("alike"):
        share = f"shares of the {figure} that randomised trees reach{fitted}"
        return f"the mean of the mean and the lowest, over the spaces, of {share}"
    return f"the mean of the mean and the lowest {figure}{fitted} over the tasks"


def use_of_networks(result: Mapping[str, Any]) -> str:
    """Whether the search used the networks that its champion is tested on, as part of a sentence;
    `result` as `eznas.Result` has it."""
    recommended = result.get("recommended")
    if "cross-validation" in str(result["held_out"][0]["set"]):
        used = "each search used none of those that its champion is tested on"
        return f"{used}; prefer {recommended}: the champion is not ahead" if recommended else used
    if recommended:
        return f"too few to evolve a formula on: {recommended} ranks them best"
    return "the search used none of them"
