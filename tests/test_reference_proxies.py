"""The reference proxies against still more naive computations, on tiny networks."""

import copy
import functools
import itertools
import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from eznas.spaces.blocks import ResidualReduction
from eznas.spaces.nasbench201 import Cell, build, operations
from tests import reference
from tests import reference_proxies as proxies

BATCH, SIZE, CLASSES = 5, 16, 4
FULL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
DEAD = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|none~2|"
ZERO = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
THIN = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
BROKEN = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"

SCORES = {
    "l2_norm": lambda m, x, y: proxies.l2_norm(m),
    "plain": proxies.plain,
    "snip": proxies.snip,
    "grad_norm": proxies.grad_norm,
    "grasp": proxies.grasp,
    "fisher": proxies.fisher,
    "epe_nas": proxies.epe_nas,
    "synflow": lambda m, x, y: proxies.synflow(m, SIZE),
    "zen": lambda m, x, y: proxies.zen(m, x, x.flip(0)),
    "zico": lambda m, x, y: proxies.zico(m, x, y, x.flip(3), y),
    "meco": lambda m, x, y: proxies.meco(m, x[:1]),
    "swap": lambda m, x, y: proxies.swap(m, x),
    "gradsign": proxies.gradsign,
    "snr": proxies.snr,
    "expressivity": lambda m, x, y: proxies.expressivity(m, x),
    "progressivity": lambda m, x, y: proxies.progressivity(m, x),
    "trainability": lambda m, x, y: proxies.trainability(m, x, _signs(m, x)),
    "fisher_deciles": lambda m, x, y: proxies.fisher_deciles(m, x[:2]),
    "vkdnw_entropy": lambda m, x, y: proxies.vkdnw_entropy(m, x[:2]),
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _network(architecture=FULL):
    return reference.init(build(architecture, CLASSES), 0).double()


def _small(architecture=FULL):
    """The same blocks with one cell per stage and 2, 3 and 4 channels: 7 blocks, few weights."""
    chosen = operations(architecture)
    layers = {
        "stem": nn.Sequential(nn.Conv2d(3, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)),
        "stage1": nn.Sequential(Cell(chosen, 2)),
        "reduction1": ResidualReduction(2, 3),
        "stage2": nn.Sequential(Cell(chosen, 3)),
        "reduction2": ResidualReduction(3, 4),
        "stage3": nn.Sequential(Cell(chosen, 4)),
        "last": nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()),
        "pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "classifier": nn.Linear(4, CLASSES),
    }
    return reference.init(nn.Sequential(OrderedDict(layers)), 1).double()


def _batch(seed=0, size=SIZE, batch=BATCH):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, size, size, generator=generator, dtype=torch.float64)
    return images, torch.randint(CLASSES, (batch,), generator=generator)


def _signs(model, images):
    generator = torch.Generator().manual_seed(5)
    return [
        torch.randint(2, f.shape, generator=generator).to(f) * 2 - 1
        for f in proxies.block_outputs(model, images)[1:]
    ]


