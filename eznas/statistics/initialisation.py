"""Fresh parameters for a model without touching it: a table that is passed to it by name."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Parameters = dict[str, Tensor]


def kept(model: nn.Module) -> Parameters:
    """The model's own parameters, sharing their memory, and copies of its buffers."""
    own = {name: p.detach() for name, p in model.named_parameters()}
    return own | {name: b.detach().clone() for name, b in model.named_buffers()}


def kaiming(model: nn.Module, seed: int) -> Parameters:
    """`kept`, but for what an initialisation by He et al., 2015 sets.

    Conv2d and Linear weights: normal with standard deviation sqrt(2 / fan-out), drawn in module
    order from `seed`; their biases: zero; batch norms: weight 1, bias 0, running statistics
    0 and 1. Works for models on the meta device, whose remaining tensors are an error.
    """
    table = dict(kept(model))
    generator = torch.Generator().manual_seed(seed)
    for prefix, module in model.named_modules():
        named = {f"{prefix}.{k}" if prefix else k: v for k, v in _fresh(module, generator).items()}
        table |= {k: v for k, v in named.items() if k in table}  # a tied tensor has one name
    return table


def _fresh(module: nn.Module, generator: torch.Generator) -> Parameters:
    if isinstance(module, nn.Conv2d | nn.Linear):
        drawn = torch.empty(module.weight.shape, dtype=module.weight.dtype)
        nn.init.kaiming_normal_(drawn, mode="fan_out", nonlinearity="relu", generator=generator)
        return {"weight": drawn} | (
            {} if module.bias is None else {"bias": torch.zeros(len(drawn))}
        )
    if isinstance(module, _BatchNorm):
        return _plain_norm(module)
    return {}


def _plain_norm(module: _BatchNorm) -> Parameters:
    n = module.num_features
    fresh: Parameters = {}
    if module.affine:
        fresh |= {"weight": torch.ones(n), "bias": torch.zeros(n)}
    if module.track_running_stats:
        counted = torch.zeros((), dtype=torch.long)
        fresh |= {"running_mean": torch.zeros(n), "running_var": torch.ones(n)}
        fresh |= {"num_batches_tracked": counted}
    return fresh
