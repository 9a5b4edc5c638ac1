"""Proxies by what a user calls them: a name, a run, a file, or the text of a formula."""

from dataclasses import replace
from pathlib import Path

from eznas.benchmarks.loading import without_accuracies
from eznas.errors import InputError, unknown
from eznas.evaluation.contexts import contexts_of
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from eznas.proxies import files
from eznas.proxies.aliases import ALIASES
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from eznas.proxies.proxy import Proxy
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import PROXY
from eznas.system.arguments import checked, text
from eznas.system.folder import RunFolder, is_run, run_names

NAMES = (*CLASSICS, *DISCOVERED, *ALIASES)  # of proxies that are there without any run
USUAL_SPACE = "nasbench201"  # its input sizes are described where a proxy comes from no run


@checked
def load(proxy: str) -> Proxy:
    """The proxy that a text names.

    The text is one of `NAMES`: a published or discovered proxy, or an alias of one, whose proxy
    keeps its own name ("default" is what the evidence recommends for any network, see `ALIASES`);
    the name or folder of a run, also after `run:` (its champion, or the fittest formula so far if
    it has not finished); RUN#K (formula K of the run's archive, from 1); a .json file; or a
    formula. Raises `InputError`, with the nearest known name, for any other text.
    """
    return _loaded(proxy.strip())[0]


def describe(proxy: str) -> files.ProxyFile:
    """The content of a proxy file for the proxy that a text names: formula, constants, how networks
    are measured, and the evidence of its run or file. Raises `InputError` as `load` does."""
    loaded, content = _loaded(text("proxy", proxy).strip())
    if content is not None:
        return content
    settings = PROXY.model_copy(
        update={"raw_batch": loaded.raw_batch, "sketch_batch": loaded.sketch_batch}
    )
    contexts = contexts_of(without_accuracies(USUAL_SPACE, ()), settings)
    return files.to_proxy_file(loaded, files.MeasurementRecord.of(contexts, settings), labels={})


def separated(text: str) -> list[str]:
    """The proxies of a text, between commas; those inside the parentheses of a formula do not
    count."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def untested(proxy: str) -> bool:
    """Whether a text that `load` takes names a run that has not tested its champion yet."""
    return is_run(proxy.strip()) and not describe(proxy).evidence


def _loaded(text: str) -> tuple[Proxy, files.ProxyFile | None]:
    """The proxy, and the content of a proxy file for it where it comes from a file or a run."""
    text = ALIASES[text].proxy if text in ALIASES else text
    if text in CLASSICS:
        return Proxy(text, parse(CLASSICS[text].formula)), None
    if text in DISCOVERED:
        return files.read(DISCOVERED[text])
    if text.endswith(".json"):
        return files.read(Path(text))
    run = _run(text)
    if run is not None:
        _, mark, number = text.partition("#")
        return _of_archive(run, number) if mark else _champion(run)
    try:
        return Proxy(" ".join(text.split()), parse(text)), None
    except InputError:
        if text in CATALOGUE or text in PRIMITIVES or any(mark in text for mark in "()+*, "):
            raise
        raise unknown("proxy", text, [*NAMES, *run_names()]) from None


def _run(text: str) -> RunFolder | None:
    """The run that a text names, None if it names none. Raises `InputError` for RUN#K where there
    is no run RUN."""
    name, mark, _ = text.removeprefix("run:").partition("#")
    if is_run(name):
        return RunFolder.find(name)
    if mark and "(" not in name:
        known = run_names()
        raise unknown("run", name, known) if known else InputError(f"unknown run {name!r}")
    return None


def _champion(run: RunFolder) -> tuple[Proxy, files.ProxyFile]:
    """The champion of a run, named after its folder (which may have been copied); of a run that
    has none yet, the fittest formula of its archive."""
    if not run.has(files.CHAMPION):
        return _of_archive(run, "1")
    proxy, content = files.read(run.path / files.CHAMPION)
    return replace(proxy, name=run.name), content.model_copy(update={"name": run.name})


def _of_archive(run: RunFolder, number: str) -> tuple[Proxy, files.ProxyFile]:
    """A formula of a run's archive by its number, as text: 1 is the fittest."""
    if not run.has(files.ARCHIVE):
        advice = f"`eznas resume {run.name}` begins the search anew"
        raise InputError(f"run {run.name} ended before it had a formula; {advice}")
    archive = run.read(files.ARCHIVE, files.ArchiveFile)
    formulas = {str(rank): formula for rank, formula in enumerate(archive.formulas, 1)}
    archived = formulas.get(number)
    if archived is None:
        raise InputError(
            f"run {run.name}: expected #1 to #{len(formulas)} of its archive, got #{number}"
        )
    name = f"{run.name}#{number}"
    try:
        proxy = Proxy(name, parse(archived.formula), archive.raw_batch, archive.sketch_batch)
    except InputError as error:
        raise InputError(f"run {run.path}: {name}: {error}") from None
    evidence = labels = None
    if run.has(files.CHAMPION):
        champion, content = files.read(run.path / files.CHAMPION)
        evidence = content.evidence if champion.formula == proxy.formula else None
        labels = content.labels
    return proxy, files.to_proxy_file(proxy, archive, evidence, archived.coverage, labels)
