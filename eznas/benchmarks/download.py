"""Official files, downloaded into the cache folder once and compared with their checksums."""

import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import pooch

from eznas.benchmarks.loading import PACKAGED
from eznas.benchmarks.importing import (
    import_table,
    importable,
    problem_of,
    sha256_of,
    vacant,
)
from eznas.benchmarks.sources import SOURCES, Source, source_of
from eznas.benchmarks.store import folder, path_of, stored
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES
from eznas.system.files import write_whole

TIMEOUT = 30  # seconds without an answer
BLOCK = 1 << 18  # bytes at a time

Progress = Callable[[int, int | None], None]  # bytes that are here, and of how many if known


def fetch(space: str, progress: Progress | None = None, replace: bool = False) -> dict[str, Any]:
    """Download the official file of a space, unless it is here, and import it.

    Returns what `import_table` does. `InputError` where there is nothing to download, where it
    cannot be had now, or where it is not what it should be. A download that breaks off goes on
    from there the next time.
    """
    importable(space)
    source = source_of(space)
    if source is None:
        raise InputError(
            f"space {space}: no official file is known; `eznas data import {space} FILE` takes "
            "a CSV file"
        )
    if not source.url:
        raise InputError(
            f"space {space}: {source.file} cannot be downloaded from here; it is to be had thus: "
            f"{source.how}"
        )
    if not replace:
        vacant(space, lambda here: here.origin.file == source.file)
    file = download(source, progress or (lambda done, total: None))
    return import_table(space, file, replace=replace)


def verify(space: str | None = None) -> list[dict[str, Any]]:
    """Read the table of a space (None: all that are here), and hash the official file where it
    was downloaded: rows of what was looked at, and what is wrong with it, "" for nothing."""
    if space is not None and space not in SPACES:
        raise unknown("space", space, SPACES)
    chosen = [space] if space else [s for s in SPACES if s in PACKAGED or path_of(s).exists()]
    if space and space not in PACKAGED and not path_of(space).exists():
        stored(space)  # says where to get it
    rows = [{"what": f"table of {s}", "problem": problem_of(s)} for s in chosen]
    for source in SOURCES:
        path = downloads() / source.file
        if path.exists() and (space is None or space in source.spaces):
            rows.append({"what": f"download {source.file}", "problem": _mismatch(source, path)})
    return rows


def downloads() -> Path:
    """Where official files are kept."""
    return folder() / "downloads"


def download(source: Source, progress: Progress) -> Path:
    """The path of a source's file, downloaded unless it is here as it should be."""
    pooch.get_logger().setLevel("WARNING")  # of every download it says a line
    path, expected = downloads() / source.file, _expected(source)
    try:
        pooch.retrieve(
            source.url,
            expected and f"sha256:{expected}",
            source.file,
            downloads(),
            downloader=_Resuming(path.with_name(f"{source.file}.partial"), progress),
        )
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{downloads()}: cannot write: {error.strerror or error}") from None
    except ValueError:  # pooch has removed what came
        raise InputError(
            f"{source.url}: what came is not the file that was expected, with SHA-256 {expected}"
            f"{'' if source.sha256 else f' (from {_kept(source)})'}; it was thrown away"
        ) from None
    if expected is None:
        write_whole(_kept(source), f"{sha256_of(path)}\n")
    return path


def _expected(source: Source) -> str | None:
    """The checksum that the authors publish, else that of the first download, else None."""
    kept = _kept(source)
    return source.sha256 or (kept.read_text(encoding="ascii").strip() if kept.exists() else None)


def _kept(source: Source) -> Path:
    return downloads() / f"{source.file}.sha256"


def _mismatch(source: Source, path: Path) -> str:
    expected, found = _expected(source), sha256_of(path)
    if expected is None:
        return f"{path}: no checksum to compare with; remove it and fetch it again"
    if found != expected:
        return f"{path}: SHA-256 {found}, expected {expected}; fetch it again"
    return ""


class _Resuming:
    """A downloader as pooch calls it: into a file beside, which is kept where the connection
    breaks, and gone on with from its end where the server can."""

    def __init__(self, partial: Path, progress: Progress) -> None:
        self._partial, self._progress = partial, progress

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        try:
            done, total = self._more(url)
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise InputError(f"{url}: cannot be fetched: {why}{self._rest()}") from None
        if total is not None and done != total:
            raise InputError(f"{url}: cut off after {done} of {total} bytes{self._rest()}")
        self._partial.replace(output_file)

    def _more(self, url: str) -> tuple[int, int | None]:
        """Add what is missing; bytes that are here then, and that there should be if known."""
        begun = self._partial.stat().st_size if self._partial.exists() else 0
        asked = urllib.request.Request(url, headers={"Range": f"bytes={begun}-"} if begun else {})
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
                return self._append(answer, begun)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not begun:
                raise
        self._partial.unlink()  # it is as long as the file, or longer: begin anew
        return self._more(url)

    def _append(self, answer: HTTPResponse, begun: int) -> tuple[int, int | None]:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:  # all of it, from the beginning
            begun = 0
        length = answer.headers.get("Content-Length", "")
        done, total = begun, begun + int(length) if length.isdecimal() else None
        with self._partial.open("ab" if begun else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                done += len(block)
                self._progress(done, total)
        return done, total

    def _rest(self) -> str:
        kept = self._partial.exists()
        return f"; {self._partial} is kept, the next fetch goes on from there" if kept else ""
