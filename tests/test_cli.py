"""The command line: what it prints where, and one line with exit code 2 for every bad input."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from eznas import api, cli
from eznas.discovery import BASELINES
from eznas.spaces import SPACES

ARCHITECTURES = SPACES["nasbench201"].architectures()
NOTHING, POOLS, CONVOLUTIONS = (
    ARCHITECTURES[int(digits, 5)] for digits in ("000000", "444444", "323132")
)
BATCH = ("--batch", "4")
FEW = ("--networks", "8", *BATCH, "--workers", "1")
ROW = [
    "proxy",
    "dataset",
    "networks",
    "tau",
    "tau_low",
    "tau_high",
    "rho",
    "rho_low",
    "rho_high",
    "set",
    "accuracy",
    "seeds",
]
DATASETS = ["cifar10", "cifar100", "ImageNet16-120"]

MODELS = """
import torch
from torch import nn


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        raise RuntimeError("no luck\\nat all")


def network(width=8):
    print("made")
    return nn.Sequential(
        nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(width, 10),
    )


def wide():
    return network(32)


def flattens():
    return nn.Sequential(nn.ReLU(), nn.Flatten())


def number():
    return 3


def raises():
    raise ValueError("first line\\nsecond line")


def stumbles():
    return torch.no_such_thing


def exits():
    raise SystemExit(0)


def wants(something):
    return something
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def call(*arguments: str) -> Outcome:
    """One command in this process: starting another costs seconds."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["eznas", *arguments]),
    ):
        try:
            cli.main()
        except SystemExit as done:
            code = done.code
    return Outcome(code, out.getvalue(), err.getvalue())


def answer(*arguments: str) -> dict:
    """The JSON object of a command, which must be all that it prints on standard output."""
    outcome = call(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("}\n")
    assert outcome.out.count("\n") == 1
    return json.loads(outcome.out, parse_constant=pytest.fail)  # no NaN, no Infinity


def listing(folder: Path) -> dict[str, int]:
    """Every file below a folder with the time it was last written."""
    files = (p for p in folder.rglob("*") if "__pycache__" not in p.parts)
    return {str(p): p.stat().st_mtime_ns for p in files}


def complaint(*arguments: str) -> str:
    """The one line of a command that is given bad input and leaves nothing behind."""
    before = listing(Path())
    outcome = call(*arguments)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert outcome.err.startswith("eznas: ")
    assert outcome.err.endswith("\n")
    assert outcome.err.count("\n") == 1, outcome.err
    assert listing(Path()) == before
    return outcome.err.removeprefix("eznas: ").strip()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    """The current folder of all tests here, with a user's files in it."""
    home = tmp_path_factory.mktemp("user")
    (home / "strangers.py").write_text(MODELS)
    (home / "broken.py").write_text("def network(:\n")
    (home / "explodes.py").write_text("raise RuntimeError('first line\\nsecond line')\n")
    (home / "text.txt").write_text("text\n")
    (home / "broken.toml").write_text("generations = \n")
    (home / "key.toml").write_text("generatons = 3\n")
    (home / "type.toml").write_text("generations = 'many'\n")
    (home / "preset.toml").write_text("preset = 'papers'\n")
    for name, lines in ACCURACIES.items():
        (home / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines))
    images, labels = np.zeros((8, 32, 32, 3), np.uint8), np.arange(8)
    np.savez(home / "flat.npz", images=images[..., :1], labels=labels)
    np.savez(home / "oblong.npz", images=images[:, :16], labels=labels)
    np.savez(home / "few.npz", images=images[:2], labels=labels[:2])
    np.savez(home / "unlabelled.npz", images=images)
    (home / "empty").mkdir()
    with contextlib.chdir(home):
        content = api.export("params", "good.json")
        for name, damage in DAMAGES.items():
            text = json.dumps(content | damage) if isinstance(damage, dict) else damage
            Path(f"{name}.json").write_text(text)
        yield home
    for name in ("strangers", "broken", "explodes"):
        sys.modules.pop(name, None)


