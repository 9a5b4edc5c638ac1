"""A folder of studies: what commands found as JSON, their plots, and a page made from the JSON."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eznas.errors import InputError
from eznas.report.study_page import study_page
from eznas.system.files import plain, read_json, write_whole
from eznas.system.folder import CONFIG, make_folder

PAGE = "README.md"


def target_in(folder: Path, name: str, command: str) -> Path:
    """The file that `save` is to write: `name`.json in the folder, or the folder itself where it
    is the path of a .json file.

    `InputError` where the folder is that of a run, or no folder, and where the file exists and is
    not of the same `command`.
    """
    target = folder if folder.suffix == ".json" else folder / f"{name}.json"
    parent = target.parent
    if (parent / CONFIG).exists():
        raise InputError(f"{parent}: the folder of a run, expected another one")
    nearest = next(path for path in (parent, *parent.resolve().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(f"{parent}: cannot write: {nearest} is no folder that can be written")
    if target.exists() and _content(target).get("command") != command:
        raise InputError(
            f"{target}: holds something else already; --save {parent}/NAME.json writes beside it"
        )
    return target


def save(target: Path, content: Mapping[str, Any], command: str) -> None:
    """Write what a command found, and the page of its folder anew.

    `content`: what the command prints as JSON; of its plots, those beside the file are linked.
    `InputError` where a file cannot be written.
    """
    make_folder(target.parent)
    described: dict[str, Any] = {"command": command, **content}
    if "plots" in content:
        beside = [path.name for path in map(Path, content["plots"]) if path.parent == target.parent]
        described["plots"] = beside
    write_whole(target, json.dumps(plain(described), allow_nan=False) + "\n")
    write_whole(target.parent / PAGE, page_of(target.parent))


def page_of(folder: Path) -> str:
    """The page of a folder, made from those of its JSON files that a study's command wrote, `rows`
    before the others; `InputError` for a damaged file."""
    paths = sorted(folder.glob("*.json"), key=lambda path: (path.stem[:4] != "rows", path.stem))
    contents = {path.name: _content(path) for path in paths if path.is_file()}
    studies = {name: content for name, content in contents.items() if "command" in content}
    return study_page(folder.resolve().name, studies)


def _content(path: Path) -> dict[str, Any]:
    content = read_json(path)
    return content if isinstance(content, dict) else {}
