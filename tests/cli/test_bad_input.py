"""Bad input is one line and exit code 2, and leaves nothing behind."""

from pathlib import Path

import pytest
import torch

import eznas.evaluation.measuring
from eznas.evaluation.feature_store import FeatureStore
from tests.cli.calls import BATCH, FEW, POOLS, SMALL, call, complaint


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("sum_layers(sum(wieght))", ["'wieght'", "did you mean 'weight'?", "position 16"]),
        ("sum_layer(sum(weight))", ["'sum_layer'", "did you mean 'sum_layers'?", "position 1)"]),
        ("1.0 + sum_layers(weight)", ["sum_layers cannot take Weights", "position 7"]),
        ("weight + data_jacobian", ["cannot take", "position 8"]),
        ("sum_layers(sum(weight)", ["expected ')'", "position 23, at the end"]),
        ("sum_layers(sum(weight)))", ["expected the end", "position 24, at ')'"]),
        ("(params", ["expected ')'", "position 8"]),
        ("params +", ["expected a number, a name or '('", "position 9"]),
        ("params\n+ wieght", ["'wieght'", "position 10"]),
        ("sum(weight)", ["NetScalar", "aggregate it"]),
        ("weight", ["NetScalar", "aggregate it"]),
        ("1 + 2", ["NetScalar", "Constant"]),
        ("log1p", ["log1p is a primitive that takes arguments: expected '('", "position 1"]),
        ("prams", ["unknown proxy 'prams'", "'params'"]),
        ("", ["unknown proxy ''"]),
        ("params + " * 40, ["expected a number", "position 360"]),
        ("norun", ["unknown proxy 'norun'"]),
        ("norun#1", ["unknown run 'norun'"]),
        ("x" * 300 + "#1", ["unknown run"]),
        ("nofile.json", ["nofile.json", "No such file"]),
        ("truncated.json", ["truncated.json", "damaged"]),
        ("list.json", ["list.json", "content"]),
        ("nested.json", ["nested.json", "damaged", "nested"]),
        ("binary.json", ["binary.json", "damaged"]),
        ("extra.json", ["extra.json", "colour"]),
        ("type.json", ["type.json", "constants"]),
        ("nobatch.json", ["nobatch.json", "raw_batch"]),
        ("later.json", ["later.json", "format 3, expected 2"]),
        ("formula.json", ["formula.json", "did you mean 'weight'?", "position 12"]),
        ("layer.json", ["layer.json", "NetScalar"]),
        ("twice.json", ["twice.json", "'name' stands twice"]),
        ("escape.json", ["escape.json", r"'a\x1b[31m\n'"]),
        ("batch.json", ["batch.json", "raw_batch", "4096"]),
        ("pipe.json", ["pipe.json", "a pipe or a device"]),
        ("empty.json", ["empty.json", "directory"]),
        ("params\x1b[31m", [r"'params\x1b[31m'"]),
        ("x\udcff", [r"'x\udcff'"]),
    ],
)
def test_bad_proxy(formula, expected):
    line = complaint("correlate", formula, *FEW)
    assert all(part in line for part in expected), line
    assert complaint("score", formula, POOLS) == line
    assert complaint("export", formula, "-o", "new.json") == line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--dataset", "cifar1O"], ["dataset 'cifar1O'", "did you mean 'cifar10'?"]),
        (["--dataset", "cifar10", "--dataset", "imagenet"], ["dataset 'imagenet'"]),
        (["--space", "nasbench"], ["space 'nasbench'", "did you mean 'nasbench201'?"]),
        (["--set", "conected"], ["set 'conected'", "did you mean 'connected'?"]),
        (["--networks", "0"], ["networks 0", "2 to 15625"]),
        (["--networks", "1"], ["networks 1", "2 to 15625"]),
        (["--networks", "15626"], ["networks 15626", "2 to 15625"]),
        (["--networks", "abc"], ["networks 'abc'", "a number or all"]),
        (["--networks", "-8"], ["networks '-8'", "a number or all"]),
        (["--networks", "²"], ["networks '²'", "a number or all"]),
        (["--batch", "1"], ["--batch", "greater than or equal to 2"]),
        (["--batch", "many"], ["--batch", "valid integer"]),
        (["--seed", "-1"], ["--seed"]),
        (["--seed", "1" + "0" * 30], ["--seed"]),
        (["--workers", "0"], ["--workers"]),
        (["--initialisations", "0"], ["--initialisations", "greater than or equal to 1"]),
        (["--device", "nonsense"], ["device 'nonsense'", "expected cpu"]),
        (["--device", "meta"], ["device 'meta'", "expected cpu"]),
        (["--images", "nofile.npz"], ["nofile.npz", "no such file"]),
        (["--images", "flat.npz"], ["flat.npz", "[8, 32, 32, 1]", "[n, h, h, 3]"]),
        (["--images", "oblong.npz"], ["oblong.npz", "[8, 16, 32, 3]", "square"]),
        (["--images", "few.npz"], ["few.npz", "holds 2 images", "at least"]),
        (["--images", "unlabelled.npz"], ["unlabelled.npz", "labels"]),
        (["--images", "text.txt"], ["text.txt", "not readable as .npz"]),
        (["--images", "empty"], ["empty", "0 image sets", "cifar-10-batches-py"]),
        (["--accuracy", "nofile.csv"], ["nofile.csv", "No such file"]),
        (["--accuracy", "missing.csv"], ["missing.csv:2", "a finite number", "nothing"]),
        (["--accuracy", "letters.csv"], ["letters.csv:2", "'high'"]),
        (["--accuracy", "infinite.csv"], ["infinite.csv:2", "'inf'"]),
        (["--accuracy", "rows.csv"], ["rows.csv", "no rows"]),
        (["--accuracy", "header.csv"], ["header.csv:1", "architecture", "network,accuracy"]),
        (["--accuracy", "nothing.csv"], ["nothing.csv:1", "found nothing"]),
        (["--accuracy", "stranger.csv"], ["stranger.csv:2", "'resnet18'"]),
        (["--accuracy", "empty"], ["empty", "directory"]),
        (["--networx", "8"], ["--networx", "--networks"]),
        (["--set", "search", "--networks", "9919"], ["networks 9919", "2 to 9918", "'search'"]),
        (["--set", "study", "--networks", "1501"], ["networks 1501", "2 to 1500", "'study'"]),
        (["--set", "study", "--networks", "0"], ["networks 0", "2 to 1500", "'study'"]),
        (["--against", "prams"], ["unknown proxy 'prams'", "did you mean 'params'?"]),
        (["--against", "classics"], ["unknown proxy 'classics'"]),
        (["--against", ""], ["unknown proxy ''"]),
        (["--timed", "-1"], ["--timed", "greater than or equal to 0"]),
    ],
)
def test_bad_options_of_correlate(options, expected):
    line = complaint("correlate", "params", *FEW, *options)
    assert all(part in line for part in expected), line


