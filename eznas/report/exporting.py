"""Proxies as files: a format each for eznas, for Python, for a paper, for algebra, for a slide."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eznas.errors import InputError, one_line, unknown
from eznas.formulas.parser import parse
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.export.latex import latex_file
from eznas.proxies.export.standalone import standalone
from eznas.proxies.export.sympy_text import sympy_text
from eznas.proxies.loading import describe, load
from eznas.proxies.proxy import Proxy
from eznas.report.formula_plot import formula_plot
from eznas.system.arguments import checked
from eznas.system.files import check_new, write_whole


@dataclass(frozen=True)
class Exported:
    """What is exported: a proxy, the content of its file, and who published or found it."""

    proxy: Proxy
    content: files.ProxyFile
    source: str


def _as_json(path: Path, what: Exported) -> None:
    files.write(path, what.content)


def _as_python(path: Path, what: Exported) -> None:
    write_whole(path, standalone(what.proxy, what.source))


def _as_latex(path: Path, what: Exported) -> None:
    write_whole(path, latex_file(what.proxy.formula, what.proxy.name, what.source))


def _as_sympy(path: Path, what: Exported) -> None:
    write_whole(path, sympy_text(what.proxy.formula) + "\n")


def _as_png(path: Path, what: Exported) -> None:
    formula_plot(path, what.proxy.formula, what.proxy.name, what.source)


FORMATS: dict[str, tuple[str, Callable[[Path, Exported], None]]] = {  # name -> ending, writer
    "json": (".json", _as_json),
    "python": (".py", _as_python),
    "latex": (".tex", _as_latex),
    "sympy": (".txt", _as_sympy),
    "png": (".png", _as_png),
}


@checked
def export(proxy: str, file: str, to: str | None = None, force: bool = False) -> dict[str, Any]:
    """Write the proxy that a text names (see `eznas.load`) to a file, and return the content of its
    JSON file: formula, constants, how networks are measured, evidence.

    `to`: json (a proxy file), python (one file that needs torch alone, with a function `score`),
    latex, sympy (text that `sympy.sympify` reads) or png (the formula drawn); None: by the ending
    of the file's name, which is .json, .py, .tex, .txt or .png. A file that exists is replaced only
    with `force`. Raises `InputError` as `load` does, for another ending, and if the file cannot be
    written; then no part of it is.
    """
    write = FORMATS[_format(file, to)][1]
    path = Path(file)
    check_new(path, force)
    content = describe(proxy)
    write(path, Exported(load(proxy), content, source_of(content)))
    return content.model_dump()


def source_of(content: files.ProxyFile) -> str:
    """Who published a formula, or found it, in words."""
    classic = CLASSICS.get(content.name)
    if classic is not None and parse(classic.formula).text == content.formula:
        return classic.source + (f" ({classic.note})" if classic.note else "")
    taus: dict[str, str] = {}
    for row in content.evidence:
        if isinstance(tau := row.get("tau"), float):
            taus.setdefault(str(row.get("dataset")), f"{tau:.2f} on {row.get('dataset')}")
    if taus:
        return one_line(f"found by a search of eznas; Kendall's tau {', '.join(taus.values())}")
    return "a formula of eznas, without evidence"


def _format(file: str, to: str | None) -> str:
    """The name of the format. Raises `InputError` for a format that is not known, and for a name
    that does not end as the format's files do."""
    if to is not None and to not in FORMATS:
        raise unknown("format", to, FORMATS)
    ending = os.path.splitext(file)[1]
    by_ending = {e: name for name, (e, _) in FORMATS.items()}
    if to is None and ending not in by_ending:
        raise InputError(f"file {file!r}: expected a name that ends in {', '.join(by_ending)}")
    name = by_ending[ending] if to is None else to
    if ending != FORMATS[name][0]:
        raise InputError(f"file {file!r}: expected a name that ends in {FORMATS[name][0]}")
    return name
