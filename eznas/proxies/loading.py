"""From what a user names to a proxy: a name, a run, a file, or the text of a formula."""

from pathlib import Path
from typing import Any

from eznas.benchmarks.loading import without_accuracies
from eznas.errors import InputError, unknown
from eznas.evaluation.contexts import contexts_of
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import PROXY
from eznas.system.folder import RunFolder, is_run, run_names

USUAL_SPACE = "nasbench201"  # whose contexts describe a proxy that no run has found


def load(proxy: str) -> Proxy:
    """The proxy behind a text.

    A name of `CLASSICS`, a run folder or name (its champion; of one that did not finish, the
    fittest so far), RUN#K (the K-th formula of its archive, from 1), a .json file, or the text of
    a formula. `InputError` says what was expected.
    """
    return _loaded(proxy.strip())[0]


def describe(proxy: str) -> files.ProxyFile:
    """What a proxy file says of the proxy behind a text, see `load`: formula, constants, how it is
    measured, and the evidence that its run or file has. `InputError` as `load`."""
    loaded, content = _loaded(proxy.strip())
    if content is not None:
        return content
    settings = PROXY.model_copy(
        update={"raw_batch": loaded.raw_batch, "sketch_batch": loaded.sketch_batch}
    )
    configs = [
        context.measurement
        for context in contexts_of(without_accuracies(USUAL_SPACE, ()), settings)
    ]
    measured = files.Measured(
        measurement=[config.describe() for config in configs],
        fingerprint=[config.fingerprint for config in configs],
        raw_batch=loaded.raw_batch,
        sketch_batch=loaded.sketch_batch,
    )
    return files.described(loaded, measured)


def export(proxy: str, file: str) -> dict[str, Any]:
    """Write the proxy behind a text, see `load`, to a JSON file; what the file says. `InputError`
    for a name that does not end in .json, and where the file cannot be written."""
    if not file.endswith(".json"):
        raise InputError(f"file {file!r}: expected a name that ends in .json, as PROXY does")
    content = describe(proxy)
    files.write(Path(file), content)
    return content.model_dump()


def _loaded(text: str) -> tuple[Proxy, files.ProxyFile | None]:
    """The proxy, and the proxy file's content where a file or a run has one."""
    if text in CLASSICS:
        return Proxy(text, parse(CLASSICS[text].formula)), None
    if text.endswith(".json"):
        return files.read(Path(text))
    run = _run(text)
    if run is not None:
        return _of_run(run, text.partition("#")[2])
    try:
        return Proxy(" ".join(text.split()), parse(text)), None
    except InputError:
        if text in CATALOGUE or text in PRIMITIVES or any(mark in text for mark in "()+*, "):
            raise
        raise unknown("proxy", text, [*CLASSICS, *run_names()]) from None


def _run(text: str) -> RunFolder | None:
    """The run that a text names, if it names one; `InputError` for RUN#K where there is no RUN."""
    name, mark, _ = text.partition("#")
    if is_run(name):
        return RunFolder.find(name)
    if mark and "(" not in name:
        known = run_names()
        raise unknown("run", name, known) if known else InputError(f"unknown run {name!r}")
    return None


def _of_run(run: RunFolder, number: str) -> tuple[Proxy, files.ProxyFile]:
    """The champion of a run, or a formula of its archive by its number."""
    if not number and run.has(files.CHAMPION):
        return files.read(run.path / files.CHAMPION)
    archive = run.read(files.ARCHIVE, files.ArchiveFile)
    by_number = {str(place): entry for place, entry in enumerate(archive.formulas, 1)}
    entry = by_number.get(number or "1")
    if entry is None:
        raise InputError(
            f"run {run.name}: expected #1 to #{len(by_number)} of its archive, got #{number}"
        )
    name = f"{run.name}#{number or 1}"
    try:
        proxy = Proxy(name, parse(entry.formula), archive.raw_batch, archive.sketch_batch)
    except InputError as error:
        raise InputError(f"run {run.path}: {name}: {error}") from None
    return proxy, files.described(proxy, archive, coverage=entry.coverage)
