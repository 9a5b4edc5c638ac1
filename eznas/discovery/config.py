"""The configuration of a run: a tree of sections, from a preset, a TOML file and single settings.

Every default is written once: in the section's own class, and the two rows of measurement
settings in `eznas.statistics.config`.
"""

import json
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eznas.discovery.sections import EvidenceConfig, ModelsConfig
from eznas.discovery.termination import TerminationConfig
from eznas.errors import InputError, unknown
from eznas.evolution.config import EvolutionConfig
from eznas.statistics.config import SEARCH, MeasurementSettings


class Config(BaseModel):
    """Every setting of a run; the defaults are the preset "quick"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: tuple[str, ...] = Field(
        ("nasbench201",), min_length=1, description="What to rank: SPACE or SPACE/DATASET[@SIZE]."
    )
    models: ModelsConfig = ModelsConfig()
    evolution: EvolutionConfig = EvolutionConfig()
    measurement: MeasurementSettings = SEARCH
    termination: TerminationConfig = TerminationConfig()
    evidence: EvidenceConfig = EvidenceConfig()

    @field_validator("measurement", mode="before")
    @classmethod
    def _with_defaults_of_a_search(cls, settings: Any) -> Any:
        """What is not set is as a search has it, not as a proxy."""
        if isinstance(settings, MeasurementSettings):
            settings = settings.model_dump(exclude_unset=True)
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
    # Formulas to read: of a quarter of the nodes, rated by tau as they are.
    "short": {
        "evolution.fit": False,
        "evolution.generations": 60,
        "evolution.max_nodes": 40,
        "evolution.max_depth": 14,
    },
    # One formula for networks of any kind, from four spaces that count alike. What evolves on these
    # ranks others worse than a published proxy does. Other seeds are not defined everywhere.
    "general": {
        "tasks": ("nasbench201", "nasbench101:test", "nasbench-macro", "naap440"),
        "evolution.alike": True,
        "evolution.anywhere": True,
        "evolution.seed_formulas": ("logsynflow", "live_params", "depth"),
        "evolution.boost": True,
        "evolution.fit": False,
        "evolution.tuned": 0,
        "evolution.greedy_terms": 0,
        "evolution.generations": 0,
        "evolution.population": 50,
        "evolution.max_nodes": 400,
        "evolution.max_depth": 60,  # the terms of a sum are nested
        "evolution.networks": 500,
        "evolution.first_networks": 500,
    },
    # EZNAS's 22 tensors, population and generations, on 80 networks at batch 2 (batch norm needs
    # it); operators, seeds and fitness are ours.
    "paper": {
        "evolution.statistics": EZNAS_TENSORS,
        "measurement.raw_batch": 2,
        "evolution.fit": False,
        "evolution.new_features": True,
        "evolution.generations": 15,
        "evolution.population": 50,
        "evolution.offspring": 50,
        "evolution.first_networks": 80,
        "evolution.networks": 80,
        "evolution.champion_networks": 20,
        "evolution.max_nodes": 60,
        "evolution.max_depth": 14,
        "evolution.greedy_terms": 0,
        "evolution.stepwise": 0.0,
    },
}

# Lists of names: an entry with + or - in front changes the list of the preset or the file.
_NAMES = ("evolution.statistics", "evolution.primitives")
SEEDS = "evolution.seed_formulas"  # as well, but for -: that begins a formula

_FLAGS = {  # of the command line, for settings that runs often differ in
    "tasks": "--tasks",
    "evidence.hold_out": "--hold-out",
    "evolution.seed": "--seed",
    "models.file": "--models",
    "models.input": "--input",
    "models.init": "--init",
}


def keys(section: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Every configuration key in the order of the tree; those of sections are SECTION.KEY."""
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
    """The configuration from a preset, a TOML file that overrides it, and single settings that
    override both.

    The file may name its `preset`; the argument comes before that. Settings are SECTION.KEY ->
    value; the section may be left out, see `full_key`. Raises `InputError` for an unknown preset or
    key (with the nearest), a value that is not allowed, and a file that cannot be read.
    """
    content = _toml(Path(file)) if file is not None else {}
    preset_of_file = str(content.pop("preset", "quick"))
    preset = preset or preset_of_file
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    tree: dict[str, Any] = {}
    for layer in (PRESETS[preset], _flat(content), settings or {}):
        for key, value in layer.items():
            full = full_key(key)
            section, _, name = full.rpartition(".")
            settings_of = tree.setdefault(section, {}) if section else tree
            if full in _NAMES or full == SEEDS:
                value = _changed(full, value, settings_of.get(name))
            settings_of[name] = value
    try:
        return Config(**tree)
    except ValidationError as error:
        problem = error.errors()[0]
        if isinstance(reason := problem.get("ctx", {}).get("error"), InputError):
            raise reason from None
        path = ".".join(map(str, problem["loc"]))
        raise InputError(
            f"configuration key {path!r}: {problem['msg']}, got {problem['input']!r}"
        ) from None


