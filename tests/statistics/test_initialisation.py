"""Fresh parameters equal the published recipe, drawn without touching the model."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.initialisation import Parameters, current_tensors, kaiming
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet, init

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"


def network() -> nn.Module:
    return SPACES["nasbench201"].build(CELL)


def equal(a: Parameters, b: Parameters) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a
    )


def strangers(model: nn.Module) -> nn.Module:
    """The model with every tensor away from where an initialisation puts it."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(5)
    return model


@pytest.mark.parametrize("build", [network, TinyResNet, Concat, SharedConv, NoBatchNorm, Mlp])
@pytest.mark.parametrize("seed", [0, 7])
def test_kaiming_equals_the_published_recipe(build, seed) -> None:
    want = init(build(), seed).state_dict()  # a new model's running statistics are 0 and 1
    assert equal(kaiming(strangers(build()), seed), want)


def test_kaiming_depends_on_the_seed() -> None:
    one, two = kaiming(Mlp(), 0), kaiming(Mlp(), 1)
    assert not torch.equal(one["2.weight"], two["2.weight"])


def test_kaiming_deviation() -> None:
    """sqrt(2 / fan-out), fan-out = output channels x kernel area, per group as torch has it."""
    model = nn.Sequential(nn.Conv2d(32, 128, 3), nn.Linear(500, 200))
    table = kaiming(model, 0)
    for name, fan in (("0.weight", 128 * 9), ("1.weight", 200)):
        assert table[name].std().item() == pytest.approx(math.sqrt(2 / fan), rel=0.02)


@pytest.mark.parametrize("make", [lambda m: kaiming(m, 0), current_tensors])
def test_the_model_is_not_touched(make) -> None:
    model = strangers(TinyResNet())
    before = copy.deepcopy(model.state_dict())
    chance = torch.get_rng_state()
    table = make(model)
    assert equal(before, model.state_dict())
    assert torch.equal(chance, torch.get_rng_state())
    assert not any(t.requires_grad for t in table.values())
    assert all(p.requires_grad for p in model.parameters())


def test_kept_is_the_model_as_it_is() -> None:
    model = strangers(TinyResNet())
    assert equal(current_tensors(model), model.state_dict())


def test_spectral_norm_takes_no_step() -> None:
    """To read a derived weight runs a power iteration, which changes the model."""
    model = nn.Sequential(spectral_norm(nn.Conv2d(3, 4, 3)))
    before = copy.deepcopy(model.state_dict())
    table = kaiming(model, 0)
    assert equal(before, model.state_dict())
    assert torch.equal(table["0.bias"], torch.zeros(4))


@pytest.mark.parametrize(
    "module",
    [
        weight_norm(nn.Conv2d(3, 4, 3)),
        nn.GroupNorm(2, 4),
        nn.LayerNorm(4),
        nn.Conv1d(3, 4, 3),
        nn.Embedding(3, 4),
        nn.PReLU(),
    ],
)
def test_what_the_recipe_does_not_name_stays(module) -> None:
    """Only the bias of a convolution is its own, whether or not the weight is derived."""
    table = kaiming(strangers(module), 0)
    expected = {
        name: 0 if name == "bias" and isinstance(module, nn.Conv2d) else 5 for name in table
    }
    assert {name: t.unique().item() for name, t in table.items()} == expected


def test_parts_that_are_missing() -> None:
    model = nn.Sequential(
        nn.BatchNorm2d(4, affine=False),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.Linear(4, 2, bias=False),
        nn.BatchNorm1d(2),
    )
    table = kaiming(strangers(copy.deepcopy(model)), 0)
    assert equal(table, init(model, 0).state_dict())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_types_are_the_models_own(dtype) -> None:
    """Whatever the default is: a bias of another type than its weight would not run."""
    model = TinyResNet().to(dtype)
    other = torch.float64 if dtype == torch.float32 else torch.float32
    torch.set_default_dtype(other)
    try:
        table = kaiming(model, 0)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {k: t.dtype for k, t in table.items()} == {
        k: t.dtype for k, t in model.state_dict().items()
    }
    assert equal(table, init(TinyResNet().to(dtype), 0).state_dict())


def test_shapes_are_enough() -> None:
    with torch.device("meta"):
        model = network()
    table = kaiming(model, 4)
    assert equal(table, init(network(), 4).state_dict())
    assert not any(t.is_meta for t in table.values())


def test_tied_weights_have_one_name() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    table = kaiming(model, 0)
    assert list(table) == ["0.weight", "0.bias", "2.bias"]


# The config of a measurement.

IMAGES = generated(4, size=8)


def test_conditions_name_an_initialisation() -> None:
    with pytest.raises(InputError, match="unknown initialisation 'kaimin'; did you mean 'kaiming'"):
        MeasurementConfig(IMAGES, initialisation="kaimin")


def test_conditions_batches() -> None:
    config = MeasurementConfig(IMAGES, raw=2, sketch=3)
    assert (config.size, config.batch("raw"), config.batch("sketch")) == (8, 2, 3)


def test_fingerprint_covers_what_a_score_depends_on() -> None:
    value_types: list[dict[str, object]] = [
        {},
        {"classes": 100},
        {"raw": 2},
        {"sketch": 16},
        {"initialisation": "keep"},
        {"seed": 1},
        {"device": "cuda"},
    ]
    prints = [MeasurementConfig(IMAGES, **value_type).fingerprint for value_type in value_types]  # type: ignore[arg-type]
    prints.append(MeasurementConfig(generated(4, size=8, seed=1)).fingerprint)
    prints.append(MeasurementConfig(generated(4, size=16)).fingerprint)
    assert len(set(prints)) == len(prints)
    assert (
        MeasurementConfig(IMAGES, device="cpu:0").fingerprint == prints[0]
    )  # one of its value_type
    assert MeasurementConfig(generated(4, size=8)).fingerprint == prints[0]


def test_conditions_as_plain_data() -> None:
    found = MeasurementConfig(IMAGES, seed=9).describe()
    assert found["images"] == IMAGES.fingerprint
    assert found["input"] == [3, 8, 8]
    assert found["seed"] == 9
    assert found["device"] == "cpu"
    assert found["definitions"] >= 2
    assert found["torch"] == str(torch.__version__)
