"""NDS as published: a JSON file for each design space, or all of them in one archive `data.zip`.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019. A file is
a list of trained networks, or an object of two such lists, `top` and `mid`. In the entry of a
network, `net` is its configuration and `test_ep_top1` its error on the test set in percent, epoch
by epoch; the accuracy is 100 minus the last. Several entries of one architecture are several runs.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.readers.entries import Runs, collect_trials
from eznas.errors import InputError
from eznas.spaces import Space, nds_anynet, nds_cells
from eznas.system.files import parse_json, read_json

FILES = {  # space -> published file
    "nds-darts": "DARTS",
    "nds-darts-fix": "DARTS_fix-w-d",
    "nds-darts-in": "DARTS_in",
    "nds-amoeba": "Amoeba",
    "nds-amoeba-in": "Amoeba_in",
    "nds-enas": "ENAS",
    "nds-enas-fix": "ENAS_fix-w-d",
    "nds-enas-in": "ENAS_in",
    "nds-nasnet": "NASNet",
    "nds-nasnet-in": "NASNet_in",
    "nds-pnas": "PNAS",
    "nds-pnas-fix": "PNAS_fix-w-d",
    "nds-pnas-in": "PNAS_in",
    "nds-resnet": "ResNet",
    "nds-resnext-a": "ResNeXt-A",
    "nds-resnext-a-in": "ResNeXt-A_in",
    "nds-resnext-b": "ResNeXt-B",
    "nds-resnext-b-in": "ResNeXt-B_in",
    "nds-vanilla": "Vanilla",
}
ENTRY = "net (a configuration) and test_ep_top1 (errors in percent)"


def read(path: Path, space: Space) -> Table:
    """The table of a published file, or of the space's file in the archive.

    Test accuracies in percent, in the order of the file. `InputError` names the file and the
    entry, counted from 1, that is not as expected.
    """
    [dataset] = space.datasets

    def read_entry(_: str, entry: Mapping[str, Any]) -> tuple[str, dict[str, Runs]]:
        architecture = space.canonical(_architecture(entry["net"], space))
        return architecture, {dataset: (100 - float(entry["test_ep_top1"][-1]),)}

    content = _from_archive(path, space) if zipfile.is_zipfile(path) else _from_json(path, space)
    if isinstance(content, dict) and {"top", "mid"} <= content.keys():
        lists = [content["top"], content["mid"]]
        content = lists[0] + lists[1] if all(isinstance(part, list) for part in lists) else None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path}: expected a list of networks with {ENTRY}")
    entries = ((f"entry {number}", entry) for number, entry in enumerate(content, 1))
    trials = collect_trials(path, entries, read_entry, ENTRY, join_runs=True)
    return Table(space.name, "test", trials)


def _architecture(net: Mapping[str, Any], space: Space) -> str:
    if "genotype" in net:
        return nds_cells.architecture_of(space.name, net["genotype"], net["width"], net["depth"])
    return nds_anynet.architecture_of(net)


def _from_json(path: Path, space: Space) -> Any:
    # Configurations of several spaces are alike: only the name of the file tells them apart.
    if path.stem != FILES[space.name]:
        raise InputError(f"{path}: expected the file {FILES[space.name]}.json for {space.name}")
    return read_json(path)


def _from_archive(path: Path, space: Space) -> Any:
    file_name = f"{FILES[space.name]}.json"
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.namelist() if m.rpartition("/")[2] == file_name]
            if len(members) != 1:
                raise InputError(f"{path}: expected one file {file_name}, found {len(members)}")
            content = archive.read(members[0])
    # zipfile raises RuntimeError for an encrypted member, and for a compression that it does not
    # know a subclass of it.
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    try:
        return parse_json(content)
    except ValueError as error:
        raise InputError(f"{path}: {file_name}: damaged: {error}") from None
