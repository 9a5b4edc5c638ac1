"""The networks of a variational autoencoder of architectures.

Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014; an encoder over graphs as in
Yan et al., "Does Unsupervised Architecture Representation Learning Help Neural Architecture
Search?" (arch2vec), NeurIPS 2020.
"""

import torch
from torch import Tensor, nn

from eznas.predictors.graphs import GraphLayers, unflattened

GRAPH_LAYERS = 4


class VAE(nn.Module):
    """`encoder`: from inputs [n, ...] to hidden [n, width]; `decoder`: from latents [n, latent] to
    logits [n, options]."""

    def __init__(self, encoder: nn.Module, width: int, latent: int, options: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.mean = nn.Linear(width, latent)
        self.log_variance = nn.Linear(width, latent)
        self.decoder = nn.Sequential(_hidden(latent, width), nn.Linear(width, options))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the latent, each [n, latent]."""
        hidden = self.encoder(inputs)
        return self.mean(hidden), self.log_variance(hidden)


def choice_encoder(options: int, width: int) -> nn.Module:
    """From one-hot choices [n, options] to [n, width]."""
    return _hidden(options, width)


class GraphEncoder(nn.Module):
    """A graph isomorphism network over the flat graphs of `eznas.predictors.graphs`, [n, columns],
    to [n, width].

    A text says in which order nodes come. So a node knows its place beside its operation, and the
    states of all nodes are read one beside the other: without that, two nodes of one operation
    could not be kept apart.
    """

    def __init__(self, columns: Tensor, width: int, hidden: int) -> None:
        """`columns`: the graph of any architecture of the space, [1, columns]."""
        super().__init__()
        nodes, operations = unflattened(columns)[1].shape[1:]
        self.layers = GraphLayers(operations + nodes, hidden, GRAPH_LAYERS)
        self.together = nn.Sequential(nn.Linear(nodes * hidden, width), nn.ReLU())

    def forward(self, columns: Tensor) -> Tensor:
        """[n, width] from [n, columns]."""
        adjacency, operations = unflattened(columns)
        places = torch.eye(operations.shape[1]).expand(len(columns), -1, -1)
        states = self.layers(adjacency, torch.cat([operations, places], -1))
        together: Tensor = self.together(states.flatten(1))
        return together


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The Kullback-Leibler divergence [n] from the standard normal to normals of these means and
    variances [n, latent]."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)


def drawn(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """One draw from each normal, [n, latent]."""
    noise = torch.randn(mean.shape, generator=generator)
    return mean + noise * (0.5 * log_variance).exp()


def _hidden(inputs: int, width: int) -> nn.Module:
    """Two hidden layers: from [n, inputs] to [n, width]."""
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