def _changed(key: str, value: Any, present: Sequence[str] | None) -> Any:
    """The names of a list: those of `value`, or, where they have + or - in front, the present ones
    (None: the default) with and without them."""
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(e, str) for e in entries):
        return value  # which is refused as it is
    signs = "+" if key == SEEDS else "+-"
    if key in _NAMES:
        entries = [name.strip() for entry in entries for name in entry.split(",")]
    signed = [entry for entry in entries if entry[:1] in signs and entry]
    if not signed:
        return tuple(entries)
    if len(signed) < len(entries):
        plain = next(entry for entry in entries if entry not in signed)
        raise InputError(
            f"configuration key {key!r}: expected names alone, or {' or '.join(signs)} in front of "
            f"each, got {plain!r}"
        )
    default = EvolutionConfig.model_fields[_bare(key)].default
    names = list(default if present is None else present)
    for sign, name in ((entry[0], entry[1:].strip()) for entry in entries):
        if sign == "-" and name not in names:
            raise unknown(f"{_bare(key)[:-1]} to leave out", name, names)
        if sign == "-":
            names.remove(name)
        elif name not in names:
            names.append(name)
    return tuple(names)


def full_key(key: str) -> str:
    """SECTION.KEY for a key whose section may be left out: where one section alone has the key, or
    `evolution` has it. Raises `InputError` for an unknown key, or one of several other sections."""
    full_keys = list(keys())
    if key in full_keys:
        return key
    bare_keys = [_bare(full) for full in full_keys]
    matches = [full for full, bare in zip(full_keys, bare_keys, strict=True) if bare == key]
    if f"evolution.{key}" in matches:
        return f"evolution.{key}"
    if not matches:
        raise unknown("configuration key", key, [*full_keys, *bare_keys])
    if len(matches) > 1:
        raise InputError(f"configuration key {key!r}: expected one of {', '.join(matches)}")
    return matches[0]


def _bare(key: str) -> str:
    return key.rpartition(".")[2]


def setting(text: str) -> tuple[str, Any]:
    """Key and value of a text "key=value"; the value is read as TOML, or is plain text where it is
    no TOML. Raises `InputError` for a text of another form."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise InputError(f"setting {text!r}: expected key=value")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), value.strip()


def as_toml(value: object) -> str:
    """A number, text, list or table as TOML, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def command_of(config: Config) -> str:
    """The command that begins a run with this configuration: the preset that is nearest to it, and
    every setting that differs from that."""
    own = _flat(config.model_dump())
    options = {}
    for preset in PRESETS:
        default = _flat(read(preset=preset).model_dump())
        options[preset] = {
            key: value
            for key, value in own.items()
            if key == "evolution.seed" or value != default[key]
        }
    preset = min(options, key=lambda name: len(options[name]))
    words = ["eznas", "evolve", *(["--preset", preset] if preset != "quick" else [])]
    for key, value in options[preset].items():
        flag = _FLAGS.get(key)
        if key in (*_NAMES, SEEDS):
            words += _changes(key, value, _flat(read(preset=preset).model_dump())[key])
        elif flag is None:
            words += ["--set", f"{key}={as_toml(value)}"]
        else:
            values = value if isinstance(value, tuple) else [value]
            words += [word for v in values for word in (flag, str(v))]
    return shlex.join(words)


def _changes(key: str, names: Sequence[str], default: Sequence[str]) -> list[str]:
    """Options that make a list of names of the default one, in whichever way is shorter."""
    added, removed = ([n for n in a if n not in b] for a, b in ((names, default), (default, names)))
    if key == SEEDS:
        if not removed and added:
            return [word for name in added for word in ("--seed-formula", name)]
        return ["--set", f"{key}={as_toml(names)}"]
    signed = [*(f"-{name}" for name in removed), *(f"+{name}" for name in added)]
    flag = f"--{_bare(key)}"
    is_shorter = len(signed) < len(names) and _changed(key, signed, default) == tuple(names)
    return [flag, ",".join(signed if is_shorter else names)]


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The content of a TOML file with the keys of its tables as TABLE.KEY."""
    flat, leaves = dict[str, Any](), {name for key in keys() for name in (key, _bare(key))}
    for key, value in content.items():
        is_table = isinstance(value, Mapping) and prefix + key not in leaves
        if is_table and (value or prefix + key in Config.model_fields):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"configuration {path}: not TOML: {error}") from None
