"""Tables imported from official and CSV files: their summaries, and files that are refused."""

import gzip
import hashlib
import json
import os

import pytest

from eznas.benchmarks.curves import CURVES
from eznas.benchmarks.importing import import_file, import_table, problem_of, tables
from eznas.benchmarks.loading import load
from eznas.benchmarks.sources import SOURCES, source_of
from eznas.benchmarks.splits import connected_components, parts
from eznas.benchmarks.store import path_of, sha256_of, stored
from eznas.errors import InputError
from eznas.spaces import SPACES
from tests.shared import shared

SPACE = "nasbench-macro"
CSV = "architecture,accuracy\n00000000,50\n11111111,70.5\n00000000,60\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(CSV)
    return path


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_a_csv_file_becomes_ground_truth(csv):
    assert import_table(SPACE, csv) == {
        "space": SPACE,
        "networks": 2,
        "runs": 2,
        "datasets": {"cifar10": [50.0, 70.5]},
        "kind": "validation",
        "origin": {"file": "mine.csv", "sha256": sha256(CSV.encode())},
    }
    benchmark = load(SPACE)
    assert (benchmark.architectures, benchmark.kind) == (("00000000", "11111111"), "validation")
    assert benchmark.accuracies["cifar10"].tolist() == [55.0, 70.5]


def test_kind_and_data_set_of_a_csv_file(tmp_path):
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    summary = import_table(SPACE, path, "surrogate", "cifar10")
    assert (summary["kind"], [*summary["datasets"]]) == ("surrogate", ["cifar10"])
    assert load(SPACE).kind == "surrogate"
    with pytest.raises(InputError, match="unknown nasbench-macro dataset 'imagenet'"):
        import_table(SPACE, path, dataset="imagenet")


def test_an_official_file(tmp_path):
    path = tmp_path / "macro.json"
    path.write_text(json.dumps({"00000000": {"test_acc": [40, 50]}, "2": {}}))
    with pytest.raises(InputError, match=r"macro\.json: 2: NAS-Bench-Macro architecture '2'"):
        import_table(SPACE, path)
    path.write_text(json.dumps({"00000000": {"test_acc": [40, 50]}}))
    summary = import_table(SPACE, path)
    assert (summary["kind"], summary["datasets"]) == ("test", {"cifar10": [40.0, 50.0]})


def test_another_table_replaces_the_earlier_one_only_on_request(csv, tmp_path):
    import_table(SPACE, csv)
    assert import_table(SPACE, csv)["networks"] == 2  # the same table
    other = tmp_path / "other.csv"
    other.write_text(CSV + "22222222,80\n")
    for options in ({"file": other}, {"file": csv, "kind": "test"}):
        with pytest.raises(InputError, match=r"from mine\.csv is here \(validation.*--replace"):
            import_table(SPACE, **options)
        assert len(load(SPACE).architectures) == 2
    assert import_table(SPACE, other, replace=True)["networks"] == 3
    path_of(SPACE).write_bytes(b"damaged")
    assert import_table(SPACE, csv)["networks"] == 2


def test_components_are_stored(csv):
    import_table(SPACE, csv)
    components, is_held_out = parts(SPACES[SPACE], ("00000000", "11111111"))
    assert load(SPACE).components.tolist() == components.tolist()
    assert load(SPACE).is_held_out.tolist() == is_held_out.tolist()
    content = json.loads(gzip.decompress(path_of(SPACE).read_bytes()))
    assert content["components"] == components.tolist()
    for key, value, problem in (
        ("components", [0], "a component of every architecture"),
        ("held_out", [], "of every architecture whether it is held out"),
        ("format", 2, "import it again: written by another version, in format 2"),
    ):
        path_of(SPACE).write_bytes(gzip.compress(json.dumps(content | {key: value}).encode()))
        assert problem in problem_of(SPACE)


def test_several_tables_of_a_space(csv, tmp_path):
    import_table(SPACE, csv)
    other = tmp_path / "other.csv"
    other.write_text("architecture,test_accuracy\n22222222,80\n11111111,60\n00000000,50\n")
    summary = import_table(SPACE, other, name="second")
    assert (summary["space"], summary["networks"]) == ("nasbench-macro:second", 3)
    usual, second = load(SPACE), load("nasbench-macro:second")
    assert (usual.kind, usual.table, usual.source) == ("validation", "", SPACE)
    assert (second.kind, second.table, second.space) == ("test", "second", SPACE)
    assert second.accuracies["cifar10"].tolist() == [80, 60, 50]
    import_table(SPACE, csv, kind="test", name="a-1")
    rows = {row["space"]: row for row in tables()}
    here = [space for space, row in rows.items() if row["here"] == "imported"]
    assert here == [SPACE, "nasbench-macro:a-1", "nasbench-macro:second"]
    assert [rows[space]["kind"] for space in here] == ["validation", "test", "test"]
    with pytest.raises(InputError, match=r"table nasbench-macro:second: ground .* --replace"):
        import_table(SPACE, csv, name="second")
    assert import_table(SPACE, csv, name="second", replace=True)["networks"] == 2
    assert problem_of("nasbench-macro:second") == ""
    path_of(SPACE, "second").write_bytes(b"junk")
    assert "damaged" in problem_of("nasbench-macro:second")
    assert problem_of(SPACE) == ""


