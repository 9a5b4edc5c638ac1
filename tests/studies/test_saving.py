"""What `--save` leaves in a folder, and that every committed page is made from the JSON beside."""

import json
import os

import pytest

from eznas.errors import InputError
from eznas.studies.saving import PAGE, page_of, save, target_in
from tests.studies.committed import FOLDERS, RUNS, remade

COMMAND = "eznas correlate params"
ROW = {"proxy": "params", "dataset": "cifar10", "networks": 8, "set": "all"}
ROW |= {"accuracy": "validation", "seeds": [0]}
ROW |= {f"{m}{end}": 0.25 for m in ("tau", "rho") for end in ("", "_low", "_high")}
CONTENT = {"rows": [ROW], "difference": [], "plots": []}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_committed_page_is_made_from_its_json(folder):
    assert (folder / PAGE).read_text(encoding="utf-8") == remade(folder), (
        "`python -m tests.studies.committed` writes the pages anew"
    )


def test_every_committed_folder_has_a_page_that_the_index_links():
    index = (RUNS / PAGE).read_text(encoding="utf-8")
    folders = {path.parent.name for path in RUNS.glob("*/*.json")}
    assert folders == {folder.name for folder in FOLDERS}
    assert not [name for name in folders if f"({name}/{PAGE})" not in index]


def test_rows_and_a_page_that_is_made_from_them(tmp_path):
    target = target_in(tmp_path / "runs" / "mine", "rows", COMMAND)
    assert not target.parent.exists()
    plots = [str(target.with_suffix(".png")), str(tmp_path / "elsewhere.png")]
    save(target, CONTENT | {"plots": plots}, COMMAND)
    assert json.loads(target.read_text()) == {"command": COMMAND, **CONTENT, "plots": ["rows.png"]}
    page = (target.parent / PAGE).read_text()
    assert page == page_of(target.parent)
    assert page.startswith("# mine\n\n## rows\n\n1 proxy on 8 networks (all), validation accuracy")
    assert f"```sh\n{COMMAND}\n```" in page
    assert "| `params` | cifar10 | +0.250 [+0.250, +0.250] |" in page
    assert "![rows](rows.png)" in page
    assert "elsewhere" not in page


def test_several_studies_share_a_page(tmp_path):
    (tmp_path / "measurement.json").write_text('{"space": "nasbench201"}')
    (tmp_path / "list.json").write_text("[]")
    combination = {"first": "a", "second": "b", "weights": [0.0], "tau": {"cifar10": [None]}}
    save(target_in(tmp_path, "combine", "eznas combine a b"), combination, "eznas combine a b")
    for name in ("rows.json", "rows-few.json"):
        save(target_in(tmp_path / name, "rows", COMMAND), CONTENT, COMMAND)
    lines = (tmp_path / PAGE).read_text().splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == ["## rows", "## rows-few", "## combine"]
    assert "| 0.000 | - |" in lines


def test_the_same_command_writes_again_and_another_does_not(tmp_path):
    target = target_in(tmp_path, "rows", COMMAND)
    save(target, CONTENT, COMMAND)
    assert target_in(tmp_path, "rows", COMMAND) == target
    with pytest.raises(InputError, match="holds something else already"):
        target_in(tmp_path, "rows", "eznas correlate flops")
    other = tmp_path / "other.json"
    assert target_in(other, "rows", "eznas correlate flops") == other


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="the folder of a run"):
        target_in(tmp_path, "rows", COMMAND)
    (tmp_path / "file").write_text("")
    for folder in ("file", "file/below"):
        with pytest.raises(InputError, match="is no folder that can be written"):
            target_in(tmp_path / folder, "rows", COMMAND)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="is no folder that can be written"):
        target_in(tmp_path / "mine", "rows", COMMAND)
