"""Two models compared, and how far calibrated probabilities can be trusted."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.metrics.calibration import SUREST
from eznas.report.cells import UNDEFINED, bare, open_table, shortened

NAMES = ("first", "second")  # of the models that are compared


def two_models_table(content: Mapping[str, Any]) -> Table:
    """Two models with their scores; `content` as `eznas.compare` returns it."""
    table = open_table()
    table.add_column("")
    table.add_column("model", overflow="fold")
    for heading in (shortened(content["proxy"], 20), "deviation"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, model in zip(NAMES, content["models"], strict=True):
        numbers = (model["score"], model["deviation"])
        cells = (UNDEFINED if number is None else f"{number:.5g}" for number in numbers)
        table.add_row(name, Text(model["model"]), *map(Text, cells))
    return table


def two_models_lines(content: Mapping[str, Any]) -> list[str]:
    """What follows from the scores; `content` as `eznas.compare` returns it."""
    count = len(content["models"][0]["scores"])
    draws = f"over {count} initialisation{'s' * (count > 1)}"
    lines = [f"scores: mean and standard deviation {draws}"]
    if content["better"] is None:
        lines.append("better: not known, the scores are equal or undefined")
    else:
        names = [model["model"] for model in content["models"]]
        better = NAMES[names.index(content["better"])]
        lines.append(f"better: the {better}, it scores higher{_gap(content['models'])}")
    if not content["probabilities"]:
        return [*lines, f"probability of being more accurate: not known; {content['reason']}"]
    by_dataset = (
        f"{'at least ' * (probability >= SUREST)}{probability:.2f} on {dataset}"
        for dataset, probability in content["probabilities"].items()
    )
    what = content["calibrated"]
    own = f"models like those of {_source(what)}"
    kind = f"networks of {what['space']}" if what["space"] else own
    even = min(content["probabilities"].values()) < 0.5
    contradiction = ["most draws of the parameters say the other, so it is not decided"] * even
    return [
        *lines,
        f"probability of being more accurate: {', '.join(by_dataset)}",
        *contradiction,
        f"it holds for {kind} ({what['accuracy']} accuracy)",
    ]


def _gap(models: Sequence[Mapping[str, Any]]) -> str:
    """How much higher one of two scores is, in deviations over initialisations; "" where one has no
    score, or they do not vary."""
    if any(model["score"] is None for model in models):
        return ""
    deviation = math.hypot(*(model["deviation"] for model in models)) / math.sqrt(2)
    gap = abs(models[0]["score"] - models[1]["score"])
    return f" by {gap / deviation:.2g} deviations" if deviation else ""


def calibration_lines(content: Mapping[str, Any]) -> list[str]:
    """What a calibration is of, in a few lines; `content` is that of its file."""
    part = f"networks of {content['space']}'s search part"
    models = part if content["space"] else f"models of {_source(content)}"
    left_out = f", {content['left_out']} without a finite score left out"
    return [
        f"{content['proxy']} on {content['networks']} {models}"
        f"{left_out * bool(content['left_out'])}; "
        f"{content['accuracy']} accuracy, {content['initialisations']} initialisations",
        "the probability that the higher-scoring of two networks is the more accurate, by networks",
        "of other folds, and how often that was so [95 %]:",
    ]


def reliability_table(content: Mapping[str, Any]) -> Table:
    """Predicted and observed, by data set, of all pairs and of those in the upper half by score;
    `content` is that of a calibration's file."""
    table = open_table()
    for heading in ("data set", "networks"):
        table.add_column(heading)
    for heading in ("pairs", "predicted", "observed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for dataset, part in content["datasets"].items():
        for row in part["reliability"]:
            observed = f"{bare(row['observed'])} [{bare(row['low'])}, {bare(row['high'])}]"
            cells = (row["networks"], f"{row['pairs']:,}", bare(row["predicted"]), observed)
            table.add_row(*map(Text, (dataset, *cells)))
    return table


def _source(what: Mapping[str, Any]) -> str:
    """Where models of a user's own are from."""
    return str(what["source"] or "the list")
