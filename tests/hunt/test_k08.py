"""Whatever carries weights is a layer, or is named with the share of parameters it holds."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import eznas
from eznas.statistics.activations import found_sites
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.statistics.sketches import per_image_gradients, with_four_axes
from eznas.statistics.tracing import Tracer
from tests.hunt import references
from tests.hunt.networks import Small, notes, score
from tests.hunt.references import BY_WEIGHTS


class Body(Small):
    """Another body between stem and head; its weights of two and more axes are layers'."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__(**{"body": nn.Identity(), **parts})

    def weights(self) -> list[Tensor]:
        return [p for p in self.parameters() if p.dim() > 1]


class Upsampled(Body):
    def __init__(self) -> None:
        super().__init__(body=nn.ConvTranspose2d(8, 8, 2, stride=2))


class Grouped(Body):
    def __init__(self) -> None:
        super().__init__(
            body=nn.ConvTranspose2d(8, 12, 3, 2, 1, output_padding=1, groups=4, dilation=1),
            head=nn.Linear(12, 10),
        )


class Sequence(Body):
    """One-dimensional convolutions over the positions."""

    def __init__(self) -> None:
        super().__init__(
            body=nn.Sequential(
                nn.Conv1d(8, 6, 3, stride=2),
                nn.BatchNorm1d(6),
                nn.ReLU(),
                nn.ConvTranspose1d(6, 8, 4),
            )
        )

    def features(self, x: Tensor) -> Tensor:
        return self.body(self.start(x).flatten(2))[..., None]


class Volume(Body):
    """Three-dimensional convolutions over channels and positions."""

    def __init__(self) -> None:
        super().__init__(
            body=nn.Sequential(
                nn.Conv3d(1, 3, 3, stride=2), nn.ReLU(), nn.ConvTranspose3d(3, 1, 2)
            ),
            head=nn.Linear(4, 10),
        )

    def features(self, x: Tensor) -> Tensor:
        return self.body(self.start(x)[:, None])[:, 0]


class Attention(Body):
    """Attention over the positions of pooled maps, of one sequence or of two."""

    def __init__(self, *, other: bool = False, **how: object) -> None:
        super().__init__(body=nn.MultiheadAttention(8, 2, batch_first=True, **how))
        self.other = other

    def features(self, x: Tensor) -> Tensor:
        tokens = F.avg_pool2d(self.start(x), 8).flatten(2).mT
        memory = tokens.flip(1) * 0.5 if self.other else tokens
        y, _ = self.body(tokens, memory, memory, need_weights=False)
        return y.mT[..., None]


class Products(Body):
    """Weights that are no module's: products with parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.linspace(-1, 1, 40).reshape(8, 5).sin())
        self.second = nn.Parameter(torch.linspace(-2, 1, 40).reshape(5, 8).cos())

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x).mean((2, 3))
        return self.head(torch.matmul(F.relu(x @ self.first), self.second))


class Functional(Body):
    """Weights that are used by functions alone."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.linspace(-1, 1, 576).reshape(8, 8, 3, 3).sin())

    def features(self, x: Tensor) -> Tensor:
        return F.relu(F.conv2d(self.start(x), self.kernel, padding=1))


LAYERS = {
    "transposed": Upsampled,
    "transposed in groups": Grouped,
    "one-dimensional": Sequence,
    "three-dimensional": Volume,
    "attention": Attention,
    "attention of two sequences": lambda: Attention(other=True),
    "products": Products,
    "functions": Functional,
}


@pytest.mark.parametrize("proxy", BY_WEIGHTS)
@pytest.mark.parametrize("name", LAYERS)
def test_sums_over_weights(name, proxy):
    def weights(model: nn.Module) -> list[Tensor]:
        if name == "attention of two sequences" and proxy == "l2_norm":  # the parts run apart
            query, memory = model.body.in_proj_weight.split([8, 16])
            rest = [w for w in model.weights() if w is not model.body.in_proj_weight]
            return [query, memory, *rest]
        return model.weights()

    model = LAYERS[name]()
    if name == "attention of two sequences" and proxy in ("grad_norm", "zico"):
        pytest.skip("a norm of two parts is not that of the whole")
    expected = BY_WEIGHTS[proxy](LAYERS[name](), weights)
    tolerance = {"plain": 1e-3, "zico": 1e-2}.get(proxy, 5e-5)
    assert score(proxy, model) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("name", LAYERS)
def test_flops_are_those_of_torchs_counter(name):
    assert score("flops", LAYERS[name]()) == references.flops(LAYERS[name]())
    assert notes("flops", LAYERS[name]()) == ""


def test_a_transposed_convolution_by_hand():
    assert score("flops", Upsampled()) == 221_184 + 80 + 8 * 8 * 4 * 1024 == 483_408
    assert score("live_params", Upsampled()) == 216 + (256 + 8) + 90
    assert score("params", Upsampled()) == score("live_params", Upsampled()) + 16


