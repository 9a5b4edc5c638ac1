"""Proxy files: a formula as JSON with all that its scores depend on, and how it was judged."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eznas.errors import InputError
from eznas.files import write_whole
from eznas.formulas.parser import parse
from eznas.proxies.proxy import Proxy

FORMAT = 1


class ProxyFile(BaseModel):
    """The content of a proxy file."""

    model_config = ConfigDict(extra="forbid")

    eznas_proxy: int = FORMAT
    name: str
    formula: str
    constants: list[float]
    statistics: list[str]
    conditions: list[dict[str, Any]]  # one per setting it was measured under
    fingerprint: list[str]
    raw_batch: int = Field(ge=2)
    sketch_batch: int = Field(ge=2)
    judged: list[dict[str, Any]]  # rows as `eznas correlate` gives them; empty if never judged
    coverage: float | None


def write(path: Path, content: ProxyFile) -> None:
    """Write a proxy file whole or not at all."""
    write_whole(path, content.model_dump_json(indent=2) + "\n")


def read(path: Path) -> tuple[Proxy, ProxyFile]:
    """The proxy in a file; `InputError` names the file and what is wrong with it."""
    try:
        content = ProxyFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"proxy file {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise InputError(f"proxy file {path}: {where}: {first['msg']}") from None
    if content.eznas_proxy != FORMAT:
        raise InputError(f"proxy file {path}: format {content.eznas_proxy}, expected {FORMAT}")
    try:
        formula = parse(content.formula)
    except InputError as error:
        raise InputError(f"proxy file {path}: {error}") from None
    return Proxy(content.name, formula, content.raw_batch, content.sketch_batch), content
