"""Activations are known by what they do; what was not seen is undefined, with the reason."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from tests.hunt.networks import Small, evaluated, notes, refill, score, undefined

ACTIVATION_PROXIES = ("naswot", "swap", "zen", "hybrid", "eznas_a", "meco")


class Activated(Small):
    """The network with another activation."""

    def __init__(self, activation) -> None:
        super().__init__()
        self.activation = activation

    def start(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.stem(x)))

    def features(self, x: Tensor) -> Tensor:
        return self.activation(self.body(self.start(x)))


class OwnBackward(torch.autograd.Function):
    """Swish that keeps less memory, as in several EfficientNets."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return gradient * (s * (1 + x * (1 - s)))


def zero_below(x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x


def swish_in_place(x: Tensor) -> Tensor:
    return x.mul_(torch.sigmoid(x))


HOME_MADE = {  # home-made, as torch has it
    "swish": (lambda x: x * torch.sigmoid(x), F.silu),
    "swish in place": (swish_in_place, F.silu),
    "swish with a backward": (OwnBackward.apply, F.silu),
    "clamp": (lambda x: x.clamp(min=0), F.relu),
    "clamp in place": (lambda x: x.clamp_(min=0), F.relu),
    "clamp to six": (lambda x: torch.clip(x, 0, 6), F.relu6),
    "maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), F.relu),
    "where": (lambda x: torch.where(x > 0, x, 0.01 * x), F.leaky_relu),
    "mask": (lambda x: x * (x > 0), F.relu),
    "assignment": (zero_below, F.relu),
    "mean with its size": (lambda x: (x + x.abs()) / 2, F.relu),
    "mish": (lambda x: x * torch.tanh(F.softplus(x)), F.mish),
    "hard swish": (lambda x: x * F.relu6(x + 3) / 6, F.hardswish),
    "gelu": (lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))), F.gelu),
    "elu": (lambda x: torch.where(x > 0, x, torch.exp(x) - 1), F.elu),
    "threshold": (lambda x: F.threshold(x, 0.0, 0.0), F.relu),
}


@pytest.mark.parametrize("name", HOME_MADE)
def test_a_home_made_activation_counts_as_torchs_does(name):
    home_made, of_torch = HOME_MADE[name]
    for proxy in ("naswot", "swap", "zen", "eznas_a", "meco"):
        expected = score(proxy, Activated(of_torch))
        assert math.isfinite(expected)
        assert score(proxy, Activated(home_made)) == pytest.approx(expected, rel=2e-4), proxy


SITES = (
    *("data_relu_input", "data_relu_input_grad", "data_relu_output_correlation"),
    *("zen_relu_output_change", "label_weight_grad", "data_conv_input"),
)


@pytest.mark.parametrize("name", HOME_MADE)
def test_its_tensors_are_those_of_torchs(name):
    config = MeasurementConfig(generated(8, 8), raw=4, sketch=8, initialisation="keep")
    rows = [CATALOGUE[site] for site in SITES]
    ours, theirs = (measure(Activated(f), config, rows) for f in HOME_MADE[name])
    assert [layer.activation for layer in ours.structure.layers] == [None, 0, 1]
    for row in rows:
        pairs = zip(ours.tensors[row.name], theirs.tensors[row.name], strict=True)
        for a, b in pairs:
            assert (a is None) == (b is None), row.name
            if a is not None and row.name != "data_relu_output_correlation":
                torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_an_input_in_two_branches_gets_the_gradient_through_the_activation_alone():
    class Branches(Activated):
        def features(self, x: Tensor) -> Tensor:
            x = self.norm(self.stem(x))
            return self.body(self.activation(x)) + 0.1 * x

    config = MeasurementConfig(generated(4, 8), raw=4, sketch=4, initialisation="keep")
    rows = [CATALOGUE["data_relu_input_grad"]]
    gradients = []
    for activation in (F.silu, lambda x: x * torch.sigmoid(x)):
        gradients.append(measure(Branches(activation), config, rows).tensors[rows[0].name][1])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "function", [torch.tanh, torch.sigmoid, torch.sin, F.softsign, F.hardsigmoid, F.tanhshrink]
)
def test_smooth_functions_between_layers_are_activations(function):
    config = MeasurementConfig(generated(4, 8), raw=4, sketch=4, initialisation="keep")
    structure = measure(Activated(function), config, []).structure
    assert len(structure.rows["activations"]) == 2
    assert not math.isnan(score("naswot", Activated(function)))


class Around(Small):
    """ReLU, and a function of the body's output beside it."""

    def __init__(self, wrap) -> None:
        super().__init__(squeeze=nn.Linear(8, 8), scale=nn.Parameter(torch.ones(8)))
        self.wrap = wrap

    def add_module(self, name, module) -> None:
        if isinstance(module, nn.Parameter):
            self.register_parameter(name, module)
        else:
            super().add_module(name, module)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.wrap(self, self.body(self.start(x))))


def excited(model: Around, x: Tensor) -> Tensor:
    return x * torch.sigmoid(model.squeeze(x.mean((2, 3))))[:, :, None, None]