def _layers(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


def _backward(model, images, labels):
    """A copy of the model with .grad filled in."""
    model = copy.deepcopy(model).train()
    F.cross_entropy(model(images), labels).backward()
    return model


def _grad(layer):
    return torch.zeros_like(layer.weight) if layer.weight.grad is None else layer.weight.grad


@torch.no_grad()
def _loss(model, images, labels, moved=(), step=0.0):
    """CE after layer weights move by step times the directions."""
    model = copy.deepcopy(model).train()
    for layer, direction in zip(_layers(model).values(), moved, strict=bool(moved)):
        layer.weight += step * direction
    return F.cross_entropy(model(images), labels).item()


def _blocks(model):
    """Each block after the first as a function of the previous block's output."""
    blocks = [nn.Sequential(model.stem[1], model.stage1[0]), *model.stage1[1:], model.reduction1]
    return [*blocks, *model.stage2, model.reduction2, *model.stage3]


def _outputs(model, images):
    model = copy.deepcopy(model).train()
    with torch.no_grad():
        chain = [model.stem[0], *_blocks(model)]
        return list(itertools.accumulate(chain, lambda x, block: block(x), initial=images))[1:]


def _watched(model, images, *value_types):
    """(input, output) of each run of these value_types of modules, by a hook on all modules there are."""
    model, seen = copy.deepcopy(model).train(), []

    def see(module, inputs, output):
        if isinstance(module, value_types):
            seen.append((inputs[0].detach().clone(), output.detach().clone()))

    handle = nn.modules.module.register_module_forward_hook(see)
    try:
        model(images)
    finally:
        handle.remove()
    return seen


def test_l2_norm():
    model = _network(DEAD)
    layers = _layers(model)
    assert len(layers) == 1 + 15 * 2 + 2 * 3 + 1
    wanted = sum(
        math.sqrt(sum(w * w for w in m.weight.flatten().tolist())) for m in layers.values()
    )
    assert proxies.l2_norm(model) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_plain_is_the_slope_as_all_weights_grow(architecture):
    model, (images, labels) = _network(architecture), _batch()
    weights = [m.weight.detach() for m in _layers(model).values()]
    up, down = (_loss(model, images, labels, weights, step) for step in (1e-6, -1e-6))
    assert proxies.plain(model, images, labels) == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_snip_is_the_slope_of_every_mask():
    model, (images, labels) = _small(THIN), _batch(size=8)
    total, squares = 0.0, []
    weights = [m.weight.detach() for m in _layers(model).values()]
    for index, w in enumerate(weights):
        squares.append(0.0)
        for entry in range(w.numel()):
            directions = [torch.zeros_like(one) for one in weights]
            directions[index].view(-1)[entry] = w.view(-1)[entry]
            up, down = (_loss(model, images, labels, directions, s) for s in (1e-6, -1e-6))
            total += abs(up - down) / 2e-6
            squares[-1] += ((up - down) / 2e-6 / w.view(-1)[entry].item()) ** 2
    assert proxies.snip(model, images, labels) == pytest.approx(total, rel=1e-5)
    norms = sum(map(math.sqrt, squares))
    assert proxies.grad_norm(model, images, labels) == pytest.approx(norms, rel=1e-5)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_snip_is_the_gradient_of_masks(architecture):
    model, (images, labels) = _network(architecture), _batch()
    parameters = dict(model.named_parameters())
    masks = {n: torch.ones_like(p, requires_grad=True) for n, p in parameters.items()}
    masked = {n: p.detach() * masks[n] for n, p in parameters.items()}
    logits = functional_call(copy.deepcopy(model).train(), masked, images)
    F.cross_entropy(logits, labels).backward()
    grads = [masks[f"{name}.weight"].grad for name in _layers(model)]
    wanted = sum(g.abs().sum().item() for g in grads if g is not None)
    assert proxies.snip(model, images, labels) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_grad_norm(architecture):
    model, (images, labels) = _network(architecture), _batch()
    layers = _layers(_backward(model, images, labels)).values()
    wanted = sum(np.linalg.norm(_grad(m).numpy().ravel()) for m in layers)
    assert proxies.grad_norm(model, images, labels) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_grasp_is_a_difference_of_gradients(architecture):
    """w H g = w (g(w + t g) - g(w - t g)) / 2t."""
    model, (images, labels) = _network(architecture), _batch()
    layers = _layers(model).values()
    g = [_grad(m) for m in _layers(_backward(model, images, labels)).values()]
    step, moved = 1e-7, []
    for sign in (1, -1):
        shifted = copy.deepcopy(model)
        with torch.no_grad():
            for m, direction in zip(_layers(shifted).values(), g, strict=True):
                m.weight += sign * step * direction
        ends = _layers(_backward(shifted, images, labels)).values()
        moved.append(
            sum((w.weight * _grad(m)).sum().item() for w, m in zip(layers, ends, strict=True))
        )
    wanted = -(moved[0] - moved[1]) / (2 * step)
    assert abs(wanted) > 1e-3
    assert proxies.grasp(model, images, labels) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_fisher_is_the_gradient_of_gates(architecture):
    """s is the slope of CE as one channel of one image is scaled."""
    model, (images, labels) = _network(architecture), _batch()
    gated = copy.deepcopy(model).train()
    gates = []

    def gate(module, _inputs, output):
        ones = torch.ones(output.shape[:2], dtype=torch.float64, requires_grad=True)
        gates.append((module.weight[0].numel(), ones))
        return output * ones.reshape(*output.shape[:2], *[1] * (output.ndim - 2))

    for m in _layers(gated).values():
        m.register_forward_hook(gate)
    F.cross_entropy(gated(images), labels).backward()
    wanted = 0.0
    for size, ones in gates:
        s = [] if ones.grad is None else ones.grad.flatten().tolist()
        wanted += size * sum(v * v for v in s) / (2 * BATCH)
    assert proxies.fisher(model, images, labels) == pytest.approx(wanted, rel=1e-10)


def test_epe_nas_by_loops():
    model, (images, _) = _network(), _batch()
    labels = torch.tensor([2, 0, 2, 0, 2])
    wanted = 0.0
    J = _image_gradients(model, images)
    for members in ([0, 2, 4], [1, 3]):
        for i, j in itertools.product(members, members):
            wanted -= math.log(abs(np.corrcoef(J[i], J[j])[0, 1]) + 1e-5)
    assert proxies.epe_nas(model, images, labels) == pytest.approx(wanted, rel=1e-9)
    lonely = torch.tensor([2, 0, 2, 1, 3])
    wanted = -2 * math.log(abs(np.corrcoef(J[0], J[2])[0, 1]) + 1e-5) - 5 * math.log(1 + 1e-5)
    assert proxies.epe_nas(model, images, lonely) == pytest.approx(wanted, rel=1e-9)
    renamed = proxies.epe_nas(model, images, 3 - labels)
    assert renamed == pytest.approx(proxies.epe_nas(model, images, labels), rel=1e-12)


def _image_gradients(model, images):
    """[batch, pixels], summed from the full Jacobian of every logit by every image."""
    model = copy.deepcopy(model).train()
    J = torch.autograd.functional.jacobian(model, images)  # [batch, classes, batch, 3, h, w]
    return J.sum((0, 1)).flatten(1).numpy()


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_synflow_is_the_slope_as_all_weights_grow(architecture):
    """In eval mode, BatchNorm without epsilon is the identity as it is made."""
    model = _network(architecture)
    assert proxies.synflow(model, SIZE) == pytest.approx(reference.synflow(model, SIZE), rel=1e-12)
    positive = copy.deepcopy(model).eval()
    ones = torch.ones(1, 3, SIZE, SIZE, dtype=torch.float64)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            for m in positive.modules():
                if isinstance(m, nn.BatchNorm2d):
                    m.eps = 0.0
            for m, old in zip(_layers(positive).values(), _layers(model).values(), strict=True):
                m.weight.copy_(old.weight.abs() * (1 + step))
            values.append(positive(ones).sum().item())
    assert proxies.synflow(model, SIZE) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


def test_synflow_without_branches_counts_layers():
    """Scaled by one layer in a chain of n, R is scaled as much: the score is n R."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3))
    model = reference.init(nn.Sequential(model, nn.Flatten(), nn.Linear(2 * 4 * 4, 3)), 0).double()
    R = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    for index in (0, 3):
        R = F.conv2d(R, model[0][index].weight.detach().abs())
    R = (model[2].weight.detach().abs() @ R.flatten()).sum().item()
    assert proxies.synflow(model, 8) == pytest.approx(3 * R, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_zen_from_running_variances(architecture):
    model, (noise, _), (second, _) = build(architecture, CLASSES).double(), _batch(), _batch(1)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for m in _layers(model).values():
            m.weight.normal_(generator=generator)
    measured = copy.deepcopy(model).train()
    norms = [m for m in measured.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.momentum = 1.0  # the running variance is the last batch's, unbiased
    trunk = measured[:-2]
    with torch.no_grad():
        f = trunk(noise)
        wanted = 0.0
        for m in norms:
            count = BATCH * (SIZE * 16 // m.num_features) ** 2
            v = m.running_var * (count - 1) / count
            wanted += 0.5 * math.log(np.mean([0.81 + 0.19 * one for one in v.tolist()]))
        wanted += math.log((trunk(noise + 0.01 * second) - f).abs().sum().item())
    assert proxies.zen(model, noise, second) == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_zico_by_loops(architecture):
    model, first, second = _network(architecture), _batch(), _batch(1)
    one, two = (_layers(_backward(model, *batch)).values() for batch in (first, second))
    wanted = 0.0
    for m1, m2 in zip(one, two, strict=True):
        S = 0.0
        for a, b in zip(_grad(m1).flatten().tolist(), _grad(m2).flatten().tolist(), strict=True):
            S += (abs(a) + abs(b)) / abs(a - b) if a != b else 0.0
        wanted += math.log(S) if S > 0 else 0.0
    assert proxies.zico(model, *first, *second) == pytest.approx(wanted, rel=1e-10)
    assert proxies.zico(model, *second, *first) == pytest.approx(wanted, rel=1e-10)
    assert proxies.zico(model, *first, *first) == 0.0


@pytest.mark.parametrize("architecture", [FULL, ZERO])
def test_meco_with_corrcoef(architecture):
    model, (image, _) = _network(architecture), _batch(batch=1)
    wanted, constant = 0.0, 0
    for _, y in _watched(model, image, nn.Conv2d, nn.BatchNorm2d, nn.ReLU):
        with np.errstate(divide="ignore", invalid="ignore"):
            P = np.corrcoef(y[0].flatten(1).numpy())
        constant += np.isnan(P).all()
        wanted += min(np.linalg.eigvals(np.nan_to_num(P, nan=0.0)).real)
    assert (constant > 0) == (architecture == ZERO)
    assert proxies.meco(model, image) == pytest.approx(wanted, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_meco_of_a_constant_channel(value):
    """A channel of 0.1 everywhere: row, column and diagonal are 0."""
    model, (image, _) = (
        reference.init(nn.Sequential(nn.Conv2d(3, 3, 3)), 0).double(),
        _batch(batch=1),
    )
    with torch.no_grad():
        model[0].weight[1] = 0
        model[0].bias[1] = value
        y = model(image)[0].flatten(1).numpy()
    r = np.corrcoef(y[0], y[2])[0, 1]
    wanted = np.linalg.eigvalsh([[1, 0, r], [0, 0, 0], [r, 0, 1]])[0]
    assert proxies.meco(model, image) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("architecture", [FULL, ZERO, EMPTY])
def test_swap_with_sets(architecture):
    model, (images, _) = _network(architecture), _batch()
    seen = set()
    for _, y in _watched(model, images, nn.ReLU):
        seen |= set(map(tuple, (y > 0).flatten(1).T.tolist()))
    assert proxies.swap(model, images) == len(seen) <= 2**BATCH
    assert (len(seen) == 1) == (architecture == EMPTY)
    assert proxies.swap(model, images.flip(0)) == len(seen)


def _own_weights(model, images, labels):
    """The gradient of CE by a layer's weight, were it another weight for every image."""
    model = copy.deepcopy(model).train()
    copies = {}

    def forward(module, name, x):
        copies[name] = [module.weight.detach().clone().requires_grad_() for _ in x]
        pairs = zip(x, copies[name], strict=True)
        if isinstance(module, nn.Linear):
            return torch.stack([w @ one + module.bias for one, w in pairs])
        outputs = [F.conv2d(one[None], w, None, module.stride, module.padding) for one, w in pairs]
        return torch.cat(outputs)

    for name, m in _layers(model).items():
        m.forward = functools.partial(forward, m, name)
    F.cross_entropy(model(images), labels).backward()
    return [
        np.stack([(torch.zeros_like(w) if w.grad is None else w.grad).numpy() for w in ours])
        for ours in copies.values()
    ]


@pytest.mark.parametrize("architecture", [FULL, DEAD, ZERO])
def test_contributions_gradsign_and_snr(architecture):
    model, (images, labels) = _network(architecture), _batch()
    naive = _own_weights(model, images, labels)
    parts = list(proxies.contributions(model, images, labels))
    for ours, theirs in zip(parts, naive, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-13)
    sums = sorted(part.sum(0).norm().item() for part in parts)
    grads = _layers(_backward(model, images, labels)).values()
    assert sums == pytest.approx(sorted(_grad(m).norm().item() for m in grads), rel=1e-9)

    wanted = 0
    for part in naive:
        for entry in part.reshape(BATCH, -1).T.tolist():
            wanted += abs(sum((one > 0) - (one < 0) for one in entry))
    assert proxies.gradsign(model, images, labels) == wanted
    rows = [(np.linalg.norm(part.mean(0)), math.sqrt(part.var(0, ddof=0).sum())) for part in naive]
    np.testing.assert_allclose(proxies.snr(model, images, labels), rows, rtol=1e-9, atol=1e-13)


def test_blocks_of_a_real_network():
    model, (noise, _) = _network(), _batch()
    outputs = proxies.block_outputs(model, noise)
    assert [len(f[0]) for f in outputs] == [16] * 6 + [32] * 6 + [64] * 6
    for ours, theirs in zip(outputs, _outputs(model, noise), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("architecture", [FULL, SKIP])
def test_expressivity_and_progressivity(architecture):
    model, (noise, _) = _network(architecture), _batch()
    wanted = []
    for f in _outputs(model, noise):
        pixels = [f[b, :, i, j].numpy() for b, i, j in np.ndindex(BATCH, *f.shape[2:])]
        values = np.linalg.svd(np.cov(np.stack(pixels), rowvar=False, bias=True))[1]
        wanted.append(-sum(p * math.log(p) for p in values / values.sum() if p > 0))
    assert proxies.expressivity(model, noise) == pytest.approx(sum(wanted), rel=1e-10)
    slowest = min(after - before for before, after in itertools.pairwise(wanted))
    assert proxies.progressivity(model, noise) == pytest.approx(slowest, rel=1e-9, abs=1e-12)


def test_trainability_by_differences():
    """Every entry of g by moving one input, every entry of M by loops."""
    model, (noise, _) = _small(), _batch(size=8, batch=2)
    signs = _signs(model, noise)
    outputs = _outputs(model, noise)
    moving, scores = copy.deepcopy(model).train(), []
    for block, x, v in zip(_blocks(moving), outputs, signs, strict=False):
        g = np.empty(x.shape)
        with torch.no_grad():
            for index in np.ndindex(*x.shape):
                ends = []
                for step in (1e-6, -1e-6):
                    moved = x.clone()
                    moved[index] += step
                    ends.append((block(moved) * v).sum().item())
                g[index] = (ends[0] - ends[1]) / 2e-6
        scores.append(_score(g, v.numpy()))
    assert proxies.trainability(model, noise, signs) == pytest.approx(np.mean(scores), rel=1e-5)


@pytest.mark.parametrize("architecture", [FULL, SKIP])
def test_trainability_of_a_real_network(architecture):
    model, (noise, _) = _network(architecture), _batch(batch=2)
    signs = _signs(model, noise)
    moving, scores = copy.deepcopy(model).train(), []
    for block, x, v in zip(_blocks(moving), _outputs(model, noise), signs, strict=False):
        x = x.clone().requires_grad_()
        block(x).backward(v)
        scores.append(_score(x.grad.numpy(), v.numpy()))
    assert len(scores) == 17
    assert proxies.trainability(model, noise, signs) == pytest.approx(np.mean(scores), rel=1e-10)


def _score(g, v):
    """Trainability of one block from the gradient at its input and its signs."""
    batch, _, height, width = v.shape
    stride = g.shape[2] // height
    M = 0
    for b, i, j in np.ndindex(batch, height, width):
        patch = g[b, :, stride * i : stride * (i + 1), stride * j : stride * (j + 1)]
        M = M + np.outer(patch.ravel(), v[b, :, i, j]) / (batch * height * width)
    s = np.linalg.norm(M, 2)
    return 2 - s - 1 / (s + 1e-6)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_fisher_deciles_as_the_covariance_of_scores(architecture):
    """F is the mean over images and labels drawn from p of the outer products of d ln p / dw."""
    model, (images, _) = _network(architecture).eval(), _batch(batch=2)
    parameters = {n: p.detach() for n, p in model.named_parameters()}
    names = list(parameters)[:128]

    def log_p(entries):
        moved = dict(parameters)
        for entry, name in zip(entries, names, strict=True):
            start = parameters[name].flatten()
            moved[name] = torch.cat([entry[None], start[1:]]).reshape(parameters[name].shape)
        return functional_call(model, moved, images).log_softmax(1)

    entries = torch.stack([parameters[n].flatten()[0] for n in names])
    scores = torch.autograd.functional.jacobian(log_p, entries)  # [batch, classes, entries]
    p = log_p(entries).exp()
    F_ = sum(
        p[b, c] * torch.outer(scores[b, c], scores[b, c]) / len(images)
        for b, c in np.ndindex(*p.shape)
    )
    values = sorted(max(v, 0.0) for v in np.linalg.eigvalsh(F_.numpy()))
    wanted = []
    for tenth in range(1, 10):
        low, rest = divmod(tenth * (len(values) - 1), 10)
        after = values[min(low + 1, len(values) - 1)]
        wanted.append(values[low] + rest / 10 * (after - values[low]))
    deciles = proxies.fisher_deciles(model, images)
    assert len(deciles) == 9
    assert deciles == pytest.approx(wanted, rel=1e-8, abs=1e-12 * max(values))


def test_vkdnw_entropy():
    model, (images, _) = _network(SKIP), _batch(batch=6)
    deciles = proxies.fisher_deciles(model, images)
    shares = [d / sum(deciles) for d in deciles if d > 0]
    wanted = -sum(p * math.log(p) for p in shares)
    assert 0 < wanted < math.log(9)
    assert proxies.vkdnw_entropy(model, images) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("architecture", [DEAD, ZERO, SKIP, EMPTY, BROKEN])
def test_every_score_returns_and_leaves_the_model(name, architecture):
    model, (images, labels) = _small(architecture).eval(), _batch(size=SIZE)
    before, pixels = copy.deepcopy(model.state_dict()), images.clone()
    score = SCORES[name](model, images, labels)
    if isinstance(score, list):
        assert len(score) == (9 if name == "fisher_deciles" else len(_layers(model)))
        assert {type(one) for one in np.ravel(score).tolist()} == {float}
    else:
        assert type(score) is float
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert torch.equal(images, pixels)
    assert not images.requires_grad
    assert not model.training
    assert all(p.grad is None for p in model.parameters())
    assert repr(SCORES[name](model, images, labels)) == repr(score)


def test_scores_of_a_disconnected_network():
    model, (images, _) = _network(EMPTY), _batch()
    labels = torch.zeros(BATCH, dtype=torch.long)
    zero = ("plain", "snip", "grad_norm", "grasp", "synflow", "zico", "gradsign")
    found = {name: score(model, images, labels) for name, score in SCORES.items()}
    assert {name: found[name] for name in zero} == dict.fromkeys(zero, 0.0)
    assert found["swap"] == 1.0
    assert found["zen"] == -math.inf
    assert all(map(math.isnan, (found["epe_nas"], found["expressivity"], found["progressivity"])))
    assert set(found["snr"]) == {(0.0, 0.0)}
