"""NDS's files, in the form in which nas-without-training (nasspace.py) and NNI (db_gen.py) read
them: a list, or `top` and `mid`; `net` with a genotype or with stages; errors in percent."""

import json
import zipfile

import pytest

from eznas.benchmarks.readers import nds
from eznas.errors import InputError
from eznas.spaces import SPACES

DARTS = {
    "normal": [["skip_connect", 0], ["sep_conv_3x3", 1]] * 4,
    "normal_concat": [2, 3, 4, 5],
    "reduce": [["max_pool_3x3", 0], ["max_pool_3x3", 1]] * 4,
    "reduce_concat": [2, 3, 4, 5],
}
NORMAL = "+".join(["|skip_connect~0|sep_conv_3x3~1|"] * 4)
REDUCTION = "+".join(["|max_pool_3x3~0|max_pool_3x3~1|"] * 4)


def cells(width, depth, errors):
    net = {"genotype": DARTS, "width": width, "depth": depth, "aux": False, "drop_prob": 0.0}
    return {"net": net, "optim": {"base_lr": 0.1}, "rng_seed": 1, "test_ep_top1": errors}


def stages(widths, errors):
    net = {"block_type": "res_basic_block", "ds": [1, 1, 2, 3], "ws": [16, *widths]}
    net |= {"ss": [1, 1, 2, 2], "bot_muls": [], "num_gs": []}
    return {"net": net, "rng_seed": 1, "test_ep_top1": errors}


def read(tmp_path, space, content, name=""):
    path = tmp_path / (name or f"{nds.FILES[space]}.json")
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return nds.read(path, SPACES[space])


def test_entries_of_one_architecture_are_its_runs(tmp_path):
    content = [cells(16, 8, [40.0, 10.5]), cells(32, 8, [50.0, 9.25]), cells(16, 8, [10.0, 12.0])]
    table = read(tmp_path, "nds-darts", content)
    assert (table.space, table.kind) == ("nds-darts", "test")
    assert table.trials == {
        "cifar10": {
            f"c16-l8:{NORMAL}:{REDUCTION}": (89.5, 88.0),
            f"c32-l8:{NORMAL}:{REDUCTION}": (90.75,),
        }
    }


def test_two_lists_and_imagenet(tmp_path):
    content = {"top": [cells(32, 8, [30.0])], "mid": [cells(16, 8, [45.5])]}
    table = read(tmp_path, "nds-darts-in", content, "DARTS_in.json")
    assert {d: [*rows.values()] for d, rows in table.trials.items()} == {
        "imagenet": [(70.0,), (54.5,)]
    }


def test_stages(tmp_path):
    table = read(tmp_path, "nds-resnet", [stages([16, 32, 64], [60, 5.5])])
    assert table.trials == {"cifar10": {"d1-2-3:w16-32-64": (94.5,)}}


def test_the_file_of_a_space_in_the_archive(tmp_path):
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("nds_data/DARTS_in.json", json.dumps({"top": [], "mid": []}))
        zipped.writestr("nds_data/ResNet.json", json.dumps([stages([16, 16, 16], [7.5])]))
    table = nds.read(archive, SPACES["nds-resnet"])
    assert table.trials == {"cifar10": {"d1-2-3:w16-16-16": (92.5,)}}
    with pytest.raises(InputError, match=r"data\.zip: expected one file DARTS\.json, found 0"):
        nds.read(archive, SPACES["nds-darts"])
    with pytest.raises(InputError, match=r"data\.zip: expected a list of networks"):
        nds.read(archive, SPACES["nds-darts-in"])


def test_a_damaged_archive_is_named(tmp_path):
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("ResNet.json", "[1, 2, 3, 4]")
        zipped.writestr("DARTS.json", "[")
    archive.write_bytes(archive.read_bytes().replace(b"[1, 2, 3, 4]", b"[1, 2, 3, 5]"))
    with pytest.raises(InputError, match=r"data\.zip: cannot be read: Bad CRC-32"):
        nds.read(archive, SPACES["nds-resnet"])
    with pytest.raises(InputError, match=r"data\.zip: DARTS\.json: damaged"):
        nds.read(archive, SPACES["nds-darts"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", r"DARTS\.json: damaged"),
        ([], r"DARTS\.json: expected a list of networks"),
        ({"top": []}, r"DARTS\.json: expected a list of networks"),
        ([cells(16, 8, [1.0]), 3], r"entry 2: expected net .* and test_ep_top1"),
        ([cells(16, 8, [])], r"entry 1: expected net"),
        ([cells(16, 8, ["low"])], r"entry 1: expected net"),
        ([{"net": [], "test_ep_top1": [1.0]}], r"entry 1: expected net"),
        ([{"net": {"genotype": DARTS}, "test_ep_top1": [1.0]}], r"entry 1: expected net"),
        ([cells(17, 8, [1.0])], r"entry 1: nds-darts .*width '17'"),
        ([stages([16, 32, 64], [1.0])], r"entry 1: nds-darts architecture"),
    ],
)
def test_errors_name_file_and_entry(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as raised:
        read(tmp_path, "nds-darts", content)
    assert str(raised.value).startswith(str(tmp_path / "DARTS.json"))


@pytest.mark.parametrize(
    ("space", "name"),
    [
        ("nds-darts", "DARTS_in.json"),
        ("nds-darts-in", "DARTS.json"),
        ("nds-vanilla", "ResNet.json"),  # of equal configurations
    ],
)
def test_the_file_of_another_space_is_refused(tmp_path, space, name):
    with pytest.raises(InputError, match=rf"expected the file {nds.FILES[space]}\.json"):
        read(tmp_path, space, [cells(16, 8, [1.0])], name)


@pytest.mark.parametrize("content", [{"top": None, "mid": None}, {"top": 3, "mid": []}])
def test_values_that_are_not_lists(tmp_path, content):
    with pytest.raises(InputError, match="expected a list of networks"):
        read(tmp_path, "nds-darts", content)


def test_every_file_is_of_a_space():
    files = nds.FILES.values()
    assert nds.FILES.keys() <= SPACES.keys()
    assert all(name.endswith("_in") == s.endswith("-in") for s, name in nds.FILES.items())
    names = [file.lower().replace("_fix-w-d", "-fix").replace("_", "-") for file in files]
    assert [f"nds-{name}" for name in names] == [*nds.FILES]