NO_ACTIVATIONS = {
    "gate": excited,
    "gate of maps": lambda m, x: x * torch.sigmoid(m.norm(x)),
    "norm": lambda m, x: (x - x.mean(1, True)) / (x.var(1, keepdim=True) + 1e-5).sqrt(),
    "rms norm": lambda m, x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6),
    "scale": lambda m, x: x * m.scale[:, None, None] + 0.5,
    "dropout": lambda m, x: F.dropout(x, 0.5),
    "wide clamp": lambda m, x: x.clamp(-60000, 60000),
    "softmax": lambda m, x: x + x.softmax(1),
    "layer norm": lambda m, x: F.layer_norm(x, x.shape[1:]),
    "nothing": lambda m, x: x,
}


@pytest.mark.parametrize("name", NO_ACTIVATIONS)
def test_gates_norms_and_straight_lines_are_no_activations(name):
    config = MeasurementConfig(generated(4, 8), raw=4, sketch=4, initialisation="keep")
    structure = measure(Around(NO_ACTIVATIONS[name]), config, []).structure
    assert len(structure.rows["activations"]) == 2


def test_what_no_layer_follows_is_no_activation():
    class Probabilities(Small):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(super().forward(x))

    assert score("swap", Probabilities()) == score("swap", Small())


class Straight(Small):
    """No activation and no batch norm."""

    def features(self, x: Tensor) -> Tensor:
        return self.body(self.stem(x))


@pytest.mark.parametrize("proxy", ["naswot", "swap", "zen", "hybrid", "live_naswot", "eznas_a"])
def test_a_network_without_activations_is_undefined(proxy):
    assert "activation" in undefined(proxy, Straight())


def test_terms_over_what_is_missing_are_zero_where_the_authors_add_nothing():
    """MeCo adds over batch norms and over activations, Zen over batch norms."""
    assert math.isfinite(score("meco", Straight()))

    class WithoutNorm(Small):
        def start(self, x: Tensor) -> Tensor:
            return F.relu(self.stem(x))

    assert math.isfinite(score("zen", WithoutNorm()))


class ConvolutionalHead(Small):
    """Logits of shape [batch, classes, 1, 1]."""

    def __init__(self) -> None:
        super().__init__(head=nn.Conv2d(8, 10, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3), keepdim=True))


@pytest.mark.parametrize("proxy", ["snip", "vkdnw_entropy", "zico", "jacob_cov", "synflow"])
def test_logits_with_axes_of_length_one(proxy):
    flat = Small()
    model = ConvolutionalHead()
    model.load_state_dict(
        {k: v.reshape(model.state_dict()[k].shape) for k, v in flat.state_dict().items()}
    )
    assert score(proxy, model) == pytest.approx(score(proxy, flat), rel=1e-3)


def test_logits_that_are_no_classes_are_undefined_for_fisher():
    class Maps(Small):
        def forward(self, x: Tensor) -> Tensor:
            return self.features(x)

    assert "logits" in undefined("vkdnw_entropy", Maps())


class NoGradient(torch.autograd.Function):
    """What passes no gradient on, as quantised layers do."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return None


class Quantised(Small):
    def forward(self, x: Tensor) -> Tensor:
        return NoGradient.apply(super().forward(x))


class Still(Small):
    """The stem runs without gradients."""

    def start(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().start(x)


class Detached(Small):
    def features(self, x: Tensor) -> Tensor:
        return super().features(x).detach()


GRADIENT_PROXIES = ("jacob_cov", "zico", "epe_nas", "snip", "grad_norm", "synflow", "eznas_a_sum")


@pytest.mark.parametrize("proxy", GRADIENT_PROXIES)
def test_a_head_that_passes_no_gradient_on_is_undefined(proxy):
    assert "gradient" in undefined(proxy, Quantised())
    assert score("params", Quantised()) == score("params", Small())


LIVE_PROXIES = ("zico", "eznas_a_sum", "jacob_cov", "az_expressivity", "live_naswot", "depth")


@pytest.mark.parametrize("proxy", [*LIVE_PROXIES, "live_params"])
@pytest.mark.parametrize("build", [Still, Detached])
def test_a_part_without_gradients_is_one_answer_everywhere(build, proxy):
    assert "without gradients" in undefined(proxy, build())


def test_what_needs_no_gradient_has_its_value_there():
    for proxy in ("naswot", "params", "flops", "swap"):
        assert score(proxy, Still()) == pytest.approx(score(proxy, Small()))


def test_nothing_between_image_and_logits_stays_the_lowest():
    class Disconnected(Small):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(torch.zeros_like(self.features(x)).mean((2, 3)))

    for proxy in ("jacob_cov", "live_naswot", "az_progressivity"):
        assert score(proxy, Disconnected()) == -math.inf
    assert score("snip", Disconnected()) == 0


def test_a_score_has_no_reason_and_no_note():
    result = evaluated("naswot", refill(Small()))
    assert (result.reason, result.notes) == ("", ())
    assert notes("snip", Small()) == ""