AGREEMENT = ("agreement", "scores.csv", *BATCH, "--workers", "1", "--networks", "2")
FEATURES = ("features", *BATCH, "--workers", "1")
MEASURING = {
    "correlate": ("correlate", "params", *FEW),
    "agreement": AGREEMENT,
    "combine": ("combine", "params", "naswot", *FEW),
    "features": FEATURES,
}


@pytest.fixture
def unmeasured(monkeypatch):
    """Bad input is reported before hours of measuring."""

    def fails(*_):
        raise AssertionError("a network was measured")

    monkeypatch.setattr(eznas.evaluation.measuring, "measure", fails)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("command", MEASURING)
@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("text.txt", ["text.txt", "cannot write"]),
        ("text.txt/below", ["text.txt/below", "cannot write"]),
        ("flipped", ["flipped/features.gz", "damaged at byte 0"]),
        ("unequal", ["unequal/features.gz", "damaged: cannot reshape"]),
        ("unread", ["unread/measurement.json", "damaged"]),
        ("other", ["other", "feature values of darts, expected nasbench201"]),
    ],
)
def test_bad_feature_stores(command, store, expected):
    line = complaint(*MEASURING[command], "--records", store)
    assert all(part in line for part in expected), line


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("command", MEASURING)
def test_a_feature_store_in_use(command, tmp_path):
    store = FeatureStore(tmp_path, "nasbench201")
    store.claim([])
    try:
        line = complaint(*MEASURING[command], "--records", str(tmp_path))
    finally:
        store.close()
    assert line == f"{tmp_path}: another process is adding feature values"


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("command", MEASURING)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--device", "nonsense"], ["device 'nonsense'", "expected cpu"]),
        (["--images", "nofile.npz"], ["nofile.npz", "no such file"]),
        (["--space", "nasbench"], ["space 'nasbench'", "did you mean 'nasbench201'?"]),
        (["--batch", "1"], ["--batch", "greater than or equal to 2"]),
    ],
)
def test_bad_measurement_options_make_no_feature_store(command, options, expected):
    line = complaint(*MEASURING[command], *options, "--records", "new")
    assert all(part in line for part in expected), line
    assert not Path("new").exists()


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("command", ["correlate", "combine"])
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("plot.pdf", "plot.pdf: plots are PNG files: expected a name that ends in .png"),
        ("plot", "plot: plots are PNG files: expected a name that ends in .png"),
        ("nofolder/plot.png", "nofolder/plot.png: cannot write: no folder nofolder"),
        ("text.txt/plot.png", "text.txt/plot.png: cannot write: no folder text.txt"),
    ],
)
def test_bad_plots(command, file, expected):
    assert complaint(*MEASURING[command], "--plot", file) == expected


