"""Small neural regressors in torch: an ensemble of MLPs, and a dense graph isomorphism network.

They are trained on all networks at once: there are hundreds at most.
"""

import itertools
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from torch import Tensor, nn

from eznas.predictors.graphs import GraphLayers, unflattened
from eznas.statistics.surroundings import seeded

Floats = NDArray[np.float64]


class MLPEnsemble(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Several MLPs that differ in their initial weights; the prediction is their mean.

    Source: White et al., "BANANAS", AAAI 2021; hidden layers and mean absolute error as in NASLib.
    All members are trained together, as one batch of matrix products.
    """

    def __init__(
        self,
        members: int = 5,
        hidden: int = 20,
        epochs: int = 500,
        rate: float = 0.01,
        seed: int = 0,
    ) -> None:
        self.members = members
        self.hidden = hidden
        self.epochs = epochs
        self.rate = rate
        self.seed = seed

    def fit(self, x: Floats, y: Floats) -> "MLPEnsemble":
        """Fit to columns [n, columns] and targets [n]."""
        generator = torch.Generator().manual_seed(self.seed)
        sizes = [x.shape[1], self.hidden, self.hidden, 1]
        self.weights_ = [
            torch.randn(self.members, a, b, generator=generator) * (2 / max(a, 1)) ** 0.5
            for a, b in itertools.pairwise(sizes)
        ]
        self.biases_ = [torch.zeros(self.members, 1, b) for b in sizes[1:]]
        parameters = [*self.weights_, *self.biases_]
        inputs, targets = _tensor(x), _tensor(y)
        _train(
            parameters,
            lambda: (self._forward(inputs) - targets).abs().mean(),
            self.epochs,
            self.rate,
        )
        return self

    def predict(self, x: Floats) -> Floats:
        """The mean of the members' predictions [n] for columns [n, columns]."""
        mean: Floats = self.member_predictions(x).mean(0)
        return mean

    def member_predictions(self, x: Floats) -> Floats:
        """The predictions of each member [members, n] for columns [n, columns]."""
        with torch.no_grad():
            return _array(self._forward(_tensor(x)))

    def _forward(self, x: Tensor) -> Tensor:
        values = x.expand(self.members, *x.shape)
        layers = list(zip(self.weights_, self.biases_, strict=True))
        for weight, bias in layers[:-1]:
            values = torch.relu(torch.baddbmm(bias, values, weight))
        return torch.baddbmm(layers[-1][1], values, layers[-1][0])[..., 0]


class GIN(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Graph isomorphism networks over dense adjacency matrices; the prediction is their mean.

    Source: Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019. Columns as
    `eznas.predictors.graphs.flattened` gives them. Data is passed along and against the edges, and
    the mean over nodes is read out.
    """

    def __init__(
        self,
        members: int = 3,
        hidden: int = 32,
        layers: int = 3,
        epochs: int = 150,
        rate: float = 0.01,
        seed: int = 0,
    ) -> None:
        self.members = members
        self.hidden = hidden
        self.layers = layers
        self.epochs = epochs
        self.rate = rate
        self.seed = seed

    def fit(self, x: Floats, y: Floats) -> "GIN":
        """Fit to columns [n, columns] and targets [n]."""
        adjacency, operations = map(_tensor, unflattened(x))
        targets = _tensor(y)
        with seeded(self.seed):
            self.networks_ = [
                _GraphNetwork(operations.shape[-1], self.hidden, self.layers)
                for _ in range(self.members)
            ]
        for network in self.networks_:
            loss = partial(_absolute_error, network, adjacency, operations, targets)
            _train(list(network.parameters()), loss, self.epochs, self.rate)
        return self

    def predict(self, x: Floats) -> Floats:
        """The mean of the members' predictions [n] for columns [n, columns]."""
        mean: Floats = self.member_predictions(x).mean(0)
        return mean

    def member_predictions(self, x: Floats) -> Floats:
        """The predictions of each member [members, n] for columns [n, columns]."""
        adjacency, operations = map(_tensor, unflattened(x))
        with torch.no_grad():
            members = [network(adjacency, operations) for network in self.networks_]
        return _array(torch.stack(members))


class _GraphNetwork(nn.Module):
    """Adjacency [n, N, N] and operations [n, N, operations] to predictions [n]."""

    def __init__(self, operations: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = GraphLayers(operations, hidden, layers)
        self.head = nn.Linear(hidden, 1)

    def forward(self, adjacency: Tensor, operations: Tensor) -> Tensor:
        prediction: Tensor = self.head(self.layers(adjacency, operations).mean(1))[:, 0]
        return prediction


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def _array(values: Tensor) -> Floats:
    array: Floats = values.double().numpy()
    return array


def _absolute_error(
    network: nn.Module, adjacency: Tensor, operations: Tensor, targets: Tensor
) -> Tensor:
    """The mean absolute error of a graph network's predictions: a scalar."""
    error: Tensor = (network(adjacency, operations) - targets).abs().mean()
    return error


def _train(parameters: list[Tensor], loss: Callable[[], Tensor], epochs: int, rate: float) -> None:
    """Adam with a learning rate that falls as a cosine; the parameters are left without
    gradients."""
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.Adam(parameters, lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    with torch.enable_grad():
        for _ in range(epochs):
            optimiser.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    for parameter in parameters:
        parameter.grad = None
        parameter.requires_grad_(False)