def test_a_named_table_of_a_space_whose_usual_one_comes_with_a_package(csv):
    architectures = SPACES["nasbench201"].architectures()
    rows = [7, 5, 12_000]
    lines = [f"{architectures[row]},{50 + i}\n" for i, row in enumerate(rows)]
    csv.write_text("architecture,accuracy\n" + "".join(lines))
    import_table("nasbench201", csv, kind="test", name="mine")
    mine, whole = load("nasbench201:mine"), load("nasbench201")
    expected = connected_components(whole.components[rows].tolist())
    assert mine.components.tolist() == expected.tolist()
    assert mine.is_held_out.tolist() == whole.is_held_out[rows].tolist()


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a+b", "-a", "a" * 41, "ä"])
def test_names_that_no_table_can_have(csv, name):
    with pytest.raises(InputError, match="expected 1 to 40 small letters, digits or hyphens"):
        import_file(SPACE, csv, name=name)
    with pytest.raises(InputError, match="expected 1 to 40 small letters, digits or hyphens"):
        load(f"{SPACE}:{name}")


def test_unknown_tables(csv):
    with pytest.raises(InputError, match="no table 'one' of nasbench-macro here: `eznas data imp"):
        load("nasbench-macro:one")
    import_table(SPACE, csv, name="one")
    with pytest.raises(InputError, match=r"'on'; did you mean 'one'.*; `eznas data import"):
        load("nasbench-macro:on")
    with pytest.raises(InputError, match="no ground truth of nasbench-macro here"):
        load(SPACE)


def test_a_column_that_names_another_kind(csv):
    csv.write_text("architecture,test_accuracy\n00000000,50\n11111111,60\n")
    assert import_table(SPACE, csv)["kind"] == "test"
    with pytest.raises(InputError, match="its column is of test accuracies, got kind validation"):
        import_table(SPACE, csv, kind="validation")
    assert import_table(SPACE, csv, kind="surrogate", replace=True)["kind"] == "surrogate"


def test_the_published_tables():
    macro = import_table(SPACE, shared("nasbench_macro_cifar10.json"))
    assert (macro["networks"], macro["runs"], macro["kind"]) == (6561, 3, "test")
    assert macro["origin"]["sha256"] == source_of(SPACE).sha256
    sample = import_table("nasbench101", shared("nasbench101_sample.csv.gz"))
    # 301 of 500 rows are different networks, each with some of the three official runs.
    assert (sample["networks"], sample["runs"]) == (301, 3)
    assert stored("nasbench101").table.trials["cifar10"]["111101:11"] == (83.74398946762085,)
    darts = import_table("nds-darts", shared("darts_nasbench301_sample.csv.gz"), "surrogate")
    assert (darts["networks"], darts["runs"], darts["kind"]) == (500, 1, "surrogate")
    [(architecture, runs), *_] = stored("nds-darts").table.trials["cifar10"].items()
    assert runs == (93.90106806339374,)
    assert architecture.startswith(
        "c32-l8:|sep_conv_5x5~0|sep_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~2|+|"
    )


