"""Published zero-cost proxies written out directly in PyTorch: the ground truth of formula tests.

Nothing here imports eznas. The model comes initialised and is left as it was; its dtype is the
dtype of the computation. BatchNorm is in train mode except where a docstring says otherwise.
"Layers" are the nn.Conv2d and nn.Linear modules that run, dead ones included (their gradient is
zero) and each of them once; "CE" is the mean cross-entropy of the logits on (images, labels). Every
score is a float, nan or infinite where the definition has no finite value. Block scores (AZ-NAS)
read the attributes of a NAS-Bench-201 network.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYERS = (nn.Conv2d, nn.Linear)


class Call(NamedTuple):
    """One run of a module."""

    module: nn.Module
    x: Tensor
    y: Tensor


def l2_norm(model: nn.Module) -> float:
    """Sum over layers of the Frobenius norm of the weight. Source: Abdelfattah et al., ICLR 2021
    (`l2_norm` of zero-cost-nas)."""
    layers = [module for module in model.modules() if isinstance(module, LAYERS)]
    return float(sum(layer.weight.detach().square().sum().sqrt() for layer in layers))


def plain(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum of w dCE/dw. Source: Mozer & Smolensky, NeurIPS 1988; Abdelfattah et al., ICLR 2021."""
    return float(sum((w * g).sum() for w, g in _weights_and_gradients(model, images, labels)))