HEADER = "architecture,accuracy"
ACCURACIES = {
    "missing": [HEADER, f"{POOLS},"],
    "twice": [HEADER, f"{POOLS},1", f"{NOTHING},2", f"{POOLS},3"],
    "words": [HEADER, f"{POOLS},high"],
    "infinite": [HEADER, f"{POOLS},inf"],
    "rows": [HEADER],
    "header": ["network,accuracy", f"{POOLS},1"],
    "nothing": [],
    "stranger": [HEADER, "resnet18,70"],
}
DAMAGES = {
    "truncated": '{"eznas_proxy": 1, "name": "para',
    "list": "[]",
    "nested": "[" * 100_000,
    "binary": "\x00\x01",
    "extra": {"colour": "blue"},
    "type": {"constants": "none"},
    "nobatch": {"raw_batch": 0},
    "later": {"eznas_proxy": 2},
    "formula": {"formula": "sum_layers(wieght)"},
    "kind": {"formula": "weight"},
}


@pytest.mark.parametrize(
    ("formula", "said"),
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
        ("log1p", ["takes arguments", "position 1"]),
        ("prams", ["unknown proxy 'prams'", "'params'"]),
        ("", ["unknown proxy ''"]),
        ("params + " * 40, ["expected a number", "position 360"]),
        ("norun", ["unknown proxy 'norun'"]),
        ("norun#1", ["unknown run 'norun'"]),
        ("x" * 300 + "#1", ["unknown run"]),
        ("nofile.json", ["nofile.json", "No such file"]),
        ("truncated.json", ["truncated.json", "JSON"]),
        ("list.json", ["list.json", "content"]),
        ("nested.json", ["nested.json", "JSON"]),
        ("binary.json", ["binary.json", "JSON"]),
        ("extra.json", ["extra.json", "colour"]),
        ("type.json", ["type.json", "constants"]),
        ("nobatch.json", ["nobatch.json", "raw_batch"]),
        ("later.json", ["later.json", "format 2, expected 1"]),
        ("formula.json", ["formula.json", "did you mean 'weight'?", "position 12"]),
        ("kind.json", ["kind.json", "NetScalar"]),
    ],
)
def test_bad_proxy(formula, said):
    line = complaint("correlate", formula, *FEW)
    assert all(part in line for part in said), line
    assert complaint("score", formula, POOLS) == line
    assert complaint("export", formula, "-o", "new.json") == line


@pytest.mark.parametrize(
    ("options", "said"),
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
        (["--accuracy", "twice.csv"], ["twice.csv:4", "line 2"]),
        (["--accuracy", "words.csv"], ["words.csv:2", "'high'"]),
        (["--accuracy", "infinite.csv"], ["infinite.csv:2", "'inf'"]),
        (["--accuracy", "rows.csv"], ["rows.csv", "no rows"]),
        (["--accuracy", "header.csv"], ["header.csv:1", "architecture", "network,accuracy"]),
        (["--accuracy", "nothing.csv"], ["nothing.csv:1", "found nothing"]),
        (["--accuracy", "stranger.csv"], ["stranger.csv:2", "'resnet18'"]),
        (["--accuracy", "empty"], ["empty", "directory"]),
        (["--networx", "8"], ["--networx", "--networks"]),
    ],
)
def test_bad_options_of_correlate(options, said):
    line = complaint("correlate", "params", *FEW, *options)
    assert all(part in line for part in said), line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--preset", "quikc"], ["preset 'quikc'", "did you mean 'quick'?"]),
        (["preset.toml"], ["preset 'papers'", "did you mean 'paper'?"]),
        (["key.toml"], ["key 'generatons'", "did you mean 'generations'?"]),
        (["type.toml"], ["'generations'", "'many'", "integer"]),
        (["broken.toml"], ["broken.toml", "line 1"]),
        (["nofile.toml"], ["nofile.toml", "No such file"]),
        (["empty"], ["empty", "directory"]),
        (["--set", "generation=1"], ["key 'generation'", "did you mean 'generations'?"]),
        (["--set", "generations=many"], ["'generations'", "'many'", "integer"]),
        (["--set", "generations=-1"], ["'generations'", "-1"]),
        (["--set", "generations"], ["'generations'", "key=value"]),
        (["--set", "start=500"], ["'start'", "500"]),
        (["--set", "networks=9918", "--set", "choice=1"], ["networks + choice", "9918", "9919"]),
        (["--set", "judged=90000"], ["judged", "5707", "90000"]),
        (["--set", 'statistics=["wieght"]'], ["statistic 'wieght'", "did you mean 'weight'?"]),
        (["--set", 'seeds=["hybird"]'], ["proxy 'hybird'", "did you mean 'hybrid'?"]),
        (["--set", 'seeds=["sum_layers(1 +"]'], ["position"]),
        (["--set", 'datasets=["cifar11"]'], ["dataset 'cifar11'", "did you mean 'cifar10'?"]),
        (["--set", "space=nasbench"], ["space 'nasbench'"]),
        (["--set", "images=flat.npz"], ["flat.npz", "[n, h, h, 3]"]),
        (["--set", "device=nonsense"], ["device 'nonsense'", "expected cpu"]),
        (["--set", "raw_batch=1"], ["'raw_batch'", "2"]),
        (["--name", "a/b"], ["run name 'a/b'", "letters"]),
        (["--name", ".."], ["run name '..'"]),
        (["--name", ""], ["run name ''"]),
        (["--time", "abc"], ["time 'abc'", "30m"]),
        (["--time", "0"], ["time '0'"]),
        (["--seed", "one"], ["--seed", "integer"]),
        (["--workers", "0"], ["--workers"]),
        (["--nosuch"], ["--nosuch"]),
        (["key.toml", "type.toml"], ["type.toml"]),
    ],
)
def test_bad_input_to_evolve_leaves_no_run(options, said):
    line = complaint("evolve", "--workers", "1", *options)
    assert all(part in line for part in said), line
    assert not Path("runs").exists()


