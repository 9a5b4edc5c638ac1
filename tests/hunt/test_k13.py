"""A pass over one image runs a batch where a batch norm would see one value, and looks at one."""

import math

import pytest
import torch
from torch import Tensor, nn

import eznas
from eznas.errors import InputError
from tests.hunt.networks import BATCH, Small, score
from tests.hunt.references import IMAGES


class PooledNorm(Small):
    """A batch norm after global pooling."""

    def __init__(self, flat: nn.Module) -> None:
        super().__init__(flat=flat)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.features(x).mean((2, 3), keepdim=isinstance(self.flat, nn.BatchNorm2d))
        return self.head(self.flat(pooled).flatten(1))


def meco(model: nn.Module, images: int = 16) -> float:
    """Jiang et al., 2023: a batch runs, its first image is looked at; convolutions, linear layers,
    ReLU and batch norms."""
    maps: list[Tensor] = []
    model = model.train()
    kinds = nn.Conv2d | nn.Linear | nn.ReLU | nn.BatchNorm2d | nn.BatchNorm1d
    for module in model.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda _m, _x, y: maps.append(y.detach()[:1].clone()))
    with torch.no_grad():
        model(IMAGES.pixels[:images])
    total = 0.0
    for y in maps:
        rows = y[0].reshape(y.shape[1], -1).double()
        rows = rows - rows.mean(1, keepdim=True)
        norms = rows.norm(dim=1, keepdim=True)
        rows = torch.where(norms > 0, rows / norms, 0)
        total += torch.linalg.eigvalsh(rows @ rows.T).min().item()
    return total


class Modules(PooledNorm):
    """The same with modules for the activations, which hooks see."""

    def __init__(self, flat: nn.Module) -> None:
        super().__init__(flat)
        self.first, self.second = nn.ReLU(), nn.ReLU()

    def features(self, x: Tensor) -> Tensor:
        return self.second(self.body(self.first(self.norm(self.stem(x)))))


@pytest.mark.parametrize("flat", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_meco_is_that_of_a_batch_of_which_one_image_is_looked_at(flat):
    expected = meco(Modules(flat(8)))
    assert score("meco", PooledNorm(flat(8))) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_other_networks_still_run_one_image():
    class WithModules(Small):
        def __init__(self) -> None:
            super().__init__(first=nn.ReLU(), second=nn.ReLU())

        def features(self, x: Tensor) -> Tensor:
            return self.second(self.body(self.first(self.norm(self.stem(x)))))

    alone, in_batch = (meco(WithModules(), images) for images in (1, 16))
    assert score("meco", Small()) == pytest.approx(alone, rel=1e-3, abs=1e-4)
    assert abs(alone - in_batch) > 0.01


def test_every_classic_has_a_score_there():
    for proxy in eznas.proxies():
        assert not math.isnan(score(proxy["proxy"], PooledNorm(nn.BatchNorm1d(8)))), proxy


def test_a_batch_too_small_for_labels_is_refused_in_words():
    with pytest.raises(InputError, match="expected a batch of 4"):
        score("snip", PooledNorm(nn.BatchNorm1d(8)), batch=2)
    assert score("snip", PooledNorm(nn.BatchNorm1d(8)), batch=4) > 0
    assert BATCH >= 4
