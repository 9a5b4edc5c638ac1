"""From what a user names to a proxy: a name, a run, a file, or the text of a formula."""

import os
from pathlib import Path

from eznas.discovery.folder import ROOT, Batches, Entry, Outcome, RunFolder
from eznas.errors import InputError, unknown
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy
from eznas.statistics.catalogue import CATALOGUE


def resolve(text: str) -> Proxy:
    """The proxy behind PROXY.

    A name of `CLASSICS`, a run folder or name (its champion), RUN#K (the K-th of its archive,
    from 1), a .json file, or the text of a formula. `InputError` says what was expected.
    """
    text = text.strip()
    if text in CLASSICS:
        return Proxy(text, parse(CLASSICS[text].formula))
    if text.endswith(".json"):
        return files.read(Path(text))[0]
    run = run_of(text)
    if run is not None:
        return _archived(run, text.partition("#")[2]) if "#" in text else champion(run)
    try:
        return Proxy(" ".join(text.split()), parse(text))
    except InputError:
        if text in CATALOGUE or text in PRIMITIVES or any(mark in text for mark in "()+*, "):
            raise
        raise unknown("proxy", text, [*CLASSICS, *_runs()]) from None


def run_of(text: str) -> RunFolder | None:
    """The run that PROXY names, if it names one; `InputError` for RUN#K where there is no RUN."""
    text = text.strip()
    if text in CLASSICS or text.endswith(".json"):
        return None
    name, mark, _ = text.partition("#")
    # Unlike Path's, this one takes a formula too long for a file name.
    if any(os.path.isfile(p / "config.json") for p in (Path(name), ROOT / name)):
        return RunFolder.find(name)
    if mark and "(" not in name:
        raise unknown("run", name, _runs()) if _runs() else InputError(f"unknown run {name!r}")
    return None


def champion(run: RunFolder) -> Proxy:
    """The champion of a run; of one that did not finish, the fittest so far."""
    if (run.path / "result.json").is_file():
        return _proxy(run, run.path.name, run.read("result.json", Outcome).formula)
    return _archived(run, "1")


def _runs() -> list[str]:
    return [p.parent.name for p in sorted(ROOT.glob("*/config.json"))]


def _archived(run: RunFolder, number: str) -> Proxy:
    entries: list[Entry] = run.read("archive.json", list[Entry])
    numbered = {str(place): entry.formula for place, entry in enumerate(entries, 1)}
    if number not in numbered:
        raise InputError(
            f"run {run.path.name}: expected #1 to #{len(entries)} of its archive, got #{number}"
        )
    return _proxy(run, f"{run.path.name}#{number}", numbered[number])


def _proxy(run: RunFolder, name: str, formula: str) -> Proxy:
    batches = run.read("config.json", Batches)
    try:
        return Proxy(name, parse(formula), batches.raw_batch, batches.sketch_batch)
    except InputError as error:
        raise InputError(f"run {run.path}: {name}: {error}") from None
