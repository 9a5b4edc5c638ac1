"""NDS as published: a JSON file for each design space, or all of them in one archive `data.zip`.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019. A file is
a list of trained networks, or an object of two such lists, `top` and `mid`. Of a network, `net`
is its configuration and `test_ep_top1` its error on the test set in percent, epoch by epoch; the
accuracy is 100 less the last. Networks of one architecture are its runs.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eznas.benchmarks.benchmark import Table
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
    """The table of a published file, or of the space's file in the archive; `InputError` names
    the file and the entry, counted from 1, where it is not as expected."""
    [dataset] = space.datasets
    content = _unpacked(path, space) if zipfile.is_zipfile(path) else _single(path, space)
    if isinstance(content, dict) and {"top", "mid"} <= content.keys():
        parts = [content["top"], content["mid"]]
        content = parts[0] + parts[1] if all(isinstance(p, list) for p in parts) else None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path}: expected a list of networks with {ENTRY}")
    trials: dict[str, tuple[float, ...]] = {}
    for number, entry in enumerate(content, 1):
        try:
            architecture = space.canonical(_architecture(entry["net"], space))
            accuracy = 100 - float(entry["test_ep_top1"][-1])
        except InputError as error:
            raise InputError(f"{path}: entry {number}: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError):
            raise InputError(f"{path}: entry {number}: expected {ENTRY}") from None
        trials[architecture] = (*trials.get(architecture, ()), accuracy)
    return Table(space.name, "test", {dataset: trials})


def _architecture(net: Mapping[str, Any], space: Space) -> str:
    if "genotype" in net:
        return nds_cells.architecture_of(space.name, net["genotype"], net["width"], net["depth"])
    return nds_anynet.architecture_of(net)


def _single(path: Path, space: Space) -> Any:
    # Configurations of several spaces are alike: only the name of the file tells them apart.
    if path.stem != FILES[space.name]:
        raise InputError(f"{path}: expected the file {FILES[space.name]}.json for {space.name}")
    return read_json(path)


def _unpacked(path: Path, space: Space) -> Any:
    wanted = f"{FILES[space.name]}.json"
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.namelist() if m.rpartition("/")[2] == wanted]
            if len(members) != 1:
                raise InputError(f"{path}: expected one file {wanted}, found {len(members)}")
            return parse_json(archive.read(members[0]))
    # zipfile's own: RuntimeError for an encrypted member, NotImplementedError for its compression.
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: {wanted}: damaged: {error}") from None