def test_a_plot_that_cannot_be_written_after_all(folder):
    (folder / "taken.png").mkdir(exist_ok=True)
    few = ("--networks", "2", *FEW[2:], "--dataset", SMALL)
    outcome = call("correlate", "params", *few, "--plot", "taken.png")
    assert (outcome.code, outcome.out) == (2, "")
    *_, line = outcome.err.splitlines()
    assert line == "eznas: taken.png: cannot write: Is a directory"
    assert not list(folder.glob("*taken*.partial"))
    assert not (folder / "taken-tau.png").exists()


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nofile.csv"], ["nofile.csv", "No such file"]),
        (["empty"], ["empty", "directory"]),
        (["text.txt"], ["text.txt:1", "no column architecture"]),
        (["unnamed.csv"], ["unnamed.csv:1", "no column architecture"]),
        (["text.csv"], ["text.csv:3", "expected a finite number as "]),
        (["cut.csv.gz"], ["cut.csv.gz", "cannot be read"]),
        (["stranger.csv"], ["stranger.csv:2", "'resnet18'"]),
        (["bare.csv"], ["bare.csv", "no column names its data set", "--dataset", "cifar10"]),
        (["losses.csv"], ["losses.csv", "no published proxy's scores for cifar10"]),
        (["scores.csv", "params"], ["unknown published column 'params'"]),
        (["scores.csv", "naswto"], ["published column 'naswto'", "did you mean 'naswot'?"]),
        (["scores.csv", "naswot", "--networks", "3"], ["networks 3", "2 to 2", "the file"]),
        (["scores.csv", "--networks", "1"], ["networks 1", "2 to 2"]),
        (["scores.csv", "--networks", "few"], ["networks 'few'", "a number or all"]),
        (["scores.csv", "--dataset", "cifar"], ["dataset 'cifar'", "did you mean 'cifar10'?"]),
        (["scores.csv", "--initialisations", "0"], ["--initialisations"]),
        ([], ["Missing argument 'SCORES.csv'"]),
    ],
)
def test_bad_input_to_agreement(arguments, expected):
    line = complaint("agreement", *arguments, *([] if "--networks" in arguments else FEW[2:]))
    assert all(part in line for part in expected), line


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["params", "prams"], ["unknown proxy 'prams'", "did you mean 'params'?"]),
        (["sum_layers(1 +", "params"], ["position"]),
        (["params"], ["Missing argument 'PROXY'"]),
        (["params", "depth", "naswot"], ["extra argument", "naswot"]),
        (["params", "depth", "--steps", "0"], ["--steps", "greater than or equal to 1"]),
        (["params", "depth", "--set", "serach"], ["set 'serach'", "did you mean 'search'?"]),
        (["params", "depth", "--networks", "15626"], ["networks 15626", "2 to 15625"]),
        (["params", "depth", "--dataset", "cifar"], ["dataset 'cifar'"]),
    ],
)
def test_bad_input_to_combine(arguments, expected):
    line = complaint("combine", *arguments)
    assert all(part in line for part in expected), line


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--top", "0"], ["--top"]),
        (["--seed", "-1"], ["--seed"]),
        (["--networks", "8"], ["--networks"]),
        (["params"], ["extra argument", "params"]),
    ],
)
def test_bad_input_to_features(options, expected):
    line = complaint(*FEATURES, *options)
    assert all(part in line for part in expected), line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--preset", "quikc"], ["preset 'quikc'", "did you mean 'quick'?"]),
        (["preset.toml"], ["preset 'papers'", "did you mean 'paper'?"]),
        (["key.toml"], ["key 'generatons'", "did you mean 'generations'?"]),
        (["type.toml"], ["'evolution.generations'", "'many'", "integer"]),
        (["broken.toml"], ["broken.toml", "line 1"]),
        (["nofile.toml"], ["nofile.toml", "No such file"]),
        (["empty"], ["empty", "directory"]),
        (["--set", "generation=1"], ["key 'generation'", "did you mean 'generations'?"]),
        (["--set", "generations=many"], ["'evolution.generations'", "'many'", "integer"]),
        (["--set", "generations=-1"], ["'evolution.generations'", "-1"]),
        (["--set", "generations"], ["'generations'", "key=value"]),
        (["--set", "first_networks=801"], ["'evolution.first_networks'", "801"]),
        (
            ["--set", "networks=9918", "--set", "champion_networks=1"],
            ["champion_networks", "9918", "9919"],
        ),
        (["--set", 'statistics=["wieght"]'], ["statistic 'wieght'", "did you mean 'weight'?"]),
        (["--set", 'seed_formulas=["hybird"]'], ["proxy 'hybird'", "did you mean 'hybrid'?"]),
        (["--set", 'seed_formulas=["sum_layers(1 +"]'], ["position"]),
        (["--tasks", "nasbench201/cifar11"], ["dataset 'cifar11'", "did you mean 'cifar10'?"]),
        (["--tasks", "nasbench202"], ["space 'nasbench202'", "did you mean 'nasbench201'?"]),
        (["--hold-out", "nasbench201"], ["space nasbench201", "it cannot be held out"]),
        (["--hold-out", "nasbench-macro"], ["no ground truth of nasbench-macro", "eznas data"]),
        (["--set", "space=nasbench201"], ["key 'space'"]),
        (["--set", "selection=roulette"], ["'evolution.selection'", "'roulette'", "lexicase"]),
        (["--set", "images=flat.npz"], ["flat.npz", "[n, h, h, 3]"]),
        (["--set", "device=nonsense"], ["device 'nonsense'", "expected cpu"]),
        (["--set", "raw_batch=1"], ["'measurement.raw_batch'", "2"]),
        (["--name", "a/b"], ["run name 'a/b'", "letters"]),
        (["--name", ".."], ["run name '..'"]),
        (["--name", ""], ["run name ''"]),
        (["--time", "abc"], ["time 'abc'", "30m"]),
        (["--time", "0"], ["time '0'"]),
        (["--time", "5"], ["time '5': expected a number with s, m or h, as in 30m"]),
        (["--memory", "4"], ["memory '4'", "4G"]),
        (["--memory", "0G"], ["memory '0G'"]),
        (["--memory", "100M"], ["memory 100 MB", "at least 700 for 1 workers"]),
        (["--tasks", "nasbench201/cifar10@4"], ["'cifar10@4'", "8 to 512"]),
        (["--seed", "one"], ["--seed", "integer"]),
        (["--workers", "0"], ["--workers"]),
        (["--nosuch"], ["--nosuch"]),
        (["key.toml", "type.toml"], ["type.toml"]),
    ],
)
def test_bad_input_to_evolve_leaves_no_run(options, expected):
    line = complaint("evolve", "--workers", "1", *options)
    assert all(part in line for part in expected), line
    assert not Path("runs").exists()


