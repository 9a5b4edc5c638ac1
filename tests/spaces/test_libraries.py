"""Models of timm and torchvision by name: with packages that stand in for them, and with the real
ones in an environment of their own."""

import json
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import pytest
import torch
from torch import nn

import eznas
from eznas.spaces.user_models import FactoryError, load_model, usual_input_size
from tests.cli.calls import call

ROOT = Path(__file__).parents[2]
SIZES = {"tiny": (3, 16, 16), "wide": (1, 8, 24)}


def network(channels: int = 3) -> nn.Module:
    pooling = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6)]
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), *pooling)


@pytest.fixture
def timm(monkeypatch):
    """A package in whose config a model's input size is."""

    def create_model(name: str, pretrained: bool) -> nn.Module:
        assert not pretrained
        if name == "broken":
            raise RuntimeError("no such block")
        size = SIZES[name.partition(".")[0]]
        model = network(size[0])
        model.pretrained_cfg = {"input_size": size}
        return model

    package = types.ModuleType("timm")
    package.list_models = lambda: [*SIZES, "broken"]
    package.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", package)


@pytest.fixture
def torchvision(monkeypatch):
    """A package whose builders may download trained weights of a part, if they are not stopped."""

    def plain(weights=None) -> nn.Module:
        assert weights is None
        return network()

    def with_backbone(weights=None, weights_backbone="trained") -> nn.Module:
        assert weights_backbone is None
        return plain(weights)

    builders = {"plain": plain, "with_backbone": with_backbone}
    models = types.ModuleType("torchvision.models")
    models.list_models = lambda: [*builders]
    models.get_model_builder = builders.__getitem__
    models.get_model = lambda name, **options: builders[name](**options)
    package = types.ModuleType("torchvision")
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


def refusal(name: str) -> str:
    with pytest.raises(eznas.InputError) as caught:
        load_model(name)
    return str(caught.value)


def test_timm(timm):
    model, initialisation = load_model("timm:wide.in1k", seed=3)
    assert initialisation == "keep"
    assert usual_input_size("timm:wide.in1k", model) == (1, 8, 24)
    assert torch.equal(model[0].weight, load_model("timm:wide", seed=3)[0][0].weight)
    rows = eznas.score("flops", ["timm:tiny", "timm:wide"], batch=4)
    assert [(row["model"], row["score"]) for row in rows] == [
        ("timm:tiny", 4 * 27 * 14 * 14 + 24),
        ("timm:wide", 4 * 9 * 6 * 22 + 24),
    ]
    [row] = eznas.score("flops", "timm:tiny", input_size=(3, 8, 8))
    assert row["score"] == 4 * 27 * 36 + 24


def test_torchvision(torchvision):
    for name in ("plain", "with_backbone"):
        model, initialisation = load_model(f"torchvision:{name}")
        assert initialisation == "keep"
        assert usual_input_size(f"torchvision:{name}", model) == (3, 224, 224)
    assert call("score", "params", "torchvision:plain", "--json").code == 0


def test_a_name_that_is_not_there(timm, torchvision):
    assert refusal("timm:tine") == "model 'timm:tine': unknown model 'tine'; did you mean 'tiny'?"
    assert refusal("torchvision:plane").endswith("did you mean 'plain'?")
    assert "known: broken, tiny, wide" in refusal("timm:")


def test_a_model_that_cannot_be_made_comes_last(timm):
    with pytest.raises(FactoryError, match=r"broken\(\) failed: RuntimeError: no such block"):
        load_model("timm:broken")
    rows = eznas.score("params", ["timm:broken", "timm:tiny"])
    assert [row["failed"] for row in rows] == [False, True]


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_a_package_that_is_not_installed(package, monkeypatch):
    for name in (package, f"{package}.models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    finder = types.SimpleNamespace(find_spec=lambda name, *_: None)
    monkeypatch.setattr(sys, "meta_path", [finder])
    line = refusal(f"{package}:resnet18")
    assert line == f"model '{package}:resnet18': {package} is not installed: pip install {package}"


def test_a_package_that_does_not_load(monkeypatch):
    """As torchvision for CUDA does beside a torch for CPUs."""

    class Refusing:
        @staticmethod
        def find_spec(name, *_):
            raise RuntimeError("operator torchvision::nms does not exist")

    for name in ("torchvision", "torchvision.models"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refusing])
    line = refusal("torchvision:resnet18")
    assert "cannot import torchvision.models: RuntimeError: operator torchvision::nms" in line
    assert f"expected a release of it for torch {torch.__version__}" in line


TIMM = ["resnet18", "resnet18.a1_in1k", "mobilenetv3_small_050", "efficientnet_b0"]
TIMM += ["convnext_atto", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "regnetx_002"]
TIMM += ["ghostnet_050", "levit_128s", "lcnet_050", "test_resnet"]
TORCHVISION = ["resnet18", "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "swin_t"]
TORCHVISION += ["squeezenet1_1", "convnext_tiny", "efficientnet_b0", "regnet_y_400mf", "mnasnet0_5"]
TORCHVISION += ["alexnet", "densenet121", "fcn_resnet50"]
# Releases for PyPI's torch do not load beside one for CPUs; this one has no operators to load.
PACKAGES = ["timm", "torchvision==0.15.2", "safetensors", "huggingface_hub"]
PROGRAM = """
import json, sys, warnings
import eznas
warnings.simplefilter("ignore")
proxies, names = json.loads(sys.argv[1])
print(json.dumps({p: eznas.score(p, names, batch=4) for p in proxies}))
"""


@pytest.fixture(scope="module")
def with_libraries(tmp_path_factory) -> str:
    """The Python of an environment that has the two packages beside what this one has."""
    folder = tmp_path_factory.mktemp("libraries")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", *PACKAGES]
    installed = subprocess.run(install, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"timm and torchvision cannot be installed: {installed.stderr[-300:]}")
    beside = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    (Path(beside) / "beside.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    check = subprocess.run(
        [python, "-W", "ignore", "-c", "import timm, torchvision.models"],
        capture_output=True,
        text=True,
    )
    if check.returncode:
        pytest.skip(f"timm and torchvision do not load here: {check.stderr[-300:]}")
    return python


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "models"),
    [("timm", TIMM), ("torchvision", TORCHVISION)],
    ids=["timm", "torchvision"],
)
def test_a_dozen_of_each(library, models, with_libraries):
    names = [f"{library}:{name}" for name in models]
    request = json.dumps([["params", "synflow", "naswot", "snip"], names])
    outcome = subprocess.run(
        [with_libraries, "-W", "ignore", "-c", PROGRAM, request], capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    answers = json.loads(outcome.stdout.splitlines()[-1])
    for proxy, rows in answers.items():
        assert {row["model"] for row in rows} == {*names}
        for row in rows:
            assert not row["failed"], row
            assert row["score"] is not None or row["reason"], (proxy, row)
    params = {row["model"].partition(":")[2]: row["score"] for row in answers["params"]}
    assert params["resnet18"] == 11_689_512
