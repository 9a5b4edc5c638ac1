"""The configuration of a run: defaults, presets, a TOML file, and single settings over it."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eznas.errors import InputError, unknown

# Sketches and structure only: what the tensors of a layer condense to costs kilobytes and is known
# to carry the signal, paths cost nothing; raw tensors cost megabytes per network and are measured
# for the seeds that need them.
SKETCHES = (
    "noise_conv_output_covariance",
    "noise_conv_input_gram",
    "noise_conv_output_gram",
    "data_relu_agreement",
    "data_jacobian",
    "layer_params",
    "layer_flops",
    "layer_kernel",
    "layer_channels",
    "layer_area",
    "params",
    "operations",
    "paths_count",
    *(
        f"paths_{quantity}_{over}"
        for quantity in ("convs", "pools", "field", "params", "length")
        for over in ("mean", "std", "min", "max", "soft")
    ),
)
# The 22 tensors of EZNAS (Akhauri et al., 2022), section 3.
ORIGINAL = (
    "weight",
    *(
        f"{p}_{s}"
        for p in ("data", "noise", "shift")
        for s in ("relu_input", "conv_input", "bn_output")
    ),
    *(
        f"{p}_{s}_grad"
        for p in ("data", "noise", "shift")
        for s in ("relu_input", "conv_input", "weight", "bn_output")
    ),
)


Batch = Annotated[int, Field(ge=2, le=4096)]  # images; batch norm needs two, kernels their square


class Config(BaseModel):
    """Every setting of a run, with its default (the preset "quick")."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # What formulas are to rank, and what judges them besides: SPACE or SPACE/DATASET.
    tasks: tuple[str, ...] = Field(default=("nasbench201",), min_length=1)
    hold_out: tuple[str, ...] = ()
    seed: int = Field(default=1, ge=0, lt=2**32)
    statistics: tuple[str, ...] = Field(default=SKETCHES, min_length=1)
    seeds: tuple[str, ...] = (
        "hybrid",
        "logsynflow",
        "naswot",
        "live_params",
        "depth",
        "jacob_cov_x_params",
    )
    images: str | None = None
    raw_batch: Batch = 4
    sketch_batch: Batch = 32
    initialisation_seed: int = Field(default=0, ge=0, lt=2**32)
    device: str = "cpu"
    storage: Literal["single", "half"] = "single"
    generations: int = Field(default=20, ge=0)
    population: int = Field(default=150, ge=8)
    offspring: int = Field(default=160, ge=1)
    start: int = Field(default=160, ge=8)
    networks: int = Field(default=280, ge=8)
    choice: int = Field(default=60, ge=0)
    greedy: int = Field(default=4, ge=0)
    stepwise: float = Field(default=0.3, ge=0, le=1)
    selection: Literal["tournament", "lexicase"] = "tournament"
    nodes: int = Field(default=80, ge=3, le=400)  # what the parser still reads
    depth: int = Field(default=14, ge=2, le=50)
    # What ends a search before its last generation: formulas evaluated, a fitness reached,
    # generations without progress.
    max_evals: int | None = Field(default=None, ge=1)
    target: float | None = Field(default=None, ge=-1, le=1)
    patience: int | None = Field(default=None, ge=1)
    judged: int = Field(default=500, ge=8)
    replicates: int = Field(default=1000, ge=10)

    @model_validator(mode="after")
    def _grows(self) -> "Config":
        if self.start > self.networks:
            raise InputError(
                f"configuration key 'start': expected at most networks = {self.networks}, "
                f"got {self.start}"
            )
        return self


PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    # EZNAS's 22 tensors, population and generations, on 80 networks at batch 2 (batch norm needs
    # it); operators, seeds and fitness are ours.
    "paper": {
        "statistics": ORIGINAL,
        "raw_batch": 2,
        "generations": 15,
        "population": 50,
        "offspring": 50,
        "start": 80,
        "networks": 80,
        "choice": 20,
        "nodes": 60,
        "greedy": 0,
        "stepwise": 0.0,
    },
}


def read(
    file: str | Path | None = None,
    preset: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Config:
    """The configuration from a preset, a TOML file over it and single settings over both.

    The file may name its own `preset`. `InputError` for an unknown preset or key (with the
    nearest), a value of the wrong type, and a file that cannot be read.
    """
    given = _toml(Path(file)) if file is not None else {}
    named = preset or str(given.pop("preset", "quick"))
    given.pop("preset", None)
    if named not in PRESETS:
        raise unknown("preset", named, PRESETS)
    merged = PRESETS[named] | given | (settings or {})
    for key in merged:
        if key not in Config.model_fields:
            raise unknown("configuration key", key, Config.model_fields)
    try:
        config = Config(**merged)
    except ValidationError as error:
        first = error.errors()[0]
        if isinstance(reason := first.get("ctx", {}).get("error"), InputError):
            raise reason from None
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"configuration key {where!r}: {first['msg']}, got {first['input']!r}"
        ) from None
    return config


def setting(text: str) -> tuple[str, Any]:
    """Key and value of "key=value"; the value is read as TOML, or as plain text."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError(f"setting {text!r}: expected key=value")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), value.strip()


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"configuration {path}: not TOML: {error}") from None
