"""Different ways to write or to initialise the same model give the same measurement."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.initialisation import kaiming
from eznas.statistics.measuring import measure
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet
from tests.statistics.measurements import (
    ALL_ROWS,
    CELL,
    CONFIG,
    close,
    differences,
    in_dtype_of,
    keep_config,
)

NB201 = SPACES["nasbench201"]
MODELS = (TinyResNet, Concat, SharedConv, NoBatchNorm, Mlp)


def with_relus(model: nn.Module, inplace: bool) -> nn.Module:
    """A copy whose ReLUs all operate in place, or none."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = inplace
    return model


class Forked(nn.Module):
    """The activation in place is not the only operation on its input, which is a view."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Linear(8, 10)
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.a(x))
        side = y + 1
        y = self.b(self.relu(y)).flatten(1)
        y = torch.cat([y + 1, self.relu(y)], 1).reshape(len(x), 8, -1)
        return self.head(y.mean(2) + side.mean((2, 3)).repeat(1, 2))


class Preactivated(nn.Module):
    """Where norms are left out, an activation in place would change the residual."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.short = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU()
        self.conv, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        short = self.short(x)
        x = short + x + self.conv(self.relu(self.norm(x)))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("build", [TinyResNet, Forked, Preactivated])
def test_activations_in_place(build) -> None:
    model = build()
    out_of_place = measure(with_relus(model, inplace=False), CONFIG, ALL_ROWS)
    in_place = measure(with_relus(model, inplace=True), CONFIG, ALL_ROWS)
    assert differences(out_of_place, in_place, 5e-5) == []
    backward_probes = {"curvature", "local", "fisher"}
    forward_rows = [
        row.name for row in ALL_ROWS if not row.gradient and row.probe not in backward_probes
    ]
    assert all(
        close(x, y, 0.0)
        for name in forward_rows
        for x, y in zip(out_of_place.tensors[name], in_place.tensors[name], strict=True)
    )


@pytest.mark.parametrize("build", [TinyResNet, Concat, lambda: NB201.build(CELL)])
def test_memory_formats(build) -> None:
    """The formats of model and images affect rounding only. In float64, since the correlation of a
    channel with little variance amplifies rounding errors."""
    torch.manual_seed(0)
    model = build().double()
    contiguous = measure(model, in_dtype_of(model), ALL_ROWS)
    channels_last = in_dtype_of(model)
    pixels = channels_last.images.pixels.contiguous(memory_format=torch.channels_last)
    channels_last = replace(channels_last, images=replace(channels_last.images, pixels=pixels))
    model = model.to(memory_format=torch.channels_last)
    for name, tensors in measure(model, channels_last, ALL_ROWS).tensors.items():
        for x, y in zip(tensors, contiguous.tensors[name], strict=True):
            assert (x is None) == (y is None)
            if x is not None and y is not None:
                # The largest entry of a shift's gradient is itself a difference.
                assert (x - y).abs().max() <= 1e-9 * (y.abs().max() + 1e-2)


class Viewed(NoBatchNorm):
    """`view` needs contiguous rows, and so fails on channels-last tensors."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.relu(self.conv(x)), 2)
        return self.classifier(x.view(len(x), -1))


class Reshaped(NoBatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.relu(self.conv(x)), 2)
        return self.classifier(x.reshape(len(x), -1))


def test_models_that_view_their_features() -> None:
    viewed, reshaped = (measure(build(), CONFIG, ALL_ROWS) for build in (Viewed, Reshaped))
    assert differences(viewed, reshaped, 1e-4) == []


def test_the_image_itself_changed_in_place() -> None:
    class Shifted(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.sub_(0.5))

    class Subtracted(NoBatchNorm):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x - 0.5)

    pixels = CONFIG.images.pixels.clone()
    measured = measure(Shifted(), CONFIG, ALL_ROWS)
    assert differences(measured, measure(Subtracted(), CONFIG, ALL_ROWS)) == []
    assert torch.equal(pixels, CONFIG.images.pixels)


def test_logits_in_a_named_tuple() -> None:
    """As torchvision's GoogLeNet returns them in train mode."""

    class Auxiliary(NoBatchNorm):
        def forward(self, x: Tensor):
            return torch.return_types.max((super().forward(x), x))

    class Named(NoBatchNorm):
        def forward(self, x: Tensor):
            self.logits = super().forward(x)
            return self

    builds = (Auxiliary, Named, NoBatchNorm)
    auxiliary, named, plain = (measure(build(), CONFIG, ALL_ROWS) for build in builds)
    assert differences(auxiliary, plain) == []
    assert differences(named, plain) == []


@pytest.mark.parametrize("build", MODELS)
def test_keep_is_the_model_as_it_is(build) -> None:
    """A model that holds the Kaiming parameters measures as one for which they are drawn."""
    model = build()
    initialised = copy.deepcopy(model)
    initialised.load_state_dict(kaiming(model, CONFIG.seed), strict=True)
    measured = measure(initialised, keep_config(seed=CONFIG.seed), ALL_ROWS)
    assert differences(measured, measure(model, CONFIG, ALL_ROWS)) == []
    name = "data_conv_output"
    other_parameters = measure(model, keep_config(), [CATALOGUE[name]]).tensors[name]
    assert not close(measured.tensors[name][0], other_parameters[0], 0.01)


@pytest.mark.parametrize("build", MODELS)
def test_kaiming_does_not_depend_on_the_weights(build) -> None:
    torch.manual_seed(1)
    measured = measure(build(), CONFIG, ALL_ROWS)
    torch.manual_seed(2)
    model = build()
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(3)
    assert differences(measured, measure(model, CONFIG, ALL_ROWS)) == []
    other_seed = MeasurementConfig(CONFIG.images, raw=6, sketch=12, seed=CONFIG.seed + 1)
    name = "data_conv_output"
    tensors = measure(model, other_seed, [CATALOGUE[name]]).tensors[name]
    assert not close(measured.tensors[name][0], tensors[0], 0.01)


def test_a_network_built_on_the_meta_device() -> None:
    """Shapes are enough where all tensors are initialised."""
    with torch.device("meta"):
        model = NB201.build(CELL)
    measured = measure(model, CONFIG, ALL_ROWS)
    assert differences(measured, measure(NB201.build(CELL), CONFIG, ALL_ROWS)) == []
    assert all(p.is_meta for p in model.parameters())
