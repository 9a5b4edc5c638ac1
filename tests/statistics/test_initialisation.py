"""Initialised parameters equal the published recipe and leave the model unchanged; the config."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import Images, generated
from eznas.statistics.initialisation import Parameters, current_tensors, kaiming
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet, init

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"


def network() -> nn.Module:
    return SPACES["nasbench201"].build(CELL)


def equal(a: Parameters, b: Parameters) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a
    )


def filled(model: nn.Module) -> nn.Module:
    """The model with every entry set to 5, which no initialisation does."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.fill_(5)
    return model


@pytest.mark.parametrize("build", [network, TinyResNet, Concat, SharedConv, NoBatchNorm, Mlp])
@pytest.mark.parametrize("seed", [0, 7])
def test_kaiming_equals_the_published_recipe(build, seed) -> None:
    expected = init(build(), seed).state_dict()  # a new model's running statistics are 0 and 1
    assert equal(kaiming(filled(build()), seed), expected)


def test_kaiming_depends_on_the_seed() -> None:
    first, second = kaiming(Mlp(), 0), kaiming(Mlp(), 1)
    assert not torch.equal(first["2.weight"], second["2.weight"])


def test_kaiming_standard_deviation() -> None:
    """sqrt(2 / fan-out), fan-out = output channels x kernel area, per group as torch has it."""
    model = nn.Sequential(nn.Conv2d(32, 128, 3), nn.Linear(500, 200))
    tensors = kaiming(model, 0)
    for name, fan_out in (("0.weight", 128 * 9), ("1.weight", 200)):
        assert tensors[name].std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.02)


@pytest.mark.parametrize("initialise", [lambda m: kaiming(m, 0), current_tensors])
def test_the_model_is_not_changed(initialise) -> None:
    model = filled(TinyResNet())
    state = copy.deepcopy(model.state_dict())
    random_state = torch.get_rng_state()
    tensors = initialise(model)
    assert equal(state, model.state_dict())
    assert torch.equal(random_state, torch.get_rng_state())
    assert not any(t.requires_grad for t in tensors.values())
    assert all(p.requires_grad for p in model.parameters())


def test_current_tensors_are_those_of_the_model() -> None:
    model = filled(TinyResNet())
    assert equal(current_tensors(model), model.state_dict())


def test_spectral_norm_takes_no_step() -> None:
    """Reading a derived weight would run a power iteration, which changes the model."""
    model = nn.Sequential(spectral_norm(nn.Conv2d(3, 4, 3)))
    state = copy.deepcopy(model.state_dict())
    tensors = kaiming(model, 0)
    assert equal(state, model.state_dict())
    assert torch.equal(tensors["0.bias"], torch.zeros(4))


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
def test_tensors_that_the_recipe_does_not_name_stay(module) -> None:
    """Only the bias of the convolution is initialised here, whose weight is a derived one."""
    tensors = kaiming(filled(module), 0)
    expected = {
        name: 0 if name == "bias" and isinstance(module, nn.Conv2d) else 5 for name in tensors
    }
    assert {name: t.unique().item() for name, t in tensors.items()} == expected


def test_modules_without_bias_affine_parameters_or_running_statistics() -> None:
    model = nn.Sequential(
        nn.BatchNorm2d(4, affine=False),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.Linear(4, 2, bias=False),
        nn.BatchNorm1d(2),
    )
    tensors = kaiming(filled(copy.deepcopy(model)), 0)
    assert equal(tensors, init(model, 0).state_dict())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtypes_are_those_of_the_model(dtype) -> None:
    """Whatever the default is: a layer whose bias has another dtype than its weight fails."""
    model = TinyResNet().to(dtype)
    other_dtype = torch.float64 if dtype == torch.float32 else torch.float32
    torch.set_default_dtype(other_dtype)
    try:
        tensors = kaiming(model, 0)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {k: t.dtype for k, t in tensors.items()} == {
        k: t.dtype for k, t in model.state_dict().items()
    }
    assert equal(tensors, init(TinyResNet().to(dtype), 0).state_dict())


def test_a_model_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = network()
    tensors = kaiming(model, 4)
    assert equal(tensors, init(network(), 4).state_dict())
    assert not any(t.is_meta for t in tensors.values())


def test_tied_weights_have_one_name() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    tensors = kaiming(model, 0)
    assert list(tensors) == ["0.weight", "0.bias", "2.bias"]


# The measurement config.

IMAGES = generated(4, size=8)


def test_an_unknown_initialisation_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown initialisation 'kaimin'; did you mean 'kaiming'"):
        MeasurementConfig(IMAGES, raw=8, sketch=64, initialisation="kaimin")


def test_config_batches() -> None:
    config = MeasurementConfig(IMAGES, raw=2, sketch=3)
    assert (config.size, config.batch("raw"), config.batch("sketch")) == (8, 2, 3)


def test_fingerprint_covers_what_a_score_depends_on() -> None:
    batches: dict[str, object] = {"raw": 8, "sketch": 64}
    changes: list[dict[str, object]] = [
        {},
        {"classes": 100},
        {"raw": 2},
        {"sketch": 16},
        {"initialisation": "keep"},
        {"seed": 1},
        {"device": "cuda"},
    ]

    def fingerprint(images: Images, **change: object) -> str:
        return MeasurementConfig(images, **(batches | change)).fingerprint  # type: ignore[arg-type]

    fingerprints = [fingerprint(IMAGES, **change) for change in changes]
    fingerprints.append(fingerprint(generated(4, size=8, seed=1)))
    fingerprints.append(fingerprint(generated(4, size=16)))
    assert len(set(fingerprints)) == len(fingerprints)
    # Another device of the same type.
    assert fingerprint(IMAGES, device="cpu:0") == fingerprints[0]
    assert fingerprint(generated(4, size=8)) == fingerprints[0]


def test_description_is_plain_data() -> None:
    description = MeasurementConfig(IMAGES, raw=8, sketch=64, seed=9).describe()
    assert description["images"] == IMAGES.fingerprint
    assert description["input"] == [3, 8, 8]
    assert description["seed"] == 9
    assert description["device"] == "cpu"
    assert description["definitions"] >= 2
    assert description["torch"] == str(torch.__version__)