def test_bad_configuration_also_stops_a_dry_run():
    assert "device 'nonsense'" in complaint("evolve", "--dry-run", "--set", "device=nonsense")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("|nor_conv_3x4~0|+|none~0|none~1|+|none~0|none~1|none~2|", ["nor_conv_3x3~0", "1<-0"]),
        ("|none~0|+|none~0|none~1|", ["form"]),
        ("resnet18", ["'resnet18'", "package.module:factory or SPACE/ARCHITECTURE"]),
        ("strangers:", ["package.module:factory"]),
        (":network", ["package.module:factory"]),
        (".strangers:network", ["package.module:factory"]),
        ("strangers:netwrok", ["factory 'netwrok'", "did you mean 'network'?"]),
        ("nomodule:network", ["nomodule:network", "No module named 'nomodule'"]),
        ("strangers.deep:network", ["'strangers' is not a package"]),
        ("broken:network", ["cannot import broken", "broken.py, line 1"]),
        ("explodes:network", ["cannot import explodes", "RuntimeError: first line"]),
    ],
)
def test_bad_model(model, expected):
    line = complaint("score", "naswot", POOLS, model, *BATCH)
    assert all(part in line for part in expected), line


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("strangers:raises", ["raises() failed", "ValueError: first line"]),
        ("strangers:stumbles", ["stumbles() failed", "no_such_thing"]),
        ("strangers:exits", ["exits() failed"]),
        ("strangers:wants", ["wants() failed", "something"]),
        ("strangers:number", ["number() gave a int, not a module"]),
        ("strangers:Fails", ["strangers:Fails", "forward failed", "(2, 3, 32, 32)", "no luck"]),
        ("strangers:flattens", ["strangers:flattens", "no convolution or linear layer"]),
    ],
)
def test_a_model_that_fails(model, expected):
    """Alone it is bad input; beside others it comes last."""
    line = complaint("score", "naswot", model, *BATCH)
    assert all(part in line for part in expected), line
    outcome = call("score", "naswot", model, POOLS, *BATCH)
    assert outcome.code == 1
    assert all(part in outcome.out for part in expected), outcome
    assert outcome.out.index(POOLS[-5:]) < outcome.out.index(expected[0])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--input", "3,32"], ["forward failed", "(2, 3, 32)"]),
        (["--input", "tokens:8"], ["'tokens:8'", "3,32,32", "tokens:LENGTH:VOCAB"]),
        (["--input", "3,8,8", "--input", "4"], ["forward failed", "(2, 3, 8, 8) and (2, 4)"]),
        (["--input", "3,32,x"], ["'3,32,x'"]),
        (["--input", "3,0,0"], ["'3,0,0'"]),
        (["--input", "3,²,²"], ["'3,²,²'"]),
        (["--input", "1,32,32"], ["forward failed", "(2, 1, 32, 32)"]),
        (["--input", "3,32,16", "--images", "few.npz"], ["few.npz", "proportions 32 x 16"]),
        (["--input", "4,32", "--images", "few.npz"], ["1 or 3 channels", "[4, 32]"]),
        (["--input", "3,1,1"], ["forward failed", "(2, 3, 1, 1)"]),
        (["--batch", "1"], ["--batch", "greater than or equal to 2"]),
        (["--init", "keeep"], ["'keeep'", "'keep'"]),
        (["--device", "nonsense"], ["device 'nonsense'", "expected cpu"]),
        (["--images", "oblong.npz"], ["oblong.npz", "square"]),
        (["--images", "few.npz"], ["few.npz", "holds 2 images"]),
        (["--seed", "1" + "0" * 30], ["--seed"]),
        (["--output", "x"], ["output 'x'", "the whole [2, 10]"]),
    ],
)
def test_bad_options_of_score(options, expected):
    line = complaint("score", "naswot", POOLS, *BATCH, *options)
    assert all(part in line for part in expected), line


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none():
    line = "device 'cuda': not available here, expected cpu"
    assert complaint("score", "params", POOLS, "--device", "cuda") == line
    assert complaint("correlate", "params", *FEW, "--device", "cuda") == line
    assert complaint("evolve", "--workers", "1", "--set", "device=cuda") == line


@pytest.mark.parametrize(
    "file", ["nofolder/new.json", "text.txt/new.json", "x" * 300 + ".json", "folder.json", "new"]
)
def test_export_to_where_nothing_can_be_written(folder, file):
    (folder / "folder.json").mkdir(exist_ok=True)
    assert file in complaint("export", "params", "-o", file)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["evolv"], ["'evolv'", "'evolve'"]),
        (["correlate"], ["Missing argument 'PROXY'"]),
        (["score", "params"], ["Missing argument 'MODEL'"]),
        (["export", "params"], ["Missing option '-o'"]),
        (["proxies", "all"], ["extra argument", "all"]),
    ],
)
def test_bad_usage(arguments, expected):
    line = complaint(*arguments)
    assert all(part in line for part in expected), line
