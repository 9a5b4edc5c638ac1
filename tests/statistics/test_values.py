"""Every statistic equals the same thing written out by hand, in shapes that follow its type."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.evaluation.bank import stack
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE, PATHS
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import MeasuredNetwork, measure
from eznas.statistics.statistic import Statistic
from eznas.statistics.structure import PATH_QUANTITIES
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet
from tests.statistics.by_hand import ByHand, Small, expected_tensors, second_draw, standard_normal
from tests.statistics.measurements import (
    ALL_ROWS,
    CONFIG,
    LABEL,
    RAW,
    SKETCH,
    StochasticModel,
    in_dtype_of,
    keep_config,
)

MODELS = (TinyResNet, Concat, SharedConv, NoBatchNorm, Mlp)


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def small(request: pytest.FixtureRequest) -> Small:
    """In float32, the usual type, and in float64, where no error is lost in rounding."""
    torch.manual_seed(0)
    model = Small()
    for module in model.modules():  # with fresh norms, a forgotten 1 or 0 would not show
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2.0)
            nn.init.uniform_(module.bias, -1.0, 1.0)
            nn.init.uniform_(module.running_mean, -1.0, 1.0)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.to(request.param)


@pytest.fixture(scope="module")
def measured(small: Small) -> MeasuredNetwork:
    return measure(small, in_dtype_of(small), ALL_ROWS)


@pytest.fixture(scope="module")
def by_hand(small: Small, measured: MeasuredNetwork) -> dict[str, ByHand]:
    """One run for each excitation; noise and shift are those that reached the first layer."""
    parameters = dict(small.named_parameters())
    pixels = in_dtype_of(small).images.pixels
    images = pixels[:RAW]
    noise, shift = (measured.tensors[f"{p}_conv_input"][0] for p in ("noise", "shift"))
    assert noise is not None
    assert shift is not None
    normal_parameters = standard_normal(parameters)
    moved_noise = noise + 0.01 * second_draw(noise)
    return {
        "data": ByHand(parameters, images),
        "many": ByHand(parameters, pixels[:SKETCH]),
        "single": ByHand(parameters, pixels[:1]),
        "label": ByHand(parameters, pixels[:LABEL]),
        "label2": ByHand(parameters, pixels[LABEL : 2 * LABEL]),
        "noise": ByHand(parameters, noise),
        "moved": ByHand(parameters, images + shift),
        "flow": ByHand(parameters, images, flow=True),
        "zen": ByHand(normal_parameters, noise),
        "zen moved": ByHand(normal_parameters, moved_noise),
    }


@pytest.mark.parametrize("row", ALL_ROWS, ids=CATALOGUE)
def test_statistic(
    row: Statistic, small: Small, measured: MeasuredNetwork, by_hand: dict[str, ByHand]
) -> None:
    tensors, expected = measured.tensors[row.name], expected_tensors(row, by_hand, small)
    assert [x is None for x in tensors] == [y is None for y in expected]
    exact = row.probe in ("flow", "structure") or small.linear.weight.dtype == torch.float64
    for x, y in zip(tensors, expected, strict=True):
        if x is not None and y is not None:
            assert x.shape == y.shape
            if row.sketch == "image_signs" and not exact:
                assert (x != y).double().mean() < 0.03  # signs of tiny numbers are due to rounding
                continue
            # Rounding cancels less in a difference, and a gradient before a norm sums to nearly 0.
            scale = y.abs().max() + 1e-3
            assert (x - y).abs().max() <= (1e-11 if exact else 3e-4) * scale
    all_zero = row.name == "paths_pools_min"  # one of the paths has no pooling
    assert any(x is not None and x.abs().max() > 0 for x in tensors) != all_zero


def test_sites_of_the_small_model(measured: MeasuredNetwork) -> None:
    """The first layer has no activation, the last no norm."""
    assert [layer.activation for layer in measured.structure.layers] == [None, 0, 1]
    assert [layer.norm for layer in measured.structure.layers] == [0, 1, None]
    for axis in ("activations", "norms", "blocks"):
        assert [live for _, live in measured.structure.along(axis)] == [True, True]


def test_noise_and_shift_are_what_they_should_be() -> None:
    """Standard normal; a tenth of it, added to the images."""
    config = MeasurementConfig(
        generated(8, size=32), raw=8, sketch=64, initialisation="keep", seed=5
    )
    rows = [CATALOGUE[f"{p}_conv_input"] for p in ("noise", "shift")]
    tensors = measure(TinyResNet(), config, rows).tensors
    noise, shift = tensors["noise_conv_input"][0], tensors["shift_conv_input"][0]
    assert noise is not None
    assert shift is not None
    assert noise.shape == (8, 3, 32, 32)
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03
    assert (shift - 0.1 * noise).abs().max() < 1e-6
    other_seed = measure(
        TinyResNet(), MeasurementConfig(config.images, raw=8, sketch=64, seed=6), rows[:1]
    ).tensors
    assert not torch.equal(noise, other_seed["noise_conv_input"][0])


@pytest.mark.parametrize("build", MODELS)
def test_shapes_follow_the_type(build) -> None:
    dimensions = {"maps": 4, "weights": 4, "samples": 2, "matrix": 2, "vector": 1, "scalar": 0}
    measured = measure(build(), CONFIG, ALL_ROWS)
    for row in ALL_ROWS:
        tensors = measured.tensors[row.name]
        axis = row.type.axis
        assert len(tensors) == (1 if axis == "networks" else len(measured.structure.along(axis)))
        for tensor in (t for t in tensors if t is not None):
            assert tensor.dim() == dimensions[row.type.form]
            assert not tensor.requires_grad
            if row.type.batch:
                batch = {"raw": RAW, "sketch": SKETCH}[row.type.batch]
                assert tensor.shape[0] == batch
            if row.type.form == "samples":
                assert tensor.shape == (batch, batch)
    assert stack([measured]).blocks.keys() == CATALOGUE.keys()


def test_tokens() -> None:
    """A linear layer on [batch, tokens, channels] counts tokens as positions."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Linear(3, 5), nn.Linear(5, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.inner(x.flatten(2).mT)).mean(1))

    tensors = measure(Tokens(), CONFIG, ALL_ROWS).tensors
    assert tensors["data_conv_output"][0].shape == (RAW, 5, 64, 1)
    assert torch.equal(
        tensors["data_conv_input"][0][:, :, :, 0], CONFIG.images.pixels[:RAW].flatten(2)
    )
    assert tensors["label_conv_output_saliency"][0].shape == (LABEL, 5)
    assert tensors["label_weight_grad_std"][0].shape == (5, 3, 1, 1)
    assert tensors["data_conv_output_correlation"][0].shape == (5, 5)
    assert tensors["noise_block_output_covariance"] == tensors["local_block_transfer"] == []
    assert [x.item() for x in (tensors[f"paths_{q}_max"][0] for q in PATH_QUANTITIES)] == [
        *(0, 0, 0),  # no convolution, no pooling, no window
        pytest.approx(math.log(3 * 5 * 5 * 10)),
        3,
    ]
    assert [x.item() for x in tensors["layer_area"]] == [64, 1]
    assert [x.item() for x in tensors["layer_flops"]] == [64 * 15, 50]
    assert [x.item() for x in tensors["layer_channels"]] == [5, 10]


