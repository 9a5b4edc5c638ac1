"""Proxy files: a formula as JSON with all that its scores depend on, and how it was judged."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from eznas.discovery.config import Batch
from eznas.errors import InputError
from eznas.formulas.parser import LONGEST, parse
from eznas.proxies.proxy import Proxy
from eznas.system.files import read_as, write_whole

FORMAT = 1


class ProxyFile(BaseModel):
    """The content of a proxy file."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    eznas_proxy: int = FORMAT
    name: str = Field(max_length=LONGEST)  # a formula without a name has its text
    formula: str
    constants: list[float]
    statistics: list[str]
    conditions: list[dict[str, Any]]  # one per setting it was measured under
    fingerprint: list[str]
    raw_batch: Batch
    sketch_batch: Batch
    judged: list[dict[str, Any]]  # rows as `eznas correlate` gives them; empty if never judged
    coverage: float | None


def write(path: Path, content: ProxyFile) -> None:
    """Write a proxy file whole or not at all."""
    write_whole(path, content.model_dump_json(indent=2) + "\n")


def read(path: Path) -> tuple[Proxy, ProxyFile]:
    """The proxy in a file, and what else the file says, its formula as we print it; `InputError`
    names the file and what is wrong with it."""
    content = read_as(path, ProxyFile)
    if content.eznas_proxy != FORMAT:
        raise InputError(f"{path}: format {content.eznas_proxy}, expected {FORMAT}")
    try:
        formula = parse(content.formula)
        proxy = Proxy(content.name, formula, content.raw_batch, content.sketch_batch)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    content.formula = formula.text
    return proxy, content
