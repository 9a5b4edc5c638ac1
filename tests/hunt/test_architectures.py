"""Published architectures: sizes and proxies against hooks and autograd, where torchvision and timm
are installed."""

import copy
import importlib

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

import eznas
from eznas.statistics.images import generated

pytestmark = pytest.mark.slow

LAYERS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d),
    *(nn.ConvTranspose3d, nn.Linear),
)
ACTIVATIONS = (
    *(nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.LeakyReLU, nn.ELU, nn.Mish),
    nn.PReLU,
)
BATCH = 8
TORCHVISION = {  # name -> input size
    "resnet18": 64,
    "resnext50_32x4d": 64,
    "wide_resnet50_2": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "shufflenet_v2_x0_5": 64,
    "squeezenet1_1": 64,
    "convnext_tiny": 64,
    "efficientnet_b0": 64,
    "efficientnet_v2_s": 64,
    "regnet_y_400mf": 64,
    "regnet_x_400mf": 64,
    "mnasnet0_5": 64,
    "alexnet": 64,
    "vit_b_32": 224,
    "swin_t": 64,
    "swin_v2_t": 64,
    "maxvit_t": 224,
    "densenet121": 64,
    "googlenet": 64,
}
TIMM = {
    "resnet18": 64,
    "res2net50_26w_4s": 64,
    "resnest14d": 64,
    "mixer_s32_224": 224,
    "deit_tiny_patch16_224": 224,
    "ghostnet_050": 64,
    "tf_efficientnet_lite0": 64,
    "hrnet_w18_small": 64,
    "seresnet18": 64,
    "mobilenetv4_conv_small": 64,
    "convmixer_768_32": 64,
    "gmlp_s16_224": 224,
    "levit_128s": 224,
}


def build(library: str, name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        if library == "timm":
            return importlib.import_module("timm").create_model(name, num_classes=10).train()
        models = importlib.import_module("torchvision.models")
        more = {"init_weights": False} if name == "googlenet" else {}
        return models.get_model(name, num_classes=10, **more).train()


def without_chance(model: nn.Module) -> nn.Module:
    """Dropout and stochastic depth off: their draws differ between passes."""
    for module in model.modules():
        if "drop" in type(module).__name__.lower() or "StochasticDepth" in type(module).__name__:
            for name in ("p", "drop_prob"):
                if hasattr(module, name):
                    setattr(module, name, 0.0)
        if hasattr(module, "drop_rate"):
            module.drop_rate = 0.0
    return model


def weights(model: nn.Module) -> list[Tensor]:
    """The weights of layers, attention's included, each once."""
    found: dict[int, Tensor] = {}
    for module in model.modules():
        if isinstance(module, LAYERS):
            found[id(module.weight)] = module.weight
        if isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
            found[id(module.in_proj_weight)] = module.in_proj_weight
    return list(found.values())


def logits_of(y: object) -> Tensor:
    return getattr(y, "logits", y)  # type: ignore[return-value]


def flops(model: nn.Module, images: Tensor) -> float:
    """Convolutions and linear layers for one image, by torch's counter; products of activations
    are left out. From two batches, as batch norm refuses one image and some layers run once."""

    def of(count: int) -> float:
        counter = FlopCounterMode(display=False)
        with counter:
            model.train()(images[:count])
        counts = counter.get_flop_counts()["Global"].items()
        return sum(n for op, n in counts if "bmm" not in str(op) and "attention" not in str(op)) / 2

    return 2 * of(2) - of(3)


def synflow(model: nn.Module, side: int) -> float:
    model = copy.deepcopy(model).double()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.forward = lambda x, m=module: _after_norm(m, x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    chosen = weights(model)
    y = logits_of(model(torch.ones(1, 3, side, side, dtype=torch.float64))).sum()
    gradients = torch.autograd.grad(y, chosen, allow_unused=True)
    pairs = zip(chosen, gradients, strict=True)
    return sum((w * g).abs().sum().item() for w, g in pairs if g is not None)


def _after_norm(module: nn.Module, x: Tensor) -> Tensor:
    """What timm joins to a norm: its activation."""
    if hasattr(module, "drop") and hasattr(module, "act"):
        x = module.act(module.drop(x))
    return x


def snip(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """In float64: a batch norm over few values multiplies rounding."""
    model, half = copy.deepcopy(model), BATCH // 2
    chosen = weights(model)
    loss = F.cross_entropy(logits_of(model(images[:half])), labels[:half])
    gradients = torch.autograd.grad(loss, chosen, allow_unused=True)
    pairs = zip(chosen, gradients, strict=True)
    return sum((w * g).abs().sum().item() for w, g in pairs if g is not None)


def naswot(model: nn.Module, images: Tensor) -> float | None:
    """None where activations are no modules."""
    kernel = torch.zeros(BATCH, BATCH, dtype=torch.float64)
    met = []

    def add(_m: nn.Module, _x: object, y: Tensor) -> None:
        if len(y) == BATCH:
            code = (y > 0).flatten(1).double()
            kernel.add_(code @ code.T + (1 - code) @ (1 - code).T)
            met.append(y)

    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, ACTIVATIONS):
            module.register_forward_hook(add)
    with torch.no_grad():
        model(images[:BATCH])
    return torch.linalg.slogdet(kernel).logabsdet.item() if met else None


NAMES = [("torchvision", n, s) for n, s in TORCHVISION.items()]
NAMES += [("timm", n, s) for n, s in TIMM.items()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("library", "name", "side"), NAMES)
def test_sizes_and_proxies(library, name, side):
    try:
        model = without_chance(build(library, name))
    except (ImportError, RuntimeError) as error:  # or built for another torch
        pytest.skip(f"{library} is not installed here: {error}")
    images = generated(max(BATCH, 16), side, seed=0)
    how = {"input_size": (3, side, side), "batch": BATCH}
    scores = {p: eznas.load(p).score(model, **how) for p in ("params", "flops", "l2_norm")}
    assert scores["params"] == sum(p.numel() for p in model.parameters())
    assert scores["flops"] == pytest.approx(flops(model, images.pixels), rel=1e-9)
    expected = sum(w.double().norm().item() for w in weights(model))
    assert scores["l2_norm"] == pytest.approx(expected, rel=1e-5)
    if name not in ("densenet121", "googlenet"):  # they call F.relu, which hooks do not see
        expected = naswot(model, images.pixels)
        assert eznas.load("naswot").score(model, **how) == pytest.approx(expected, rel=1e-4)
    model = model.double()
    expected = synflow(model, side)
    assert eznas.load("synflow").score(model, **how) == pytest.approx(
        expected, rel=1e-6, nan_ok=True
    )
    expected = snip(model, images.pixels.double(), images.labels)
    assert eznas.load("snip").score(model, **how) == pytest.approx(expected, rel=1e-5)
