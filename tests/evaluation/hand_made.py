"""Banks made by hand, and what is expected of them from loops over single layers."""

import math

import numpy as np
import torch

from eznas.evaluation.bank import Axis, Bank
from eznas.primitives import PRIMITIVES

# Layer signatures: the shapes of input and output (two images), of the weight, and whether there
# is a batch norm. Input and output of the narrowing one cannot be multiplied.
KEEPING = ((3, 4, 4), (3, 4, 4), (3, 3, 3, 3), True)
NARROWING = ((3, 4, 4), (5, 2, 2), (5, 3, 1, 1), True)
BARE = ((3, 4, 4), (3, 4, 4), (3, 3, 1, 1), False)
SIGNATURES = 3

# Layers and activations in depth order with their liveness, and whether logits see the image.
NETWORKS = [
    (
        [(KEEPING, True), (NARROWING, True), (KEEPING, False), (BARE, True)],
        [True, False, True],
        True,
    ),
    ([(NARROWING, True), (NARROWING, True), (NARROWING, False)], [True, True], True),
    ([(KEEPING, False), (NARROWING, False)], [False], False),  # nothing in it is live
    ([(KEEPING, True), (KEEPING, True)], [], True),  # no activations
]
DISCONNECTED, LINEAR = 2, 3
CONNECTED = [0, 1, 3]


def _measured_tensors(network):
    """The tensors of one network: {statistic: one per layer or activation}."""
    layers, activations, connected = NETWORKS[network]
    generator = torch.Generator().manual_seed(network)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    def kernel():
        return PRIMITIVES["agreement"].function(normal(1, 4, 3, 2, 2))[0].double()

    signatures = [signature for signature, _ in layers]
    return {
        "data_conv_input": [normal(2, *s[0]) for s in signatures],
        "data_conv_output": [normal(2, *s[1]) for s in signatures],
        "weight": [normal(*s[2]) for s in signatures],
        "data_bn_output": [normal(2, *s[1]) if s[3] else None for s in signatures],
        "layer_params": [torch.tensor(float(math.prod(s[2]))).double() for s in signatures],
        "data_relu_agreement": [kernel() for _ in activations],
        "data_jacobian": [normal(2, 6).double() if connected else None],
        "params": [torch.tensor(100.0 + network).double()],
    }


TENSORS = [_measured_tensors(network) for network in range(len(NETWORKS))]
NETWORK_LEVEL = ("data_jacobian", "params")


def bank_of(*networks):
    """The bank of networks, by their numbers."""
    axes = {
        "layers": Axis.of([NETWORKS[n][0] for n in networks]),
        "activations": Axis.of([[((), live) for live in NETWORKS[n][1]] for n in networks]),
    }
    reached = torch.tensor([NETWORKS[n][2] for n in networks])
    blind = torch.zeros_like(reached)
    bank = Bank(len(networks), axes, {}, {}, reached, blind)
    for name in TENSORS[0]:
        tensors = [TENSORS[n][name] for n in networks]
        if name in NETWORK_LEVEL:
            like = torch.zeros_like(TENSORS[0][name][0])
            present = [t[0] is not None for t in tensors]
            bank.blocks[name] = [torch.stack([like if t[0] is None else t[0] for t in tensors])]
            bank.present[name] = torch.tensor(present)
        else:
            axis = "activations" if name == "data_relu_agreement" else "layers"
            bank.blocks[name] = axes[axis].stack(tensors)
    return bank


BANK = bank_of(*range(len(NETWORKS)))


def live_weights(network):
    """The weights of a network's live layers."""
    pairs = zip(TENSORS[network]["weight"], NETWORKS[network][0], strict=True)
    return [weight for weight, (_, live) in pairs if live]


def _means(network):
    return [weight.double().mean().item() for weight in live_weights(network)]


def _weighted_mean(network):
    sizes = [weight.numel() for weight in live_weights(network)]
    return np.average(_means(network), weights=sizes)


def _slope(values):
    return np.polyfit(range(len(values)), values, 1)[0]


# For each aggregation over live layers, what it gives for a network.
AGGREGATED = {
    "sum_layers(mean(weight))": lambda n: sum(_means(n)),
    "mean_layers(mean(weight))": lambda n: np.mean(_means(n)),
    "weighted_mean_layers(mean(weight), layer_params)": _weighted_mean,
    "std_layers(mean(weight))": lambda n: np.std(_means(n)),
    "min_layers(mean(weight))": lambda n: min(_means(n)),
    "max_layers(mean(weight))": lambda n: max(_means(n)),
    "first_layer(mean(weight))": lambda n: _means(n)[0],
    "last_layer(mean(weight))": lambda n: _means(n)[-1],
    "slope_layers(mean(weight))": lambda n: _slope(_means(n)),
    "step_layers(mean(weight))": lambda n: np.diff(_means(n)).min(),
}
# Every way from tensors to numbers, on all three axes.
VARIED = [
    *AGGREGATED,
    "sum_all_layers(std(weight))",
    "mean_all_layers(norm(data_conv_output))",
    "sum_layers(entropy(eigenvalues(covariance(data_conv_output))))",
    "mean_layers(participation(singular_values(weight)))",
    "sum_layers(logdet(gram(data_conv_input)))",
    "sum_layers(trace(correlation(gram(data_conv_input))))",
    "max_layers(cosine(data_conv_input, data_conv_output))",
    "sum_layers(kl(softmax(data_conv_input), normalise(data_conv_input)))",
    "logdet(sum_layers(data_relu_agreement))",
    "logdet(sum_all_layers(data_relu_agreement))",
    "entropy(eigenvalues(sum_layers(data_relu_agreement)))",
    "std_layers(top_share(eigenvalues(data_relu_agreement)))",
    "sum(singular_values(data_jacobian)) / params",
    "weighted_mean_layers(sum(sigmoid(data_bn_output)), layer_params) * 2",
    "min(params, sum_layers(layer_params)) - max_layers(log(layer_params))",
]