def test_gradients_where_the_image_does_not_reach() -> None:
    """A layer fed by zeros still reaches the logits, and so has a gradient at its output."""
    torch.manual_seed(0)
    model = StochasticModel()
    name = "data_conv_output_grad"
    gradients = measure(model, keep_config(), [CATALOGUE[name]]).tensors[name]
    _, unused, zero_fed, detached, _ = gradients
    assert zero_fed.abs().max() > 0
    assert torch.equal(zero_fed, detached)  # both are terms of one sum
    assert unused.abs().max() == 0


def test_a_network_that_ignores_the_image_has_no_jacobian() -> None:
    disconnected = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    tensors = measure(SPACES["nasbench201"].build(disconnected), CONFIG, ALL_ROWS).tensors
    assert tensors["data_jacobian"] == [None]
    assert all(tensors[name] == [None] for name in PATHS)
    assert all(g.abs().max() == 0 for g in tensors["flow_weight_grad"][:-1])


def test_flow_of_a_deep_network_is_finite() -> None:
    """The product of 40 layers of positive weights does not fit into float32."""
    layers = [nn.Conv2d(3, 32, 3, padding=1)] + [nn.Conv2d(32, 32, 3, padding=1) for _ in range(40)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
    rows = [CATALOGUE["flow_weight_grad"]]
    gradients = measure(model, CONFIG, rows).tensors["flow_weight_grad"]
    assert all(g.dtype == torch.float64 and g.isfinite().all() for g in gradients)
    assert max(g.max().item() for g in gradients) > 1e39
    assert math.isfinite(sum(g.sum().item() for g in gradients))
