"""Options that commands share: groups of them, written once, and those of the configuration.

A command takes a group as one parameter, a dict of values by name: see `takes`.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel

from eznas.benchmarks.subsets import SETS, AtMost
from eznas.discovery.config import Config, EvidenceConfig
from eznas.discovery.termination import TerminationConfig
from eznas.errors import InputError
from eznas.evolution.config import EvolutionConfig
from eznas.statistics.config import MeasurementSettings
from eznas.system.machine import cores

LARGEST_SEED = 2**32 - 1  # the largest that every generator takes

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; by default the cores.")]
Seed = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of sample and initialisation.")
]
Initialisations = Annotated[int, typer.Option(min=1, help="Averaged over so many.")]
SetName = Annotated[str, typer.Option("--set", help="One of " + ", ".join(SETS) + ".")]
SpaceName = Annotated[str, typer.Option("--space", help="The search space.")]
Plot = Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw it as well.")]
Networks = Annotated[str, typer.Option(help="How many networks: a number, up to a number, or all.")]

Group = dict[str, inspect.Parameter]  # by the name under which the command gets the value


def takes(**groups: Group) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of some groups; each is one of its parameters, a dict of the
    values by name. The options stand after the command's own."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters = [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for p in inspect.signature(command, eval_str=True).parameters.values()
            if p.name not in groups
        ]
        parameters += [option for group in groups.values() for option in group.values()]

        @wraps(command)
        def called(**values: Any) -> None:
            for group_name, group in groups.items():
                values[group_name] = {
                    name: values.pop(option.name) for name, option in group.items()
                }
            command(**values)

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return decorate


def option(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    """An option as a command's parameter would be."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def from_field(
    section: type[BaseModel], field: str, name: str, *flags: str, metavar: str | None = None
) -> inspect.Parameter:
    """An option for a setting, with its type, limits and description; None where it is not given.
    A setting of several values becomes an option that may be repeated."""
    info = section.model_fields[field]
    kinds = [kind for kind in get_args(info.annotation) if kind is not type(None)]
    several = getattr(info.annotation, "__origin__", None) is tuple
    kind: Any = list[str] if several else kinds[0] if kinds else info.annotation
    limits = {
        end: value
        for end, key in (("min", "ge"), ("max", "le"))
        for part in info.metadata
        if (value := getattr(part, key, None)) is not None
    }
    if kind is int and any(getattr(part, "lt", None) is not None for part in info.metadata):
        limits["max"] = LARGEST_SEED
    text = typer.Option(*flags, help=info.description, metavar=metavar, **limits)
    return option(name, Annotated[kind | None, text])


EVOLUTION_OPTIONS: Group = {  # configuration key -> option
    "tasks": from_field(Config, "tasks", "tasks", metavar="SPACE[/DATASET]"),
    "evidence.hold_out": from_field(EvidenceConfig, "hold_out", "hold_out", metavar="SPACE"),
    "evolution.seed": from_field(EvolutionConfig, "seed", "seed"),
    "termination.max_evals": from_field(TerminationConfig, "max_evals", "max_evals"),
    "termination.target": from_field(TerminationConfig, "target", "target"),
    "termination.patience": from_field(TerminationConfig, "patience", "patience"),
}
MEASUREMENT_OPTIONS: Group = {  # keyword of a study -> option
    "images": from_field(MeasurementSettings, "images", "images", "--images"),
    "sketch": from_field(MeasurementSettings, "sketch_batch", "batch", "--batch"),
    "device": from_field(MeasurementSettings, "device", "device"),
    "workers": option("workers", Workers),
    "records": option(
        "records",
        Annotated[
            str | None,
            typer.Option(
                "--records",
                metavar="FOLDER",
                help="A feature store: look into these values, and add to them.",
            ),
        ],
    ),
}
SAMPLE_OPTIONS: Group = {  # keyword of a study -> option
    "space": option("space", SpaceName, "nasbench201"),
    "datasets": option(
        "dataset",
        Annotated[list[str] | None, typer.Option(help="A data set; may be repeated.")],
    ),
    "networks": option("networks", Networks, "up to 1000"),
    "seed": option("seed", Seed, 0),
}


def measurement(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a study for the values of `MEASUREMENT_OPTIONS`."""
    defaults = {"sketch": 0, "device": "cpu", "workers": cores()}
    return {name: defaults.get(name) if v is None else v for name, v in values.items()}


def sample(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a study for the values of `SAMPLE_OPTIONS`; `InputError` for a number of
    networks that is none."""
    return {
        **values,
        "datasets": values["datasets"] or (),
        "networks": _count(values["networks"]),
    }


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of options that were given."""
    return {name: value for name, value in values.items() if value not in (None, [], ())}


def _count(text: str) -> int | None:
    if text == "all":
        return None
    number = text.removeprefix("up to ")
    if not number.isdecimal():
        raise InputError(f"networks {text!r}: expected a number or all")
    return AtMost(number) if number != text else int(number)
