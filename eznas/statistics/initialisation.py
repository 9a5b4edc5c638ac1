"""Fresh parameters for a model, which is not changed: tensors by name, passed to its forward."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Parameters = dict[str, Tensor]  # parameters and buffers, by their names in the model
FillWeight = Callable[[Tensor, torch.Generator], object]  # overwrites a tensor with random numbers

_INITIALISED = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def current_tensors(model: nn.Module) -> Parameters:
    """The model's own parameters and buffers by name, detached; they share the model's memory."""
    named = (*model.named_parameters(), *model.named_buffers())
    return {name: tensor.detach() for name, tensor in named}


def kaiming(model: nn.Module, seed: int) -> Parameters:
    """The model's parameters and buffers by name, initialised as by He et al., 2015.

    Conv2d and Linear weights: normal with standard deviation sqrt(2 / fan-out), drawn in module
    order from `seed`; their biases: zero; batch norms: weight 1, bias 0, running statistics
    0 and 1. Every other tensor is the model's own. A model on the meta device works as long as
    none of its tensors is such another one: a later pass fails on tensors without data.
    """

    def fill(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu", generator=generator)

    return _initialised(model, seed, fill)


def standard_normal(model: nn.Module, seed: int) -> Parameters:
    """As `kaiming`, but with weights of standard deviation 1 (Lin et al., 2021: Zen)."""
    return _initialised(model, seed, lambda w, generator: nn.init.normal_(w, generator=generator))


def _initialised(model: nn.Module, seed: int, fill: FillWeight) -> Parameters:
    tensors = current_tensors(model)
    generator = torch.Generator().manual_seed(seed)
    for prefix, module in model.named_modules():
        fresh = _fresh(module, generator, fill)
        renamed = {f"{prefix}.{name}" if prefix else name: t for name, t in fresh.items()}
        tensors |= {k: t for k, t in renamed.items() if k in tensors}  # a tied tensor has one name
    return tensors


def _fresh(module: nn.Module, generator: torch.Generator, fill: FillWeight) -> Parameters:
    """The initialised tensors of one module; a weight that it derives from other parameters (as
    weight norm does) is not among them."""
    if not isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm):
        return {}
    named = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
    fresh = {name: torch.zeros(t.shape, dtype=t.dtype) for name, t in named if name in _INITIALISED}
    if isinstance(module, _BatchNorm):
        for name in fresh.keys() & {"weight", "running_var"}:
            nn.init.ones_(fresh[name])
    elif "weight" in fresh:
        fill(fresh["weight"], generator)
    return fresh