def test_bad_configuration_also_stops_a_dry_run():
    assert "device 'nonsense'" in complaint("evolve", "--dry-run", "--set", "device=nonsense")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("|nor_conv_3x4~0|+|none~0|none~1|+|none~0|none~1|none~2|", ["nor_conv_3x3~0", "1<-0"]),
        ("|none~0|+|none~0|none~1|", ["form"]),
        ("resnet18", ["'resnet18'", "package.module:factory or an architecture"]),
        ("strangers:", ["package.module:factory"]),
        (":network", ["package.module:factory"]),
        (".strangers:network", ["package.module:factory"]),
        ("strangers:netwrok", ["factory 'netwrok'", "did you mean 'network'?"]),
        ("nomodule:network", ["nomodule:network", "No module named 'nomodule'"]),
        ("strangers.deep:network", ["'strangers' is not a package"]),
        ("broken:network", ["cannot import broken", "broken.py, line 1"]),
        ("explodes:network", ["cannot import explodes", "RuntimeError: first line"]),
        ("strangers:raises", ["raises() failed", "ValueError: first line"]),
        ("strangers:stumbles", ["stumbles() failed", "no_such_thing"]),
        ("strangers:exits", ["exits() failed"]),
        ("strangers:wants", ["wants() failed", "something"]),
        ("strangers:number", ["number() gave a int, not a module"]),
        ("strangers:Fails", ["strangers:Fails", "forward failed", "(2, 3, 32, 32)", "no luck"]),
        ("strangers:flattens", ["strangers:flattens", "no convolution or linear layer"]),
    ],
)
def test_bad_model(model, said):
    line = complaint("score", "naswot", POOLS, model, *BATCH)
    assert all(part in line for part in said), line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--input", "3,32"], ["'3,32'", "3,32,32"]),
        (["--input", "3,32,x"], ["'3,32,x'"]),
        (["--input", "3,0,0"], ["'3,0,0'"]),
        (["--input", "3,²,²"], ["'3,²,²'"]),
        (["--input", "1,32,32"], ["(1, 32, 32)", "3 channels"]),
        (["--input", "3,32,16"], ["(3, 32, 16)", "square"]),
        (["--input", "3,1,1"], ["forward failed", "(2, 3, 1, 1)"]),
        (["--batch", "1"], ["batch 1", "at least 2"]),
        (["--init", "keeep"], ["'keeep'", "'keep'"]),
        (["--device", "nonsense"], ["device 'nonsense'", "expected cpu"]),
        (["--images", "oblong.npz"], ["oblong.npz", "square"]),
        (["--images", "few.npz"], ["few.npz", "holds 2 images"]),
        (["--seed", "1" + "0" * 30], ["--seed"]),
        (["--output", "x"], ["--output"]),
    ],
)
def test_bad_options_of_score(options, said):
    line = complaint("score", "naswot", POOLS, *BATCH, *options)
    assert all(part in line for part in said), line


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
    ("arguments", "said"),
    [
        (["evolv"], ["'evolv'", "'evolve'"]),
        (["correlate"], ["Missing argument 'PROXY...'"]),
        (["score", "params"], ["Missing argument 'MODEL...'"]),
        (["export", "params"], ["Missing option '-o'"]),
        (["proxies", "all"], ["extra argument", "all"]),
    ],
)
def test_bad_usage(arguments, said):
    line = complaint(*arguments)
    assert all(part in line for part in said), line


