"""K14: inputs of any number of channels, sizes and classes, of tokens, and several of them."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import eznas
from eznas.proxies.one_model import Score
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.generating import balanced_labels
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from tests.cli.calls import call
from tests.hunt.networks import refill
from tests.hunt.small import refusal

BATCH = 8
CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def config(size: object, proxy: str = "snip", batch: int = BATCH):
    return eznas.load(proxy).measurement_config(size, batch)


def evaluated(proxy: str, model: nn.Module, size: object) -> Score:
    return eznas.load(proxy).evaluate(model, config(size, proxy))


def score(proxy: str, model: nn.Module, size: object) -> float:
    result = evaluated(proxy, model, size)
    assert math.isfinite(result.value), result
    return result.value


class Plain(nn.Module):
    """Two convolutions over so many axes, a norm, a mean over positions and a head."""

    def __init__(self, channels: int = 3, axes: int = 2, classes: int = 10) -> None:
        super().__init__()
        self.stem = CONVOLUTION[axes](channels, 6, 3, padding=1, bias=False)
        self.norm, self.body = NORM[axes](6), CONVOLUTION[axes](6, 6, 3, padding=1)
        self.head = nn.Linear(6, classes)
        refill(self)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.body(F.relu(self.norm(self.stem(x)))))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(2).mean(2))


def snip(loss: Tensor, weights: list[Tensor]) -> float:
    gradients = torch.autograd.grad(loss, weights)
    return sum((w * g).abs().sum().item() for w, g in zip(weights, gradients, strict=True))


def weights_of(model: nn.Module) -> list[Tensor]:
    kinds = (*CONVOLUTION.values(), nn.Linear)
    return [m.weight for m in model.modules() if isinstance(m, kinds)]


def labels(classes: int) -> Tensor:
    return balanced_labels(max(BATCH, 16), classes, 0)[: BATCH // 2]


SIZES = [(1, 16, 16), (2, 8, 8), (3, 12, 20), (4, 16, 8), (1, 28, 64), (3, 1, 9)]
SIZES += [(4, 128), (1, 40), (1, 6, 8, 10), (3, 4, 8, 8)]


@pytest.mark.parametrize("size", SIZES)
def test_channels_and_sizes(size: tuple[int, ...]) -> None:
    model = Plain(size[0], len(size) - 1).train()
    inputs = config(size).images.parts[0]
    assert inputs.shape == (16, *size)
    loss = F.cross_entropy(model(inputs[: BATCH // 2]), labels(10))
    assert score("snip", model, size) == pytest.approx(snip(loss, weights_of(model)), rel=1e-4)
    positions = math.prod(size[1:])
    kernels = [model.stem.weight, model.body.weight]
    expected = sum(w.numel() for w in kernels) * positions + model.head.weight.numel()
    assert score("flops", model, size) == expected
    for proxy in ("params", "synflow", "naswot", "jacob_cov", "grasp", "zico", "vkdnw_entropy"):
        score(proxy, model, size)


@pytest.mark.parametrize("classes", [2, 3, 7, 1000])
def test_labels_are_of_the_models_classes(classes: int) -> None:
    model = Plain(classes=classes).train()
    chosen = labels(classes)
    assert chosen.max() < classes
    assert len(chosen.unique()) == min(classes, len(chosen)) or classes > len(chosen)
    loss = F.cross_entropy(model(config((3, 8, 8)).images.pixels[: BATCH // 2]), chosen)
    assert score("snip", model, (3, 8, 8)) == pytest.approx(snip(loss, weights_of(model)), rel=1e-4)
    for proxy in ("zico", "gradsign", "grasp", "epe_nas"):
        result = evaluated(proxy, model, (3, 8, 8))
        assert math.isfinite(result.value) or result.reason, proxy


@pytest.mark.parametrize("squeezed", [False, True])
def test_one_logit_tells_two_classes_apart(squeezed: bool) -> None:
    class One(Plain):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, 0] if squeezed else super().forward(x)

    model = One(classes=1).train()
    targets = labels(2).float()
    assert set(targets.tolist()) == {0.0, 1.0}
    logits = model(config((3, 8, 8)).images.pixels[: BATCH // 2]).reshape(-1)
    loss = F.binary_cross_entropy_with_logits(logits, targets)
    assert score("snip", model, (3, 8, 8)) == pytest.approx(snip(loss, weights_of(model)), rel=1e-4)
    assert score("vkdnw_entropy", model, (3, 8, 8)) > 0


class Convolutional(Plain):
    """A convolution as head: one logit for each class, or for each class and position."""

    def __init__(self, dense: bool) -> None:
        super().__init__()
        self.dense, self.head = dense, nn.Conv2d(6, 5, 1)
        refill(self)

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return self.head(features if self.dense else features.mean((2, 3), keepdim=True))


@pytest.mark.parametrize("dense", [False, True])
def test_heads_with_positions(dense: bool) -> None:
    """Every position of an image has its label."""
    model = Convolutional(dense).train()
    logits = model(config((3, 8, 8)).images.pixels[: BATCH // 2])
    loss = F.cross_entropy(logits, labels(5)[:, None, None].expand_as(logits[:, 0]))
    assert score("snip", model, (3, 8, 8)) == pytest.approx(snip(loss, weights_of(model)), rel=1e-4)
    result = evaluated("vkdnw_entropy", model, (3, 8, 8))
    assert result.value > 0 if not dense else "not [images, classes]" in result.reason


def test_logits_without_images_have_no_labels() -> None:
    class Summed(Plain):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).sum(0)

    assert "one row for each image" in evaluated("snip", Summed(), (3, 8, 8)).reason
    assert "one row for each image" in evaluated("epe_nas", Summed(), (3, 8, 8)).reason
    assert score("synflow", Summed(), (3, 8, 8)) > 0


class Words(nn.Module):
    """An embedding, a layer for each token, a mean (unless each has its logits), and a head."""

    def __init__(self, each: bool = False) -> None:
        super().__init__()
        self.each = each
        self.embedding, self.body, self.head = nn.Embedding(30, 8), nn.Linear(8, 8), nn.Linear(8, 5)
        refill(self)

    def forward(self, x: Tensor) -> Tensor:
        assert x.dtype == torch.int64
        features = F.relu(self.body(self.embedding(x)))
        return self.head(features if self.each else features.mean(1))


TOKENS = "tokens:12:30"


def test_tokens() -> None:
    tokens = config(TOKENS).images.parts[0]
    assert (tokens.shape, tokens.dtype) == ((16, 12), torch.int64)
    assert 0 <= tokens.min() < 3
    assert 27 < tokens.max() <= 29
    model = Words()
    loss = F.cross_entropy(model(tokens[: BATCH // 2]), labels(5))
    assert score("snip", model, TOKENS) == pytest.approx(snip(loss, weights_of(model)), rel=1e-4)
    assert score("params", model, TOKENS) == sum(p.numel() for p in model.parameters())
    assert score("flops", model, TOKENS) == 12 * 64 + 40
    assert score("live_params", model, TOKENS) == 72 + 45
    assert score("depth", model, TOKENS) == 2
    for proxy in ("synflow", "naswot", "zico", "grasp", "fisher", "vkdnw_entropy", "l2_norm"):
        assert score(proxy, model, TOKENS) != 0


def test_each_token_may_have_logits() -> None:
    model = Words(each=True)
    logits = model(config(TOKENS).images.parts[0][: BATCH // 2])
    loss = F.cross_entropy(logits.mT, labels(5)[:, None].expand(-1, 12))
    assert score("snip", model, TOKENS) == pytest.approx(snip(loss, weights_of(model)), rel=1e-4)


@pytest.mark.parametrize("proxy", ["jacob_cov", "jacob_cov_x_params", "epe_nas", "zen"])
def test_what_tokens_do_not_have_is_undefined(proxy: str) -> None:
    result = evaluated(proxy, Words(), TOKENS)
    assert math.isnan(result.value)
    assert "whole numbers (tokens)" in result.reason


def test_a_mask_after_the_embedding_hides_no_layer() -> None:
    class Masked(Words):
        def forward(self, x: Tensor) -> Tensor:
            mask = (x > 0).float()[..., None]
            return self.head((F.relu(self.body(self.embedding(x))) * mask).mean(1))

    assert score("live_params", Masked(), TOKENS) == 72 + 45
    assert score("depth", Masked(), TOKENS) == 2


class Two(nn.Module):
    """Two images of different sizes, each with a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.colour, self.grey, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(1, 4, 3), nn.Linear(8, 7)
        refill(self)

    def forward(self, x: Tensor, y: Tensor, scale: float = 1.0) -> Tensor:
        sides = [F.relu(self.colour(x)).mean((2, 3)), F.relu(self.grey(y)).mean((2, 3))]
        return self.head(torch.cat(sides, 1)) * scale


