"""Proxy files: a formula as JSON, with all that its scores depend on and the evidence for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from eznas.errors import InputError
from eznas.evaluation.contexts import Context
from eznas.formulas.expression import Expression
from eznas.formulas.parser import LONGEST, parse
from eznas.formulas.terms import terms
from eznas.proxies.proxy import Proxy
from eznas.statistics.config import Batch, MeasurementSettings
from eznas.system.files import LARGEST, read_as, read_json, write_whole

FORMAT = 2
CHAMPION, GREEDY, ARCHIVE = "champion.json", "greedy.json", "archive.json"  # in a run folder


class MeasurementRecord(BaseModel):
    """How networks are measured for a formula: descriptions and fingerprints of the measurement
    configs, one for each space and input size, and their batches."""

    measurement: list[dict[str, Any]]
    fingerprint: list[str]
    raw_batch: Batch
    sketch_batch: Batch

    @staticmethod
    def of(contexts: Sequence[Context], settings: MeasurementSettings) -> "MeasurementRecord":
        """The record of contexts that were made from these settings."""
        configs = [config for context in contexts for config in context.measurements()]
        return MeasurementRecord(
            measurement=[config.describe() for config in configs],
            fingerprint=[config.fingerprint for config in configs],
            raw_batch=settings.raw_batch,
            sketch_batch=settings.sketch_batch,
        )


class ProxyFile(MeasurementRecord):
    """The content of a proxy file; `champion.json` of a run is one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    eznas_proxy: int = FORMAT
    name: str = Field(max_length=LONGEST)  # of a formula without a name its text
    formula: str
    constants: list[float]
    statistics: list[str]
    evidence: list[dict[str, Any]]  # rows as `eznas correlate` gives them; empty if never tested
    coverage: float | None
    labels: dict[str, int] | None  # space -> networks whose accuracies the search has seen
    untested: bool = False  # whether its run was to end without a test, so that it has no evidence


class ArchivedFormula(BaseModel):
    """A formula of an archive, its smallest coverage over tasks and networks, and its fitness on
    the networks searched on (None: it was not searched for)."""

    model_config = ConfigDict(extra="allow")

    formula: str
    coverage: float | None = None
    fitness: float | None = None


class ArchiveFile(MeasurementRecord):
    """The archive of a run: its best formulas so far, the fittest one first."""

    formulas: list[ArchivedFormula]

    def entry_of(self, formula: Expression) -> ArchivedFormula | None:
        """The entry that has a formula, or else its terms with other weights: those of a champion
        are refined after the search. None where there is neither."""
        parsed = [(parse(entry.formula), entry) for entry in self.formulas]
        same = [entry for other, entry in parsed if other == formula]
        alike = [entry for other, entry in parsed if set(terms(other)) == set(terms(formula))]
        return next(iter([*same, *alike]), None)


def to_proxy_file(
    proxy: Proxy,
    record: MeasurementRecord,
    evidence: list[dict[str, Any]] | None = None,
    coverage: float | None = None,
    labels: dict[str, int] | None = None,
    untested: bool = False,
) -> ProxyFile:
    """The content of a proxy file for a proxy; `labels` are None where they are not known, and
    `untested` says that its run was to end without a test."""
    return ProxyFile(
        name=proxy.name,
        formula=proxy.formula.text,
        constants=proxy.formula.constants(),
        statistics=proxy.formula.statistics(),
        measurement=record.measurement,
        fingerprint=record.fingerprint,
        raw_batch=proxy.raw_batch,
        sketch_batch=proxy.sketch_batch,
        evidence=evidence or [],
        coverage=coverage,
        labels=labels,
        untested=untested,
    )


def write(path: Path, content: ProxyFile) -> None:
    """Write a proxy file atomically. Raises `InputError` if it cannot be written."""
    write_whole(path, content.model_dump_json(indent=2) + "\n")


def read(path: Path) -> tuple[Proxy, ProxyFile]:
    """The proxy in a file and the file's whole content, with the formula's text in printed form.

    Raises `InputError`, which names the file and what is wrong with it.
    """
    raw = read_json(path, LARGEST)
    written_as = raw.get("eznas_proxy", FORMAT) if isinstance(raw, dict) else FORMAT
    if written_as != FORMAT:  # other formats have other keys
        raise InputError(f"{path}: format {written_as}, expected {FORMAT}")
    content = read_as(path, ProxyFile)
    try:
        formula = parse(content.formula)
        proxy = Proxy(content.name, formula, content.raw_batch, content.sketch_batch)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    content.formula = formula.text
    return proxy, content
