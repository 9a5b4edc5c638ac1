"""A configuration file to begin with: every setting, what it means and its default, commented."""

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from eznas.discovery.config import as_toml, read

_WIDTH = 100


def commented(preset: str = "quick") -> str:
    """The TOML text of a configuration in which every setting of a preset is a comment, after
    another that says what it means: as it is, the file means the preset.

    Raises `InputError` for an unknown preset.
    """
    config = read(preset=preset)
    lines = [
        "# Settings of `eznas evolve THIS_FILE`. Take the # away before what you change.",
        f'preset = "{preset}"',
        *_settings(config),
    ]
    sections = [name for name in type(config).model_fields if _is_section(getattr(config, name))]
    for name in sections:
        lines += ["", f"[{name}]", *_settings(getattr(config, name))]
    return "\n".join(lines) + "\n"


def _settings(section: BaseModel) -> list[str]:
    """The lines of a section's own settings."""
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if _is_section(value):
            continue
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        either = f" One of {', '.join(choices)}." if choices else ""
        lines += ["", f"# {field.description}{either}"]
        lines += [f"# {name} =  # none"] if value is None else _assignment(name, value)
    return lines


def _assignment(name: str, value: Any) -> list[str]:
    """A commented assignment, over several lines where one would be long."""
    text = as_toml(value)
    if len(text) < _WIDTH - len(name) - 5 or not isinstance(value, tuple):
        return [f"# {name} = {text}"]
    return [f"# {name} = [", *(f"#     {as_toml(entry)}," for entry in value), "# ]"]


def _is_section(value: object) -> bool:
    return isinstance(value, BaseModel)
