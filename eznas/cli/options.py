"""Options that commands share: groups of them, written once, and those of the configuration.

A command takes a group as one parameter, a dict of values by name: see `with_options`.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel

from eznas.benchmarks.subsets import SETS, AtMost
from eznas.discovery.config import Config
from eznas.discovery.sections import EvidenceConfig, ModelsConfig
from eznas.discovery.termination import TerminationConfig
from eznas.errors import InputError
from eznas.evolution.config import DEFAULT_STATISTICS, EvolutionConfig
from eznas.statistics.config import MeasurementSettings
from eznas.system.machine import cores

LARGEST_SEED = 2**32 - 1  # the largest that every random generator takes

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Processes to work with.", show_default="one for each core"),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0, max=LARGEST_SEED, help="Seed of the sample of networks and of their parameters."
    ),
]
Initialisations = Annotated[
    int, typer.Option(min=1, help="Initialisations over which scores are averaged.")
]
SetName = Annotated[
    str,
    typer.Option("--set", help="The set that networks are drawn from: " + ", ".join(SETS) + "."),
]
SpaceName = Annotated[
    str, typer.Option("--space", help="The search space (`eznas data list` lists them).")
]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Draw the result into this file as well.")
]
Scores = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.csv",
        help="Take scores from this file instead of measuring: a column architecture, and columns "
        "PROXY or DATASET_PROXY (of several of one proxy, the mean); what has none is measured.",
        show_default="measure all",
    ),
]
Accuracy = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv",
        help="Take the networks and accuracies of this file, which has the columns "
        "architecture,accuracy.",
        show_default="those of the benchmark",
    ),
]
Models = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv",
        help="Models of your own with their accuracies, in place of a benchmark's: the columns "
        "model,accuracy (or accuracy_DATASET for each of several). A model is "
        "package.module:factory(literal arguments), timm:NAME, torchvision:NAME or "
        "SPACE/ARCHITECTURE; making it runs its code.",
        show_default="none",
    ),
]
InputSize = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="SIZE",
        help="What goes into the model: channels,height,width, other sizes (4,128), or "
        "tokens:LENGTH:VOCAB. May be repeated, once for each argument of the model.",
        show_default="3,32,32; of a model of timm or torchvision its own",
    ),
]
Init = Annotated[
    str | None,
    typer.Option(
        help="keep (parameters as they are) or kaiming (drawn anew from the seed).",
        show_default="keep for a factory, kaiming for an architecture",
    ),
]
Networks = Annotated[
    str, typer.Option(help="How many networks: a number, 'up to' a number, or 'all'.")
]


Group = dict[str, inspect.Parameter]  # by the name under which the command gets the value


def with_options(**groups: Group) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of some groups, after its own; each group is one parameter of the
    command, a dict of the options' values by name."""

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
    """An option as it would be a command's parameter."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def from_field(
    section: type[BaseModel],
    field: str,
    *flags: str,
    name: str = "",
    metavar: str | None = None,
    default: str = "",
) -> inspect.Parameter:
    """An option for a configuration setting, with its type, limits, description and default; its
    value is None where it is not given.

    `name`: of the option (the field's), `default`: the text shown as its default (the field's).
    A setting of several values becomes an option that may be repeated.
    """
    info = section.model_fields[field]
    is_tuple = getattr(info.annotation, "__origin__", None) is tuple
    types = [t for t in get_args(info.annotation) if t is not type(None)] or [info.annotation]
    value_type: Any = list[str] if is_tuple else types[0]
    limits = {
        end: value
        for end, key in (("min", "ge"), ("max", "le"))
        for constraint in info.metadata
        if (value := getattr(constraint, key, None)) is not None
    }
    if value_type is int and any(hasattr(constraint, "lt") for constraint in info.metadata):
        limits["max"] = LARGEST_SEED
    shown = default or (", ".join(info.default) if is_tuple else str(info.default))
    text = f"{info.description} May be repeated." if is_tuple else info.description
    annotation = typer.Option(*flags, help=text, metavar=metavar, show_default=shown, **limits)
    return option(name or field, Annotated[value_type | None, annotation])


EVOLUTION_OPTIONS: Group = {  # configuration key -> option
    "tasks": from_field(Config, "tasks", metavar="SPACE[/DATASET[@SIZE]]"),
    "evidence.hold_out": from_field(
        EvidenceConfig, "hold_out", metavar="SPACE[/DATASET]", default="none"
    ),
    "evidence.networks": from_field(EvidenceConfig, "networks", name="test_networks"),
    "models.file": from_field(
        ModelsConfig, "file", "--models", name="models", metavar="FILE.csv", default="none"
    ),
    "models.input": from_field(
        ModelsConfig, "input", name="input", metavar="SIZE", default="3,32,32"
    ),
    "models.init": from_field(ModelsConfig, "init", name="init", default="by the model"),
    "evolution.seed": from_field(EvolutionConfig, "seed"),
    "evolution.statistics": from_field(
        EvolutionConfig,
        "statistics",
        metavar="[+|-]NAME,...",
        default=f"{len(DEFAULT_STATISTICS)} sketches and sizes",
    ),
    "evolution.primitives": from_field(
        EvolutionConfig, "primitives", metavar="[+|-]NAME,...", default="all but zeros"
    ),
    "evolution.seed_formulas": option(
        "seed_formula",
        Annotated[
            list[str] | None,
            typer.Option(
                metavar="PROXY",
                help="A proxy that generation 0 begins with besides the usual ones: a name, a "
                "file, a run or a formula. May be repeated.",
                show_default="none",
            ),
        ],
    ),
    "termination.max_evals": from_field(TerminationConfig, "max_evals", default="no limit"),
    "termination.target": from_field(TerminationConfig, "target", default="no limit"),
    "termination.patience": from_field(TerminationConfig, "patience", default="no limit"),
}
MEASUREMENT_OPTIONS: Group = {  # keyword of a study -> option
    "images": from_field(MeasurementSettings, "images", metavar="PATH", default="generated"),
    "sketch": from_field(
        MeasurementSettings, "sketch_batch", "--batch", name="batch", default="the proxy's own"
    ),
    "device": from_field(MeasurementSettings, "device"),
    "workers": option("workers", Workers),
    "records": option(
        "records",
        Annotated[
            str | None,
            typer.Option(
                metavar="FOLDER",
                help="A feature store: use the values in this folder, and add new ones to it.",
            ),
        ],
    ),
}
SAMPLE_OPTIONS: Group = {  # keyword of a study -> option
    "space": option("space", SpaceName, "nasbench201"),
    "datasets": option(
        "dataset",
        Annotated[
            list[str] | None,
            typer.Option(
                help="A data set, as DATASET or DATASET@SIZE. May be repeated.",
                show_default="all of the space's",
            ),
        ],
    ),
    "networks": option("networks", Networks, "up to 1000"),
    "seed": option("seed", Seed, 0),
}


def measurement_keywords(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a study for the values of `MEASUREMENT_OPTIONS`."""
    return {"workers": cores()} | without_unset(values)


def sample_keywords(values: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords of a study for the values of `SAMPLE_OPTIONS`; `InputError` for a text that is
    no number of networks."""
    datasets, networks = values["datasets"] or (), number_of_networks(values["networks"])
    return {**values, "datasets": datasets, "networks": networks}


def without_unset(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of those options that the user set."""
    return {name: value for name, value in values.items() if value not in (None, [], ())}


def number_of_networks(text: str) -> int | None:
    """The number of networks that a text means: a number, `AtMost` one, or None for all.
    `InputError` for another text."""
    if text == "all":
        return None
    number = text.removeprefix("up to ")
    if not number.isdecimal():
        raise InputError(f"networks {text!r}: expected a number or all")
    return AtMost(number) if number != text else int(number)