@pytest.mark.parametrize("name", LAYERS)
def test_weights_and_their_gradients_have_one_form(name):
    config = MeasurementConfig(generated(8, 32), raw=4, sketch=8, initialisation="keep")
    names = ("label_weight_grad", "label_weight_grad_signs", "weight", "curvature_weight_grad")
    if "attention" in name:
        names = names[:-1]  # torch cannot differentiate its fast attention twice
    tensors = measure(LAYERS[name](), config, [CATALOGUE[n] for n in names]).tensors
    for rows in zip(*tensors.values(), strict=True):
        shapes = {row.shape for row in rows if row is not None}
        assert len(shapes) == 1
        assert rows[0] is not None


@pytest.mark.parametrize("name", LAYERS)
def test_every_statistic_has_the_form_of_its_type(name):
    """Whatever the number of axes, formulas take the tensors of these layers."""
    for formula in (
        "sum_all_layers(sum(data_conv_input))",
        "sum_all_layers(norm(noise_conv_output_covariance))",
        "sum_all_layers(mean(data_conv_output_correlation))",
        "sum_all_layers(norm(data_conv_output_gram))",
        "sum_all_layers(layer_kernel)",
        "entropy(fisher_deciles)",
        "paths_field_max + paths_convs_max",
        "sum_layers(norm(label_conv_output_saliency))",
    ):
        value = score(formula, LAYERS[name]())
        assert value == value, formula


class Unseen(Body):
    """Parameters that no layer has."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.mixed = {
            "lstm": lambda: nn.LSTM(8, 8, batch_first=True),
            "embedding": lambda: nn.Embedding(4, 8),
            "bilinear": lambda: nn.Bilinear(8, 8, 8),
            "unused": lambda: nn.Linear(8, 8),
            "einsum": lambda: nn.Linear(8, 8, bias=False),
        }[kind]()

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x).mean((2, 3))
        if self.kind == "lstm":
            x = self.mixed(x[:, None])[0][:, 0]
        elif self.kind == "embedding":
            x = x + self.mixed((x[:, 0] > 0).long())
        elif self.kind == "bilinear":
            x = self.mixed(x, x)
        elif self.kind == "einsum":
            x = torch.einsum("bi,oi->bo", x, self.mixed.weight)
        return self.head(x)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("lstm", "lstm"),
        ("embedding", "embedding"),
        ("bilinear", "bilinear"),
        ("unused", "not used"),
        ("einsum", "einsum"),
    ],
)
def test_what_is_no_layer_is_named_with_its_share(kind, word):
    model = Unseen(kind)
    share = sum(map(torch.numel, model.mixed.parameters())) / score("params", model)
    for proxy in ("flops", "live_params", "snip"):
        text = notes(proxy, model)
        assert f"{word} {100 * share:.2g} %" in text
    assert notes("params", model) == notes("naswot", model) == ""


def test_norms_of_any_kind_and_activations_with_weights_are_not_named():
    class Norms(Body):
        def __init__(self) -> None:
            super().__init__(a=nn.GroupNorm(2, 8), b=nn.InstanceNorm2d(8, affine=True))
            self.c, self.d = nn.LayerNorm([8, 32, 32]), nn.PReLU(8)

        def features(self, x: Tensor) -> Tensor:
            return self.d(self.c(self.b(self.a(self.start(x)))))

    assert notes("flops", Norms()) == ""


def test_notes_are_warnings():
    with pytest.warns(UserWarning, match="in no layer that is counted: lstm"):
        eznas.load("flops").score(Unseen("lstm"))


@pytest.mark.parametrize("name", LAYERS)
def test_images_add_up_to_the_gradient_of_the_batch(name):
    """`per_image_gradients` divides the gradient at a weight among the images."""
    weights: dict[int, Tensor] = {}
    model, images = LAYERS[name](), generated(4, 32)
    inputs: dict[int, Tensor] = {}
    outputs: dict[int, Tensor] = {}

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role == "layer" and slot == "input":
            inputs[index] = tensor.detach()
        elif role == "layer" and slot == "output":
            outputs[index] = tensor
        elif role == "layer":
            weights[index] = tensor

    recorded = Tracer(record=True)
    with recorded.following(model):
        model(images.pixels)
    sites = found_sites(recorded, recorded.dataflow)
    tracer = Tracer(visit, sites=sites)
    with tracer.following(model):
        logits = model(images.pixels)
    loss = F.cross_entropy(logits, images.labels)
    indices = [i for i in outputs if len(outputs[i]) == len(images.pixels)]
    gradients = torch.autograd.grad(loss, [outputs[i] for i in indices], retain_graph=True)
    at_weights = torch.autograd.grad(loss, [weights[i] for i in indices])
    for i, gradient, at_weight in zip(indices, gradients, at_weights, strict=True):
        event = tracer.events["layer"][i]
        parts = per_image_gradients(inputs[i], gradient, event)
        whole = with_four_axes(event.ordered(at_weight))
        assert parts.shape == (len(images.pixels), *whole.shape)
        torch.testing.assert_close(parts.sum(0), whole, rtol=2e-3, atol=2e-5)
