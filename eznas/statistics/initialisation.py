"""Fresh parameters for a model without touching it: a table that is passed to it by name."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Parameters = dict[str, Tensor]
Draw = Callable[[Tensor, torch.Generator], object]  # fills a weight

_INITIAL = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def kept(model: nn.Module) -> Parameters:
    """The model's own parameters and buffers, sharing their memory."""
    own = (*model.named_parameters(), *model.named_buffers())
    return {name: tensor.detach() for name, tensor in own}


def kaiming(model: nn.Module, seed: int) -> Parameters:
    """`kept`, but for what an initialisation by He et al., 2015 sets.

    Conv2d and Linear weights: normal with standard deviation sqrt(2 / fan-out), drawn in module
    order from `seed`; their biases: zero; batch norms: weight 1, bias 0, running statistics
    0 and 1. Works for models on the meta device, whose remaining tensors are an error.
    """

    def draw(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu", generator=generator)

    return _initialised(model, seed, draw)


def standard_normal(model: nn.Module, seed: int) -> Parameters:
    """`kaiming`, but for weights of standard deviation 1 (Lin et al., 2021: Zen)."""
    return _initialised(model, seed, lambda w, generator: nn.init.normal_(w, generator=generator))


def _initialised(model: nn.Module, seed: int, draw: Draw) -> Parameters:
    table = dict(kept(model))
    generator = torch.Generator().manual_seed(seed)
    for prefix, module in model.named_modules():
        fresh = _fresh(module, generator, draw)
        named = {f"{prefix}.{k}" if prefix else k: v for k, v in fresh.items()}
        table |= {k: v for k, v in named.items() if k in table}  # a tied tensor has one name
    return table


def _fresh(module: nn.Module, generator: torch.Generator, draw: Draw) -> Parameters:
    """The module's own tensors, initialised; a weight that it derives from others is none."""
    if not isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm):
        return {}
    own = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    fresh = {name: torch.zeros(t.shape, dtype=t.dtype) for name, t in own if name in _INITIAL}
    if isinstance(module, _BatchNorm):
        for name in fresh.keys() & {"weight", "running_var"}:
            nn.init.ones_(fresh[name])
    elif "weight" in fresh:
        draw(fresh["weight"], generator)
    return fresh
