"""The configuration of a run: one tree of sections, presets, a TOML file, single settings over it.

Every default is written once: in the section's own class, and the two rows of measurement
settings in `eznas.statistics.config`.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eznas.discovery.termination import TerminationConfig
from eznas.errors import InputError, unknown
from eznas.evolution.config import EvolutionConfig
from eznas.statistics.config import SEARCH, MeasurementSettings


class EvidenceConfig(BaseModel):
    """On what a champion is tested in the end; none of it takes part in the search."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: int = Field(500, ge=8, description="Held-out networks of each space.")
    replicates: int = Field(1000, ge=10, description="Bootstrap replicates behind an interval.")
    hold_out: tuple[str, ...] = Field(
        (), description="Spaces that the search never sees: SPACE or SPACE/DATASET."
    )


class Config(BaseModel):
    """Every setting of a run, with its default (the preset "quick")."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: tuple[str, ...] = Field(
        ("nasbench201",), min_length=1, description="What to rank: SPACE or SPACE/DATASET[@SIZE]."
    )
    evolution: EvolutionConfig = EvolutionConfig()
    measurement: MeasurementSettings = SEARCH
    termination: TerminationConfig = TerminationConfig()
    evidence: EvidenceConfig = EvidenceConfig()

    @field_validator("measurement", mode="before")
    @classmethod
    def _a_searchs_defaults(cls, settings: Any) -> Any:
        return {**SEARCH.model_dump(), **settings} if isinstance(settings, Mapping) else settings


# The 22 tensors of EZNAS (Akhauri et al., 2022), section 3.
EZNAS_TENSORS = (
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
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    # EZNAS's 22 tensors, population and generations, on 80 networks at batch 2 (batch norm needs
    # it); operators, seeds and fitness are ours.
    "paper": {
        "evolution.statistics": EZNAS_TENSORS,
        "measurement.raw_batch": 2,
        "evolution.generations": 15,
        "evolution.population": 50,
        "evolution.offspring": 50,
        "evolution.first_networks": 80,
        "evolution.networks": 80,
        "evolution.champion_networks": 20,
        "evolution.max_nodes": 60,
        "evolution.greedy_terms": 0,
        "evolution.stepwise": 0.0,
    },
}


def keys(section: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Every configuration key, those of sections as SECTION.KEY, in the order of the tree."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{name}.")
        else:
            yield f"{prefix}{name}"


def read(
    file: str | Path | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Config:
    """The configuration from a preset, a TOML file over it and single settings over both.

    The file may name its own `preset`. Settings are SECTION.KEY -> value; the section may be left
    out where only one has the key, and for those of `evolution`. `InputError` for an unknown preset
    or key (with the nearest), a value of the wrong type, and a file that cannot be read.
    """
    content = _toml(Path(file)) if file is not None else {}
    named = str(content.pop("preset", "quick"))
    named = preset or named
    if named not in PRESETS:
        raise unknown("preset", named, PRESETS)
    tree: dict[str, Any] = {}
    for given in (PRESETS[named], _flat(content), settings or {}):
        for key, value in given.items():
            section, _, name = full_key(key).rpartition(".")
            (tree.setdefault(section, {}) if section else tree)[name] = value
    try:
        return Config(**tree)
    except ValidationError as error:
        first = error.errors()[0]
        if isinstance(reason := first.get("ctx", {}).get("error"), InputError):
            raise reason from None
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"configuration key {where!r}: {first['msg']}, got {first['input']!r}"
        ) from None


def full_key(key: str) -> str:
    """SECTION.KEY for a key whose section may be left out; `InputError` for an unknown one, or one
    that several sections have."""
    known = list(keys())
    if key in known:
        return key
    matches = [full for full in known if full.rpartition(".")[2] == key]
    if f"evolution.{key}" in matches:
        return f"evolution.{key}"
    if not matches:
        raise unknown("configuration key", key, [*known, *(k.rpartition(".")[2] for k in known)])
    if len(matches) > 1:
        raise InputError(f"configuration key {key!r}: expected one of {', '.join(matches)}")
    return matches[0]


def setting(text: str) -> tuple[str, Any]:
    """Key and value of "key=value"; the value is read as TOML, or as plain text. `InputError` for
    a text of another form."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError(f"setting {text!r}: expected key=value")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), value.strip()


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Tables of a TOML file as dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        is_table = isinstance(value, Mapping)
        flat |= _flat(value, f"{prefix}{key}.") if is_table else {f"{prefix}{key}": value}
    return flat


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"configuration {path}: not TOML: {error}") from None
