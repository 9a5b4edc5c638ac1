"""From what a user names to a proxy: a name, a run, a file, or the text of a formula."""

from pathlib import Path
from typing import Any

from eznas.errors import InputError, unknown
from eznas.formulas.parser import parse
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy
from eznas.runs import ROOT, RunFolder


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
    run, mark, number = text.partition("#")
    if mark:
        return _archived(RunFolder.find(run), number)
    if _is_run(text):
        return champion(RunFolder.find(text))
    try:
        return Proxy(text, parse(text))
    except InputError:
        if any(mark in text for mark in "()+*, "):
            raise
        known = [*CLASSICS, *(p.parent.name for p in sorted(ROOT.glob("*/config.json")))]
        raise unknown("proxy", text, known) from None


def champion(run: RunFolder) -> Proxy:
    """The champion of a run; of one that did not finish, the fittest so far."""
    if (run.path / "result.json").is_file():
        return _proxy(run, run.path.name, run.read("result.json")["formula"])
    return _archived(run, "1")


def _is_run(text: str) -> bool:
    bare = "(" not in text and len(text) < 200
    return bare and any((p / "config.json").is_file() for p in (Path(text), ROOT / text))


def _archived(run: RunFolder, number: str) -> Proxy:
    entries: list[dict[str, Any]] = run.read("archive.json")
    if not number.isdigit() or not 1 <= int(number) <= len(entries):
        raise InputError(
            f"run {run.path.name}: expected #1 to #{len(entries)} of its archive, got #{number}"
        )
    return _proxy(run, f"{run.path.name}#{number}", entries[int(number) - 1]["formula"])


def _proxy(run: RunFolder, name: str, formula: str) -> Proxy:
    config = run.read("config.json")
    return Proxy(name, parse(formula), config["raw_batch"], config["sketch_batch"])