def test_help_for_want_of_a_command_is_no_complaint():
    outcome = call()
    assert "evolve" in outcome.out
    assert outcome.err == ""


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(api, "proxies", lambda: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        call("proxies")


def test_a_program_of_its_own_says_the_same():
    """In a process of its own: exit code, streams, and the same numbers to the last bit."""

    def started(*arguments):
        command = [sys.executable, "-c", "from eznas.cli import main; main()", *arguments]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    code, out, err = started("score", "naswot", "strangers:network", POOLS, *BATCH, "--json")
    assert (code, err) == (0, "made\n")
    here = answer("score", "naswot", "strangers:network", POOLS, *BATCH)
    strip = [{k: v for k, v in r.items() if k != "seconds"} for r in here["scores"]]
    there = json.loads(out)["scores"]
    assert [{k: v for k, v in r.items() if k != "seconds"} for r in there] == strip
    bad = started("correlate", "prams", "--json")
    assert bad == (2, "", "eznas: unknown proxy 'prams'; did you mean 'params'?\n")


def test_proxies_lists_formulas():
    rows = answer("proxies")["proxies"]
    assert [list(r) for r in rows] == [["proxy", "formula", "source"]] * len(rows)
    assert {"hybrid", *BASELINES} <= {r["proxy"] for r in rows}
    shown = call("proxies").out
    assert all(r["proxy"] in shown for r in rows)


def test_score_ranks_and_says_why_there_is_no_score():
    names = [NOTHING, "strangers:network", CONVOLUTIONS]
    rows = answer("score", "naswot", *names, *BATCH)["scores"]
    keys = ["model", "proxy", "score", "seconds", "reason"]
    assert [list(r) for r in rows] == [keys] * 3
    assert [r["model"] for r in rows] == [CONVOLUTIONS, "strangers:network", NOTHING]
    assert rows[0]["score"] > rows[1]["score"]
    assert (rows[2]["score"], rows[2]["reason"]) == (None, "lowest")
    assert [r["reason"] for r in rows[:2]] == ["", ""]
    assert all(r["proxy"] == "naswot" and r["seconds"] > 0 for r in rows)


def test_undefined_comes_after_lowest():
    """Few layers of POOLS have as many inputs as outputs; NOTHING has a singular kernel."""
    formula = (
        "sum_layers(sum(data_conv_input * data_conv_output)) "
        "+ logdet(sum_all_layers(data_relu_agreement))"
    )
    rows = answer("score", formula, POOLS, NOTHING, CONVOLUTIONS, *BATCH)["scores"]
    assert [r["model"] for r in rows] == [CONVOLUTIONS, NOTHING, POOLS]
    assert [r["score"] is None for r in rows] == [False, True, True]
    assert [r["reason"] for r in rows] == ["", "lowest", "coverage"]


@pytest.mark.parametrize(
    "formula",
    ["-1.0 * params", "-1e-05*params", "-(params)", "-log(params)", "-sum_layers(layer_params)"],
)
def test_a_formula_that_begins_with_a_minus_is_no_option(formula):
    rows = answer("score", formula, POOLS, CONVOLUTIONS)["scores"]
    assert [r["proxy"] for r in rows] == [formula] * 2
    assert [r["model"] for r in rows] == [POOLS, CONVOLUTIONS]


def test_what_a_model_prints_is_not_on_standard_output():
    outcome = call("score", "params", "strangers:network", "--json")
    assert "made" not in outcome.out
    assert "made" in outcome.err


def test_correlate_gives_rows():
    rows = answer("correlate", "params", "live_params", *FEW)["rows"]
    assert [list(r) for r in rows] == [ROW] * 6
    assert {(r["proxy"], r["dataset"]) for r in rows} == {
        (p, d) for p in ("params", "live_params") for d in DATASETS
    }
    for row in rows:
        assert (row["networks"], row["set"], row["accuracy"]) == (8, "all", "validation")
        assert row["seeds"] == [0]
        assert -1 <= row["tau_low"] <= row["tau_high"] <= 1
        assert row["tau_low"] <= row["tau"] <= row["tau_high"]
        assert row["rho_low"] <= row["rho"] <= row["rho_high"]


def test_correlate_is_repeatable_and_seeds_matter():
    command = ("correlate", "naswot", *FEW, "--dataset", "ImageNet16-120")
    first = answer(*command, "--seed", "3")
    assert answer(*command, "--seed", "3") == first
    assert [r["seeds"] for r in first["rows"]] == [[3]]
    other = answer(*command, "--seed", "4")["rows"][0]
    assert (other["tau"], other["rho"]) != (first["rows"][0]["tau"], first["rows"][0]["rho"])


def test_correlate_averages_initialisations():
    command = ("correlate", "params", *FEW, "--dataset", "cifar10", "--initialisations", "2")
    rows = answer(*command, "--seed", "5")["rows"]
    assert [r["seeds"] for r in rows] == [[5, 6]]


def test_correlate_on_sets():
    command = ("correlate", "params", *FEW, "--dataset", "cifar10", "--set")
    for name in ("connected", "reachable"):
        assert [r["set"] for r in answer(*command, name)["rows"]] == [name]


def test_correlate_says_null_for_what_is_undefined():
    formula = "2.0 * exp(exp(params))"  # beyond the largest number
    rows = answer("correlate", formula, *FEW, "--dataset", "cifar10")["rows"]
    assert [(r["tau"], r["tau_low"], r["rho_high"]) for r in rows] == [(None, None, None)]
    assert "undefined" in call("correlate", formula, *FEW, "--dataset", "cifar10").out


def test_accuracies_of_ones_own(folder):
    """Accuracies that are the numbers of convolutions: parameters must order them perfectly."""
    cells = ["000000", "200000", "300000", "330000", "333000", "333333"]
    names = [ARCHITECTURES[int(c, 5)] for c in cells]
    lines = [HEADER, *(f"{n},{i / 7}" for i, n in enumerate(names))]
    (folder / "mine.csv").write_text("\n".join(reversed(lines[1:])))
    assert "mine.csv:1" in complaint("correlate", "params", "--accuracy", "mine.csv")
    (folder / "mine.csv").write_text("\n".join([HEADER, *reversed(lines[1:])]))
    command = ("correlate", "params", "-1.0 * params", *BATCH, "--workers", "1")
    rows = answer(*command, "--accuracy", "mine.csv", "--dataset", "cifar10")["rows"]
    assert [(r["tau"], r["rho"]) for r in rows] == [(1, 1), (-1, -1)]
    assert [(r["networks"], r["set"], r["accuracy"]) for r in rows] == [(6, "given", "given")] * 2


def test_tables_go_to_standard_output_and_progress_to_the_error_stream():
    outcome = call("correlate", "params", *FEW, "--dataset", "cifar10")
    assert outcome.code == 0
    assert "params" in outcome.out
    assert "8 networks (all), validation accuracy" in outcome.out
    assert "seed 0" in outcome.err


def test_export_and_score_again():
    written = answer("export", "naswot", "-o", "naswot.json")
    assert json.loads(Path("naswot.json").read_text()) == written
    assert not list(Path().glob(".*partial"))
    names = (CONVOLUTIONS, POOLS)
    before = answer("score", "naswot", *names)["scores"]
    after = answer("score", "naswot.json", *names)["scores"]
    assert [r["score"] for r in after] == [r["score"] for r in before]
    assert [r["proxy"] for r in after] == ["naswot", "naswot"]


# One data set of small images and two statistics: seconds instead of a minute.
TINY = {
    "datasets": '["ImageNet16-120"]',
    "statistics": '["data_relu_agreement", "layer_params"]',
    "seeds": '["naswot", "live_params"]',
    "generations": "1",
    "population": "16",
    "offspring": "16",
    "start": "8",
    "networks": "8",
    "choice": "8",
    "judged": "16",
    "replicates": "20",
    "raw_batch": "2",
    "sketch_batch": "4",
}
EVOLVE = ("evolve", "--workers", "1", *(p for k, v in TINY.items() for p in ("--set", f"{k}={v}")))


@pytest.fixture(scope="module")
def finished(folder):
    """What a small run answered."""
    result = answer(*EVOLVE, "--name", "tiny")
    yield result
    shutil.rmtree("runs")  # tests of bad input see whether one appears


def test_evolve_answers(finished):
    keys = ["run", "champion", "formula", "seconds", "evaluations", "held_out", "difference"]
    assert list(finished) == keys
    assert finished["run"] == "tiny"
    assert finished["seconds"] > 0
    assert finished["evaluations"] >= 16
    rows, differences = finished["held_out"], finished["difference"]
    assert all(list(r) == ROW for r in rows)
    assert [r["proxy"] for r in rows] == ["champion", *BASELINES, "greedy"]
    for row in rows:
        assert (row["dataset"], row["networks"]) == ("ImageNet16-120", 16)
        assert (row["set"], row["accuracy"], row["seeds"]) == ("held-out, all", "validation", [0])
    assert all(list(d) == ["against", "dataset", "tau", "low", "high"] for d in differences)
    assert [d["against"] for d in differences] == [*BASELINES, "greedy"]
    taus = {r["proxy"]: r["tau"] for r in rows}
    for d in differences:
        assert d["tau"] == pytest.approx(taus["champion"] - taus[d["against"]])
    assert json.loads(Path("runs/tiny/result.json").read_text()) == finished


def test_a_run_is_never_overwritten(finished):
    before = listing(Path("runs"))
    assert "'tiny' exists already" in complaint(*EVOLVE, "--name", "tiny")
    assert listing(Path("runs")) == before


def test_a_run_is_a_proxy(finished):
    command = ("--dataset", "ImageNet16-120", *FEW)
    rows = answer("correlate", "tiny", "runs/tiny", "tiny#1", finished["formula"], *command)["rows"]
    names = ["tiny", "tiny", "tiny#1", finished["formula"]]
    assert [r["proxy"] for r in rows] == names
    assert rows[0]["tau"] == rows[1]["tau"] == rows[3]["tau"]
    archive = json.loads(Path("runs/tiny/archive.json").read_text())
    assert api.load("tiny#1").formula.text == archive[0]["formula"]
    last = f"#1 to #{len(archive)}"
    for number in ("0", str(len(archive) + 1), "x", "", "²"):
        line = complaint("correlate", f"tiny#{number}", *command)
        assert last in line
        assert f"#{number}" in line
    assert "did you mean 'tiny'" in complaint("correlate", "tinny#1", *command)
    assert "did you mean 'tiny'" in complaint("correlate", "tinny", *command)


def test_export_of_a_run_says_how_it_was_judged(finished):
    written = answer("export", "tiny", "-o", "champion.json")
    judged = [r for r in finished["held_out"] if r["proxy"] == "champion"]
    assert written["formula"] == finished["formula"]
    assert written["judged"] == judged
    assert 0.8 <= written["coverage"] <= 1
    assert (written["raw_batch"], written["sketch_batch"]) == (2, 4)
    environment = json.loads(Path("runs/tiny/environment.json").read_text())
    assert written["fingerprint"] == environment["fingerprints"]
    again = answer("export", "champion.json", "-o", "again.json")
    assert again == written
    names = (CONVOLUTIONS, POOLS)
    run, file = (answer("score", p, *names)["scores"] for p in ("tiny", "champion.json"))
    assert [r["score"] for r in run] == [r["score"] for r in file]


def test_a_damaged_run_gets_one_line(finished):
    Path("runs/half").mkdir()
    for name, content in (("config.json", "{}"), ("archive.json", "[{")):
        Path("runs/half", name).write_text(content)
    line = complaint("correlate", "half", *FEW)
    assert "archive.json" in line
    assert "damaged" in line
    Path("runs/half/archive.json").unlink()
    assert "archive.json" in complaint("correlate", "half", *FEW)


def test_evolve_shows_a_table_and_the_formula_in_one_line(finished):
    outcome = call(*EVOLVE, "--name", "shown")
    assert outcome.code == 0
    assert finished["formula"] in outcome.out  # to be copied: not broken over lines
    assert "tau of champion minus tau of another" in outcome.out
    assert "runs/shown" in outcome.out
    assert "generation   1" in outcome.err


def test_dry_run_estimates_and_leaves_nothing(finished):
    before = listing(Path())
    content = answer(*EVOLVE, "--name", "dry", "--dry-run")
    assert list(content) == ["seconds", "megabytes", "networks", "workers"]
    assert content["networks"] == 8 + 8 + 16
    assert content["workers"] == 1
    assert content["seconds"] > 0
    assert listing(Path()) == before