class Named(Two):
    def forward(self, *, image: Tensor, side: Tensor) -> Tensor:
        return super().forward(image, side)


class Together(Two):
    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return super().forward(batch["image"], batch["side"])


class Pair(Two):
    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return super().forward(*pair)


SEVERAL = [(3, 8, 10), (1, 6, 6)]
IMAGE, SIDE = torch.zeros(2, 3, 8, 10), torch.zeros(2, 1, 6, 6)


def test_several_inputs() -> None:
    model, settings = Two(), config(SEVERAL, "jacob_cov")
    x, y = (part[:BATCH].clone().requires_grad_() for part in settings.images.parts)
    jacobians = torch.autograd.grad(model(x, y).sum(), [x, y])
    row = CATALOGUE["data_jacobian"]
    [measured] = measure(model, settings, [row]).tensors[row.name]
    torch.testing.assert_close(measured, torch.cat([j.flatten(1) for j in jacobians], 1))
    loss = F.cross_entropy(model(x[: BATCH // 2], y[: BATCH // 2]), labels(7))
    assert score("snip", model, SEVERAL) == pytest.approx(snip(loss, weights_of(model)), rel=1e-4)
    assert score("live_params", model, SEVERAL) == score("params", model, SEVERAL)
    assert score("flops", model, SEVERAL) == 27 * 4 * 48 + 9 * 4 * 16 + 56
    for proxy in ("synflow", "naswot", "jacob_cov", "zico", "grasp", "vkdnw_entropy"):
        score(proxy, model, SEVERAL)


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (Two, (IMAGE, SIDE)),
        (Two, [IMAGE, SIDE]),
        (Two, {"x": IMAGE, "y": SIDE}),
        (Two, {"x": IMAGE, "y": SIDE, "scale": 1.0}),
        (Named, {"image": IMAGE, "side": SIDE}),
        (Together, {"image": IMAGE, "side": SIDE}),
        (Pair, (IMAGE, SIDE)),
        (Two, ["3,8,10", "1,6,6"]),
        (Two, ["3,8,10", (1, 6, 6)]),
    ],
)
def test_an_example_is_followed(model: type[nn.Module], example: object) -> None:
    for proxy in ("snip", "synflow", "jacob_cov", "params"):
        assert score(proxy, model(), example) == score(proxy, Two(), SEVERAL), proxy


def test_an_example_of_one_tensor() -> None:
    assert score("snip", Plain(1), torch.rand(3, 1, 8, 12)) == score("snip", Plain(1), (1, 8, 12))
    half = torch.zeros(2, 3, 8, 8, dtype=torch.float64)
    assert score("snip", Plain().double(), half) == score("snip", Plain().double(), (3, 8, 8))
    assert score("snip", Plain(), half) == score("snip", Plain(), (3, 8, 8))  # which takes no other


def test_whole_numbers_of_an_example_stay_within_its_bounds() -> None:
    class Masked(Words):
        def forward(self, ids: Tensor, mask: Tensor, kinds: Tensor | None = None) -> Tensor:
            assert mask.dtype == torch.bool
            assert mask.all()
            assert kinds is None or bool((kinds == 0).all())
            assert ids.min() >= 4
            assert ids.max() <= 9
            return super().forward(ids)

    ids = torch.tensor([[4, 5, 9], [6, 7, 8]])
    example = {"ids": ids, "mask": ids > 0, "kinds": torch.zeros_like(ids)}
    assert score("naswot", Masked(), example) != 0
    assert score("snip", Masked(), (ids, ids > 0)) > 0


def test_tokens_beside_an_image() -> None:
    class Both(Two):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(20, 4)
            refill(self)

        def forward(self, tokens: Tensor, x: Tensor) -> Tensor:
            sides = [self.words(tokens).mean(1), F.relu(self.colour(x)).mean((2, 3))]
            return self.head(torch.cat(sides, 1))

    sizes = ["tokens:5:20", "3,8,8"]
    assert score("live_params", Both(), sizes) == 112 + 63
    for proxy in ("snip", "jacob_cov", "synflow", "zen"):
        result = evaluated(proxy, Both(), sizes)
        assert math.isfinite(result.value) or "norm" in result.reason, (proxy, result)


def test_the_command_takes_inputs_one_by_one(tmp_path, monkeypatch) -> None:
    names = {"two": Two, "words": Words}
    monkeypatch.setattr("tests.hunt.small.two", names["two"], raising=False)
    monkeypatch.setattr("tests.hunt.small.words", names["words"], raising=False)
    sizes = ["--input", "3,8,10", "--input", "1,6,6"]
    outcome = call("score", "flops", "tests.hunt.small:two", *sizes)
    assert outcome.code == 0
    assert "5816" in outcome.out.replace(",", "")
    assert call("score", "params", "tests.hunt.small:words", "--input", TOKENS).code == 0
    outcome = call("score", "jacob_cov", "tests.hunt.small:words", "--input", TOKENS)
    assert "tokens" in outcome.out


@pytest.mark.parametrize("text", ["tokens:5", "tokens:0:9", "tokens:a:b", "3x32", "", "-1,2", "3,"])
def test_a_size_that_cannot_be_read(text: str) -> None:
    assert "tokens:LENGTH:VOCAB" in refusal(lambda: config(text))


def test_images_are_not_taken_for_other_inputs() -> None:
    batch = generated(64, 8)
    for size in ((4, 8, 8), (3, 64), TOKENS, SEVERAL):
        line = refusal(lambda size=size: eznas.load("snip").score(Plain(), size, images=batch))
        assert line.startswith("images: ")
    grey = eznas.load("snip").measurement_config((1, 4, 4), 8, batch).images
    assert grey.shape == (1, 4, 4)
    assert "proportions" in refusal(
        lambda: eznas.load("snip").score(Plain(), (3, 8, 16), images=batch)
    )