def snip(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum of |w dCE/dw|. Source: Lee et al., ICLR 2019."""
    return float(sum((w * g).abs().sum() for w, g in _weights_and_gradients(model, images, labels)))


def grad_norm(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over layers of ||dCE/dw||. Source: Abdelfattah et al., ICLR 2021."""
    pairs = _weights_and_gradients(model, images, labels)
    return float(sum(g.square().sum().sqrt() for _, g in pairs))


def grasp(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """-sum of w (H g), H the Hessian of CE by all layer weights, g its gradient held constant.

    Source: Wang et al., "Picking winning tickets before training by preserving gradient flow",
    ICLR 2020, without its temperature.
    """
    logits, calls = _run(model, images, *LAYERS)
    weights = [call.module.weight for call in calls]
    g = torch.autograd.grad(
        F.cross_entropy(logits, labels),
        weights,
        create_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    Hg = _gradients(sum((gradient * gradient.detach()).sum() for gradient in g), weights)
    return -float(sum((w.detach() * h).sum() for w, h in zip(weights, Hg, strict=True)))


def fisher(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over layers and channels of n/2 mean over images of s^2, n the weights per channel.

    s [batch, channels] is the sum over positions of y dCE/dy, y the layer's output. Source: Turner
    et al., "BlockSwap", ICLR 2020; Abdelfattah et al., ICLR 2021.
    """
    logits, calls = _run(model, images, *LAYERS)
    gradients = _gradients(F.cross_entropy(logits, labels), [call.y for call in calls])
    score = 0.0
    for (layer, _, y), dy in zip(calls, gradients, strict=True):
        s = (y.detach() * dy).flatten(2).sum(2) if y.ndim > 2 else y.detach() * dy
        channel = 0.5 * s.square().mean(0)
        score += float(channel.sum()) * layer.weight.numel() / len(channel)
    return score


def epe_nas(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """-sum over classes and entries of ln(|R| + 1e-5), R the correlations of one class's rows of J.

    Row i of J [batch, pixels] is the gradient of the sum of all logits by image i. A class of one
    image has R = 1; nan where a larger class has a constant row. Source: Lopes et al., "EPE-NAS",
    ICANN 2021, without its normalisation by the number of classes and images.
    """
    images = images.clone().requires_grad_()
    logits, _ = _run(model, images)
    (J,) = _gradients(logits.sum(), [images])
    J = J.flatten(1)
    score = 0.0
    for label in labels.unique():
        rows = J[labels == label]
        R = torch.ones(1, 1, dtype=J.dtype) if len(rows) == 1 else _correlation(rows)
        score -= float(torch.log(R.abs() + 1e-5).sum())
    return score


def synflow(model: nn.Module, size: int) -> float:
    """Sum over layers of |w dR/dw|, R the sum of the logits for one image of ones.

    Every parameter is its absolute value, every BatchNorm the identity. Source: Tanaka et al.,
    NeurIPS 2020; Abdelfattah et al., ICLR 2021; BatchNorm as in FreeREA.
    """
    model = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.data.abs_()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = lambda x: x
    dtype = next(model.parameters()).dtype
    logits, calls = _run(model, torch.ones(1, 3, size, size, dtype=dtype), *LAYERS)
    weights = [call.module.weight for call in calls]
    gradients = _gradients(logits.sum(), weights)
    return float(sum((w.detach() * g).abs().sum() for w, g in zip(weights, gradients, strict=True)))


@torch.no_grad()
def zen(model: nn.Module, noise: Tensor, second: Tensor) -> float:
    """ln sum |f(noise + 0.01 second) - f(noise)| + sum over BatchNorms of ln(mean(a)) / 2.

    f is the output of the last ReLU to run; a = 0.81 + 0.19 v per channel, v the population
    variance of the BatchNorm's input in the pass on noise. The caller has drawn the weights from
    N(0, 1). Source: Lin et al., "Zen-NAS", ICCV 2021; 0.81 and 0.19 are its running variance after
    two passes.
    """
    _, calls = _run(model, noise, nn.ReLU, nn.BatchNorm2d)
    _, shifted = _run(model, noise + 0.01 * second, nn.ReLU)
    unshifted = [call.y for call in calls if isinstance(call.module, nn.ReLU)][-1]
    score = torch.log((shifted[-1].y - unshifted).abs().sum())
    for module, x, _ in calls:
        if isinstance(module, nn.BatchNorm2d):
            v = x.var(dim=(0, 2, 3), correction=0)
            score += 0.5 * torch.log((0.81 + 0.19 * v).mean())
    return float(score)


def zico(
    model: nn.Module, images1: Tensor, labels1: Tensor, images2: Tensor, labels2: Tensor
) -> float:
    """Sum over layers with S > 0 of ln S, S the sum of (|g1| + |g2|) / |g1 - g2| where g1 != g2.

    g1 and g2 are dCE/dw on the two batches. Source: Li et al., "ZiCo", ICLR 2023.
    """
    first = _weights_and_gradients(model, images1, labels1)
    second = _weights_and_gradients(model, images2, labels2)
    score = 0.0
    for (_, g1), (_, g2) in zip(first, second, strict=True):
        differ = (g1 - g2).abs() > 0
        g1, g2 = g1[differ], g2[differ]
        S = ((g1.abs() + g2.abs()) / (g1 - g2).abs()).sum()
        if S > 0:
            score += float(torch.log(S))
    return score


@torch.no_grad()
def meco(model: nn.Module, image: Tensor) -> float:
    """Sum of the smallest eigenvalues of the channel correlations of all feature maps of one image.

    Feature maps are the 4-D outputs of Conv2d, BatchNorm2d and ReLU; a constant channel correlates
    with nothing, itself included. Source: Jiang et al., "MeCo", NeurIPS 2023.
    """
    _, calls = _run(model, image, nn.Conv2d, nn.BatchNorm2d, nn.ReLU)
    maps = [call.y[0].flatten(1) for call in calls if call.y.ndim == 4]
    return float(sum(torch.linalg.eigvalsh(_correlation(rows).nan_to_num(0))[0] for rows in maps))


@torch.no_grad()
def swap(model: nn.Module, images: Tensor) -> float:
    """Number of distinct sign patterns (output > 0, over the batch) among all ReLU units.

    Source: Peng et al., "SWAP-NAS", ICLR 2024, without its regularisation.
    """
    _, calls = _run(model, images, nn.ReLU)
    patterns = torch.cat([(call.y > 0).flatten(1).T for call in calls])  # [units, batch]
    return float(len(np.unique(np.packbits(patterns.numpy(), axis=1), axis=0)))


def gradsign(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over weights of |sum over images of the sign of `contributions`|.

    Source: Zhang & Jia, "GradSign", ICLR 2022, with the whole batch run at once.
    """
    layers = contributions(model, images, labels)
    return float(sum(layer.sign().sum(0).abs().sum() for layer in layers))


def snr(model: nn.Module, images: Tensor, labels: Tensor) -> list[tuple[float, float]]:
    """(norm of the mean, norm of the population deviation) of the `contributions` of each layer."""
    return [
        (float(layer.mean(0).norm()), float(layer.std(0, correction=0).norm()))
        for layer in contributions(model, images, labels)
    ]


def contributions(model: nn.Module, images: Tensor, labels: Tensor) -> Iterator[Tensor]:
    """The part of each image in dCE/dw, [batch, *weight.shape] for each layer in running order.

    The batch runs at once; the part of image i is the layer's own weight gradient for x[i] and
    (dCE/dy)[i] alone. The parts sum to dCE/dw.
    """
    logits, calls = _run(model, images, *LAYERS)
    gradients = _gradients(F.cross_entropy(logits, labels), [call.y for call in calls])
    for (layer, x, _), dy in zip(calls, gradients, strict=True):
        x = x.detach()
        yield torch.stack([_part(layer, x[i : i + 1], dy[i : i + 1]) for i in range(len(x))])


@torch.no_grad()
def expressivity(model: nn.Module, noise: Tensor) -> float:
    """Sum over blocks of `entropies`. Source: Lee & Ham, "AZ-NAS", CVPR 2024."""
    return float(entropies(model, noise).sum())


@torch.no_grad()
def progressivity(model: nn.Module, noise: Tensor) -> float:
    """The smallest difference between consecutive `entropies`. Source: as `expressivity`."""
    return float(entropies(model, noise).diff().min())


def entropies(model: nn.Module, noise: Tensor) -> Tensor:
    """For each block's output the entropy, in nats, of its principal components' shares.

    The shares are the eigenvalues, clamped at 0, of the population covariance of the channels
    over batch and positions, divided by their sum: nan where the output is constant.
    """
    results = []
    for f in block_outputs(model, noise):
        rows = f.transpose(0, 1).flatten(1)
        rows = rows - rows.mean(1, keepdim=True)
        values = torch.linalg.eigvalsh(rows @ rows.T / rows.shape[1]).clamp(min=0)
        results.append(torch.special.entr(values / values.sum()).sum())
    return torch.stack(results)


def blocks(model: nn.Module) -> list[nn.Module]:
    """The stem's convolution, each cell and each reduction, in running order."""
    stages = (model.stage1, [model.reduction1], model.stage2, [model.reduction2], model.stage3)
    return [model.stem[0], *(block for stage in stages for block in stage)]


def block_outputs(model: nn.Module, noise: Tensor) -> list[Tensor]:
    """Outputs of the `blocks`."""
    return [y.detach() for _, y in _cut_blocks(model, noise)]


def trainability(model: nn.Module, noise: Tensor, signs: Sequence[Tensor]) -> float:
    """Mean of `trainabilities`. Source: as `expressivity`."""
    return float(trainabilities(model, noise, signs).mean())


def trainabilities(
    model: nn.Module, noise: Tensor, signs: Sequence[Tensor], *, at_inputs: bool = False
) -> Tensor:
    """For each block after the first 2 - s - 1 / (s + 1e-6).

    s is the largest singular value of M [inputs, outputs], M = sum over batch and positions of
    g' v / (batch x output positions): v the block's signs (signs[0] belongs to the second block),
    g the gradient of <v, output> at the previous block's output, pixel-unshuffled to the output's
    height and width. Between the first two blocks lies the stem's BatchNorm; `at_inputs`, g is the
    gradient at the block's own input, behind it.
    """
    scores = []
    for (x, f), v in zip(_cut_blocks(model, noise, at_inputs)[1:], signs, strict=True):
        (g,) = _gradients((v * f).sum(), [x])
        g = F.pixel_unshuffle(g, g.shape[2] // f.shape[2])
        M = torch.einsum("bihw,bohw->io", g, v) / (len(v) * v[0, 0].numel())
        s = torch.linalg.svdvals(M)[0]
        scores.append(2 - s - 1 / (s + 1e-6))
    return torch.stack(scores)


def fisher_deciles(model: nn.Module, images: Tensor, smoothing: float = 0.0) -> list[float]:
    """Deciles 1 to 9 of the eigenvalues, clamped at 0, of the Fisher information matrix.

    F = mean over images of J' (diag(p) - p p') J, p the softmax of the logits and J their Jacobian
    by entry 0 of each of the first 128 parameter tensors. Eval mode. With `smoothing` s, p becomes
    (1 - s) p + s / classes. Source: Tybl & Neumann, "Training-free neural architecture search
    through variance of knowledge of deep network weights", 2025; their code smooths with 0.05.
    """
    model = copy.deepcopy(model).eval().requires_grad_()
    tensors = [parameter for _, parameter in model.named_parameters()][:128]
    information = torch.zeros(len(tensors), len(tensors), dtype=images.dtype)
    for image in images:
        row = model(image[None])[0]
        J = torch.stack([_first_entries(logit, tensors) for logit in row])
        p = row.detach().softmax(0) * (1 - smoothing) + smoothing / len(row)
        information += J.T @ (torch.diag(p) - torch.outer(p, p)) @ J / len(images)
    values = torch.linalg.eigvalsh(information).clamp(min=0)
    return np.quantile(values.numpy(), np.arange(1, 10) / 10).tolist()


def vkdnw_entropy(model: nn.Module, images: Tensor, smoothing: float = 0.0) -> float:
    """Entropy, in nats, of the `fisher_deciles` divided by their sum; nan where all are 0."""
    deciles = torch.tensor(fisher_deciles(model, images, smoothing), dtype=torch.float64)
    return float(torch.special.entr(deciles / deciles.sum()).sum())


def _run(model: nn.Module, x: Tensor, *classes: type[nn.Module]) -> tuple[Tensor, list[Call]]:
    """The logits of a copy in train mode, and the calls of its modules of these classes."""
    model = copy.deepcopy(model).train().requires_grad_()
    calls: list[Call] = []

    def note(module, inputs, output):
        calls.append(Call(module, inputs[0], output))

    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # else it would change the output noted before it
        if isinstance(module, classes):
            module.register_forward_hook(note)
    logits = model(x)
    layers = [call.module for call in calls if isinstance(call.module, LAYERS)]
    assert len(set(layers)) == len(layers), "a layer runs twice"
    return logits, calls


def _gradients(scalar: Tensor, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Gradients of the scalar, zero by what it does not depend on."""
    if not scalar.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    return torch.autograd.grad(
        scalar, inputs, retain_graph=True, allow_unused=True, materialize_grads=True
    )


def _weights_and_gradients(
    model: nn.Module, images: Tensor, labels: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """(w, dCE/dw) of each layer in running order."""
    logits, calls = _run(model, images, *LAYERS)
    weights = [call.module.weight for call in calls]
    gradients = _gradients(F.cross_entropy(logits, labels), weights)
    return [(w.detach(), g) for w, g in zip(weights, gradients, strict=True)]


def _correlation(rows: Tensor) -> Tensor:
    """Pearson correlation between rows; nan in row and column where a row is constant."""
    centred = rows - rows.mean(1, keepdim=True)
    unit = centred / centred.norm(dim=1, keepdim=True)
    unit[(rows == rows[:, :1]).all(1)] = torch.nan  # even where rounding moved the mean
    return unit @ unit.T


def _part(layer: nn.Module, x: Tensor, dy: Tensor) -> Tensor:
    """The weight gradient of the layer for the input x and the gradient dy at its output."""
    if isinstance(layer, nn.Linear):
        return torch.outer(dy[0], x[0])
    return nn.grad.conv2d_weight(
        x,
        layer.weight.shape,
        dy,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )


def _cut_blocks(
    model: nn.Module, noise: Tensor, at_inputs: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """(leaf, output) of each block: its graph begins anew at a leaf of the last block's output or,
    `at_inputs`, of its own input.

    The first block's leaf is the noise itself.
    """
    model = copy.deepcopy(model).train()
    leaves, outputs = [noise], []

    def enter(_module, inputs):
        if at_inputs and outputs:
            leaves[-1] = inputs[0].detach().requires_grad_()
            return (leaves[-1],)

    def cut(_module, _inputs, output):
        outputs.append(output)
        leaves.append(output.detach().requires_grad_())
        return leaves[-1]

    for block in blocks(model):
        block.register_forward_pre_hook(enter)
        block.register_forward_hook(cut)
    model(noise)
    return list(zip(leaves[:-1], outputs, strict=True))


def _first_entries(logit: Tensor, tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack([g.flatten()[0] for g in _gradients(logit, tensors)])