@pytest.mark.parametrize(
    ("space", "name", "content", "options", "message"),
    [
        ("nasbench", "mine.csv", CSV, (), "unknown space 'nasbench'; did you mean"),
        ("nasbench201", "mine.csv", CSV, (), "nasbench201: its ground truth comes with a package"),
        (SPACE, "mine.csv", CSV, ("tset",), "unknown kind 'tset'; did you mean 'test'"),
        (SPACE, "mine.csv", CSV, (None, "cifar"), "dataset 'cifar'"),
        (SPACE, "mine.csv", CSV.replace("7", "17"), (), "mine.csv: 11111111: expected accuracies"),
        (SPACE, "mine.csv", CSV.replace("70.5", "-1"), (), "in percent on cifar10, found -1.0"),
        (SPACE, "mine.csv", "arch,loss\n", (), "mine.csv:1: no column accuracy"),
        (SPACE, "mine.csv", "arch,accuracy\n", (), "mine.csv: no rows"),
        (SPACE, "mine.json", "{}", ("test",), "mine.json: kind and dataset are for CSV files"),
        (SPACE, "mine.json", "{}", (), "mine.json: expected an object of architectures"),
        (SPACE, "mine.json", '{"00000000": {"test_acc": []}}', (), "found nothing"),
        (SPACE, "mine.json", '{"00000000": {"test_acc": [101]}}', (), "found 101.0"),
        (SPACE, "mine.json", '{"00000000": {"test_acc": [NaN]}}', (), "found nan"),
        (SPACE, "mine.json", "[" * 100_000, (), "mine.json: damaged: nested too deeply"),
        ("nds-nasnet-fix", "mine.json", "{}", (), "mine.json: expected a CSV file"),
    ],
)
def test_a_file_that_is_refused_leaves_the_earlier_table(
    tmp_path, csv, space, name, content, options, message
):
    import_table(SPACE, csv)
    earlier = path_of(SPACE).read_bytes()
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as raised:
        import_table(space, tmp_path / name, *options)
    assert "\n" not in str(raised.value)
    assert path_of(SPACE).read_bytes() == earlier
    assert [p.name for p in path_of(SPACE).parent.iterdir()] == [f"{SPACE}.json.gz"]


@pytest.mark.parametrize("space", [SPACE, "nats-size", "nds-darts", "transnas-micro"])
@pytest.mark.parametrize("name", ["DARTS.json", "mine.csv"])
def test_a_pipe_is_refused(tmp_path, space, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: a pipe or a device, expected a file"):
        import_table(space, tmp_path / name)


def test_control_characters_in_the_name_of_a_file_are_escaped(csv):
    summary = import_table(SPACE, csv.rename(csv.with_name("a\x1b[31m.csv")))
    assert summary["origin"]["file"] == r"a\x1b[31m.csv"


def test_a_missing_file(tmp_path):
    for name in ("none.csv", "none.json"):
        with pytest.raises(InputError, match=f"{name}: .*No such file"):
            import_table(SPACE, tmp_path / name)


def test_the_hash_of_a_folder_is_that_of_its_files(tmp_path):
    for name, text in (("b", "two"), ("a", "one")):
        (tmp_path / name).write_text(text)
    lines = f"{sha256(b'one')}  a\n{sha256(b'two')}  b\n"
    assert sha256_of(tmp_path) == sha256(lines.encode())


def test_the_list_of_tables(csv):
    import_table(SPACE, csv)
    path_of("nasbench101").write_bytes(b"junk")
    rows = {row["space"]: row for row in tables()}
    assert list(rows) == list(SPACES)
    assert {s: row["here"] for s, row in rows.items() if row["here"]} == {
        "nasbench201": "packaged",
        "nasbench101": "damaged",
        SPACE: "imported",
    }
    assert (rows[SPACE]["networks"], rows[SPACE]["origin"]["file"]) == (2, "mine.csv")
    assert "damaged, import it again" in rows["nasbench101"]["problem"]
    assert rows["nds-darts"]["source"]["url"] == "https://dl.fbaipublicfiles.com/nds/data.zip"
    assert rows["nds-nasnet-fix"]["source"] is None


def problem_after(change):
    """The problem of the stored table after a change to its runs on CIFAR-10."""
    path = path_of(SPACE)
    content = json.loads(gzip.decompress(path.read_bytes()))
    change(content["trials"]["cifar10"])
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    return problem_of(SPACE)


def test_problems_of_a_stored_table(csv):
    assert problem_of("nasbench201") == ""
    assert "no ground truth of nasbench-macro here" in problem_of(SPACE)
    import_table(SPACE, csv)
    assert problem_of(SPACE) == ""
    assert "an accuracy of every" in problem_after(lambda t: t.update({"00000000": []}))
    assert "found 200" in problem_after(lambda t: t.update({"00000000": [200]}))
    assert "architecture 'x'" in problem_after(lambda t: t.update({"x": t.pop("00000000")}))
    assert "the same architectures" in problem_after(lambda t: t.clear())


def test_every_source_is_of_known_spaces():
    spaces = [space for source in SOURCES for space in source.spaces]
    assert len(spaces) == len(set(spaces))
    assert set(spaces) <= {*SPACES, *CURVES}
    for source in SOURCES:
        assert source.url == "" or source.url.startswith("https://")
        assert len(source.sha256) in (0, 64)
        assert source.licence
        assert source.how
