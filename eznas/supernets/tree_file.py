"""Trees as JSON files, and their leaves by a text FILE.json#K."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.supernets.parts import Allowed
from eznas.supernets.tree import Tree
from eznas.system.files import plain, read_as, write_whole


def as_json(tree: Tree) -> dict[str, Any]:
    """A tree as JSON: what made it, `leaves` (allowed options, size and score of each, the `leaf`
    numbered from 1), the number of the `chosen` leaf, the names of the `options` of each position,
    and the `tree` itself. Scores that are lowest, and sizes that are not known, are None."""
    leaves = zip(tree.leaves, tree.sizes, strict=True)
    return {
        "space": tree.space,
        "proxy": tree.proxy,
        "by": tree.by,
        "rules": asdict(tree.rules),
        "leaves": [
            {"leaf": number, "allowed": leaf.allowed, "size": size, "score": leaf.score}
            for number, (leaf, size) in enumerate(leaves, 1)
        ],
        "chosen": tree.chosen + 1,
        "options": SPACES[tree.space].positions,
        "tree": plain(asdict(tree)),
    }


class TreeFile(BaseModel):
    """What is read of a file: the tree; the rest says it again, for people and other programs."""

    tree: Tree


def read(file: str) -> Tree:
    """The tree in a JSON file that `eznas split --save` wrote. Raises `InputError` for a file that
    cannot be read or holds something else."""
    return read_as(Path(file), TreeFile).tree


def read_of(space: str, file: str) -> Tree:
    """The tree of the space of this name in a file. Raises `InputError` as `read` does, and for a
    tree of another space."""
    tree = read(file)
    if tree.space != space:
        raise InputError(f"{file}: a tree of {tree.space}, expected one of {space}")
    return tree


def write(file: str, tree: Tree) -> None:
    """Write a tree into a JSON file. Raises `InputError` for a name that does not end in .json, and
    if the file cannot be written."""
    check_name(file)
    write_whole(Path(file), json.dumps(plain(as_json(tree)), allow_nan=False) + "\n")


def check_name(file: str) -> None:
    """`InputError` for a file that no tree is written into: not .json, or in no folder."""
    if not file.endswith(".json"):
        raise InputError(f"{file}: trees are JSON files: expected a name that ends in .json")
    if not Path(file).parent.is_dir():
        raise InputError(f"{file}: cannot write: no folder {Path(file).parent}")


def leaf_of(text: str) -> tuple[str, Allowed]:
    """The name of the space and the allowed options of the leaf that a text FILE.json#K names; the
    first leaf is 1. Raises `InputError` as `read` does, and for a number that is none."""
    file, _, number = text.rpartition("#")
    if not file:
        raise InputError(f"part {text!r}: expected FILE.json#K, as in tree.json#3")
    tree = read(file)
    leaves = {str(i): leaf for i, leaf in enumerate(tree.leaves, 1)}
    if number not in leaves:
        raise InputError(f"{file}: expected leaf #1 to #{len(leaves)}, got #{number}")
    return tree.space, leaves[number].allowed
