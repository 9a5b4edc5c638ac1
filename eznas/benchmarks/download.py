"""Official files, downloaded once into the cache folder and compared with their checksums."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pooch
import requests

from eznas.benchmarks.curve_importing import problem_of_curves
from eznas.benchmarks.curves import CURVES, curves_path, stored_curves
from eznas.benchmarks.importing import (
    check_importable,
    check_no_other,
    import_table,
    problem_of,
)
from eznas.benchmarks.loading import tables_here
from eznas.benchmarks.sources import SOURCES, Source, source_of
from eznas.benchmarks.store import folder, sha256_of, source_parts, stored
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES
from eznas.system.files import write_whole

TIMEOUT = 30  # seconds without an answer
BLOCK = 1 << 18  # bytes at a time

Progress = Callable[[int, int | None], None]  # bytes downloaded so far, total bytes if known


def fetch(space: str, progress: Progress | None = None, replace: bool = False) -> dict[str, Any]:
    """Download the official file of a space unless it is in the cache, and import it.

    Returns the `summary` of the imported table. `InputError` where no file can be downloaded for
    the space, the download fails, its checksum is not the expected one, the file cannot be
    imported, or a table from another file was imported before and `replace` is false.
    """
    check_importable(space)
    source = source_of(space)
    if source is None:
        raise InputError(
            f"space {space}: no official file is known; `eznas data import {space} FILE` "
            "imports a CSV file"
        )
    if not source.url:
        raise InputError(
            f"space {space}: {source.file} cannot be downloaded from here; get it as follows: "
            f"{source.how}"
        )
    if not replace:
        check_no_other(space, lambda earlier: earlier.origin.file == source.file)
    file = download(source, progress or (lambda done, total: None))
    return import_table(space, file, replace=replace)


def verify(name: str | None = None) -> list[dict[str, Any]]:
    """Check the tables of a space (of SPACE:NAME that one alone) and the learning curves of a name
    (None: all that are here), and the downloaded official file.

    Returns a row for each table, curves and file: `what` was checked, and its `problem`, "" for
    none. `InputError` where the name is unknown or nothing of it is here.
    """
    if name is not None:
        _check_here(name)
    names = (*SPACES, *(n for n in CURVES if n not in SPACES)) if name is None else (name,)
    rows = []
    for known in names:
        for table in tables_here(known):
            rows.append({"what": f"table of {table}", "problem": problem_of(table)})
        if known in CURVES and curves_path(known).exists():
            rows.append({"what": f"curves of {known}", "problem": problem_of_curves(known)})
    for source in SOURCES:
        path = downloads() / source.file
        if path.exists() and (name is None or name in source.spaces):
            rows.append({"what": f"download {source.file}", "problem": _mismatch(source, path)})
    return rows


def _check_here(name: str) -> None:
    """Raises `InputError`, which says where to get it, if nothing of this name is here."""
    space, table = source_parts(name)
    if space not in SPACES and name not in CURVES:
        raise unknown("space", name, [*SPACES, *CURVES])
    if (name in CURVES and curves_path(name).exists()) or any(tables_here(name)):
        return
    if space in SPACES:
        stored(space, table)  # raises the error
    stored_curves(name)


def downloads() -> Path:
    """The folder of downloaded official files."""
    return folder() / "downloads"


def download(source: Source, progress: Progress) -> Path:
    """The path of a source's file, downloaded unless it is in the cache with the right checksum.

    `progress` is called after every block. `InputError` where the file cannot be downloaded or
    written, or has another checksum than expected; nothing of it is then kept.
    """
    pooch.get_logger().setLevel("WARNING")  # it announces every download otherwise
    path, expected = downloads() / source.file, _expected_sha256(source)
    downloader = pooch.HTTPDownloader(_Progress(progress), BLOCK, timeout=TIMEOUT)
    try:
        pooch.retrieve(
            source.url,
            expected and f"sha256:{expected}",
            source.file,
            downloads(),
            downloader=downloader,
        )
    except requests.RequestException as error:
        raise InputError(f"{source.url}: cannot be fetched: {_cause(error)}") from None
    except OSError as error:
        raise InputError(f"{downloads()}: cannot write: {error.strerror or error}") from None
    except ValueError:  # the checksum differs, and pooch has removed the file
        origin = "" if source.sha256 else f" (from {_first_sha256(source)})"
        raise InputError(
            f"{source.url}: expected a file with SHA-256 {expected}{origin}; the downloaded one "
            "differs and was removed"
        ) from None
    if expected is None:
        write_whole(_first_sha256(source), f"{sha256_of(path)}\n")
    return path


def _expected_sha256(source: Source) -> str | None:
    """The checksum that the authors publish, else that of the first download, else None."""
    first = _first_sha256(source)
    return source.sha256 or (first.read_text(encoding="ascii").strip() if first.exists() else None)


def _first_sha256(source: Source) -> Path:
    """The file with the checksum of the first download."""
    return downloads() / f"{source.file}.sha256"


def _mismatch(source: Source, path: Path) -> str:
    """How the checksum of a downloaded file differs from the expected one, "" where it does not."""
    expected, actual = _expected_sha256(source), sha256_of(path)
    if expected is None:
        return f"{path}: no checksum to compare with; remove it and fetch it again"
    if actual != expected:
        return f"{path}: SHA-256 {actual}, expected {expected}; fetch it again"
    return ""


class _Progress:
    """Progress as pooch reports it, which sets `total` and calls the methods of a tqdm bar."""

    total = 0

    def __init__(self, progress: Progress) -> None:
        self._progress, self._done = progress, 0

    def update(self, size: int) -> None:
        self._done += size
        if self.total:
            self._done = min(self._done, self.total)  # the last block is counted as a full one
        self._progress(self._done, self.total or None)

    def reset(self) -> None:
        """At the end pooch starts over, to fill the bar: here it is full."""

    def close(self) -> None: ...


def _cause(error: BaseException) -> str:
    """The error of the system or server that an error of requests goes back to, in one line."""
    while error.__context__:
        error = error.__context__
    return " ".join(str(error).split())
