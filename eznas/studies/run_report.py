"""The report on a run: its folder and what is measured of it, as one HTML file."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config, command_of
from eznas.discovery.front import Front, front, front_in, other_networks, saved_front
from eznas.discovery.provenance import FILE as PROVENANCE
from eznas.discovery.result import RESULT
from eznas.discovery.watching import JOURNAL, journal_of, state_of
from eznas.errors import InputError
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings
from eznas.report.run_html import RunContent, run_html
from eznas.studies.explain import explained
from eznas.studies.formula_sample import FormulaSample
from eznas.system.arguments import checked, whole
from eznas.system.files import check_new, write_whole
from eznas.system.folder import CONFIG, RunFolder

REPORT = "report.html"  # in the folder of a run, where no other file is named
ENDING = ".html"


@dataclass(frozen=True)
class Report:
    """A report that was written: the name of its run, and the path and size of its file."""

    run: str
    file: str
    bytes: int


@checked
def write_report(
    run: str,
    file: str | None = None,
    *,
    networks: int = 200,
    workers: int = 1,
    force: bool = False,
    watcher: Callback | None = None,
) -> Report:
    """Write a report on a run as one HTML file, which opens without a network.

    `run`: the name or path of its folder; it may be going on, or have been interrupted. `file`: by
    default report.html in that folder; one that exists is replaced only with `force`. The formulas
    of its front, and the parts of its champion, are measured on up to `networks` networks of each
    of its spaces, as by `eznas.front` and `eznas.explain`; of 0 networks, the report is made of the
    run's folder alone.

    Raises `InputError` for an unknown run, one without a formula, files that are damaged, a file
    that cannot be written, and where networks cannot be measured.
    """
    folder, count = RunFolder.find(run), whole("networks", networks, 0)
    path = Path(file) if file is not None else folder.path / REPORT
    _check_file(path, force)
    content = _content(folder)
    if count:
        try:
            measured = _measured(folder, count, workers, watcher or NoCallback())
        except InputError as error:
            advice = "`--networks 0` (networks=0) makes a report without measuring"
            raise InputError(f"{error}; {advice}") from None
        content = replace(content, **measured)
    page = run_html(content).encode()
    write_whole(path, page)
    return Report(folder.name, str(path), len(page))


def _check_file(path: Path, force: bool) -> None:
    """`InputError` for a file that cannot be written; before minutes of measuring."""
    if path.suffix != ENDING:
        raise InputError(f"file {str(path)!r}: expected a name that ends in {ENDING}")
    check_new(path, force)


def _content(folder: RunFolder) -> RunContent:
    """What the folder of a run holds. `InputError` for a run without a formula."""
    state = state_of(folder)
    if state.state == "running" and state.generation is None:
        raise InputError(f"run {folder.name}: no generation is complete yet: nothing to report")
    champion = load(str(folder.path))
    config: Config = folder.read(CONFIG, Config)
    generations = [asdict(generation) for generation in journal_of(folder)]
    result = folder.read(RESULT, dict[str, Any]) if folder.has(RESULT) else None
    return RunContent(
        run=folder.name,
        state=state.state,
        command=command_of(config),
        config=config.model_dump(),
        environment=folder.read(PROVENANCE, dict[str, Any]),
        generations=generations,
        formula=champion.formula.text,
        result=result and {"recommended": "", "stopped": ""} | result,
        **_front(folder) if generations else {},
    )


def _front(folder: RunFolder) -> dict[str, Any]:
    """What `RunContent` has of a run's front without measuring."""
    saved = saved_front(folder)
    return {"front": front_in(folder)} if saved is None else _shown(saved)


def _shown(measured: Front) -> dict[str, Any]:
    """What `RunContent` has of a front that was measured."""
    return {"front": measured.rows, "error": measured.error, "sets": measured.sets}


def _measured(folder: RunFolder, networks: int, workers: int, callback: Callback) -> dict[str, Any]:
    """What `RunContent` has of a run's formulas on networks; `InputError` where these cannot be
    measured."""
    content: dict[str, Any] = {}
    if folder.has(JOURNAL):
        measured = front(str(folder.path), networks=networks, workers=workers, watcher=callback)
        content |= _shown(measured)
    config: Config = folder.read(CONFIG, Config)
    champion, benchmarks = load(str(folder.path)), other_networks(folder, networks)
    settings = ScoringSettings(
        (config.measurement.seed,),
        images=config.measurement.images,
        device=config.measurement.device,
        workers=workers,
    )
    sample = FormulaSample.of(champion, benchmarks, settings, callback)
    scores = sample.scores(champion.formula)
    accuracies = {d: values for b in benchmarks for d, values in b.accuracies.items()}
    return content | {
        "explanation": asdict(explained(champion, sample)),
        "scores": {dataset: (scores[dataset], accuracies[dataset]) for dataset in scores},
    }
