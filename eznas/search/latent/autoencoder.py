"""A variational autoencoder of architectures: from text to a point that gradients can move, and
back."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eznas.errors import InputError, unknown
from eznas.evaluation.executors import Progress
from eznas.predictors.graphs import flattened
from eznas.search.latent.networks import VAE, GraphEncoder, choice_encoder, divergence, drawn
from eznas.search.latent.positions import Positions
from eznas.search.latent.samples import default_sizes
from eznas.spaces import Space
from eznas.statistics.surroundings import seeded

ENCODERS = ("choices", "graph")
BATCH, RATE = 128, 2e-3
KL_WEIGHT = 0.005
TUNED_RATE = 1e-3
_AT_ONCE = 4096  # architectures encoded or latents decoded at a time
_ENDS = ("low", "high")  # of the box, in the state


class Autoencoder:
    """Architectures of any search space as latents, float32 [n, latent], and latents as
    architectures.

    The decoder gives a softmax over the options of every position of the space, so that only what
    `Space.text` refuses is no architecture. `encoder`: "choices" reads the one-hot choices, "graph"
    the graph of those spaces that give one (see `eznas.predictors.graphs`). `latent` and `width`
    (hidden units) are those of `default_sizes` unless given. Equal seeds give equal results on one
    machine.

    `losses`: the mean loss of each epoch of `fit`.

    Raises `InputError` for an unknown encoder, sizes below 1, and a space without graphs for
    "graph". Methods that take architectures raise it for a text that is none of the space.
    """

    def __init__(
        self,
        space: Space,
        *,
        latent: int | None = None,
        width: int | None = None,
        encoder: str = "choices",
        seed: int = 0,
    ) -> None:
        if encoder not in ENCODERS:
            raise unknown("encoder", encoder, ENCODERS)
        sizes = default_sizes(space)
        self.space = space
        self.latent = sizes.latent if latent is None else latent
        self.width = sizes.width if width is None else width
        self.encoder = encoder
        self.seed = seed
        if min(self.latent, self.width) < 1:
            raise InputError(f"latent {self.latent}, width {self.width}: expected at least 1")
        self._positions = Positions(space)
        self._graph = flattened(space) if encoder == "graph" else None
        self._network = self._untrained()
        self._box: tuple[Tensor, Tensor] | None = None
        self.losses: list[float] = []

    def __sklearn_clone__(self) -> "Autoencoder":
        return self  # copies of an estimator share what was learned without scores

    def fit(
        self,
        architectures: Sequence[str],
        *,
        epochs: int | None = None,
        progress: Progress | None = None,
    ) -> "Autoencoder":
        """Learn to decode these architectures, from the start; `progress` is called after every
        epoch.

        The loss is the cross-entropy of every choice plus `KL_WEIGHT` times the divergence of the
        latent from a standard normal: with weight 1, latents of short one-hot codes would carry
        nothing. `epochs`: such that there are as many steps as `default_sizes` says, unless given.
        Raises `InputError` for no architectures and fewer than 1 epoch.
        """
        if not architectures:
            raise InputError("no architectures to fit the autoencoder to")
        if epochs is not None and epochs < 1:
            raise InputError(f"{epochs} epochs: expected at least 1")
        columns = self._positions.columns(architectures)
        inputs = self._inputs(architectures, columns)
        batches = math.ceil(len(inputs) / BATCH)
        epochs = math.ceil(default_sizes(self.space).steps / batches) if epochs is None else epochs
        self._network, self.losses = self._untrained(), []
        generator = torch.Generator().manual_seed(self.seed)
        optimiser = torch.optim.Adam(self._network.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
        for epoch in range(epochs):
            total = 0.0
            for rows in torch.split(torch.randperm(len(inputs), generator=generator), BATCH):
                optimiser.zero_grad()
                loss = self._loss(inputs[rows], columns[rows], generator)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
                total += loss.item() * len(rows)
            self.losses.append(total / len(inputs))
            if progress is not None:
                progress(epoch + 1, epochs)
        self._network.requires_grad_(False)
        self._box = _box_of(self._means(inputs))
        return self

    def tuned(
        self,
        architectures: Sequence[str],
        labelled: Sequence[str],
        loss: Callable[[Tensor, Tensor], Tensor],
        parameters: Sequence[Tensor],
        *,
        steps: int,
        progress: Progress | None = None,
    ) -> "Autoencoder":
        """A copy that went on learning to decode `architectures` while it lowered a loss of the
        latents of others.

        `loss`: from the `soft_choices` [rows, options] at the latents of some of the `labelled`
        architectures and their numbers [rows] to a scalar; `parameters` of it that are changed too.
        Trained for the loss alone, an encoder moves away from what its decoder knows, and hardly
        anything is decoded exactly any more.
        """
        copy = Autoencoder.from_state(self.space, self.state(), self.config)
        columns, known = (self._positions.columns(a) for a in (architectures, labelled))
        inputs, known_inputs = self._inputs(architectures, columns), self._inputs(labelled, known)
        copy._network.requires_grad_(True)
        for tensor in parameters:
            tensor.requires_grad_()
        optimiser = torch.optim.Adam([*copy._network.parameters(), *parameters], lr=TUNED_RATE)
        generator = torch.Generator().manual_seed(self.seed)
        for step in range(1, steps + 1):
            rows = torch.randint(len(inputs), (BATCH,), generator=generator)
            some = torch.randint(len(known), (BATCH,), generator=generator)
            optimiser.zero_grad()
            decoding = copy._loss(inputs[rows], columns[rows], generator)
            choices = copy.soft_choices(copy._network(known_inputs[some])[0])
            (decoding + loss(choices, some)).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if progress is not None:
                progress(step, steps)
        copy._network.requires_grad_(False)
        for tensor in parameters:
            tensor.requires_grad_(False)
            tensor.grad = None
        copy._box = _box_of(copy._means(inputs))
        return copy

    def encode(self, architectures: Sequence[str]) -> Tensor:
        """The means of the latents, float32 [architectures, latent], without gradient."""
        return self._means(self._inputs(architectures, self._positions.columns(architectures)))

    def decode(self, latents: Tensor) -> list[str | None]:
        """The most likely architecture, canonical, at each of the latents [n, latent]; None where
        the most likely options make no network. Raises `InputError` for another shape."""
        if latents.ndim != 2 or latents.shape[1] != self.latent:
            raise InputError(f"latents {[*latents.shape]}: expected [n, {self.latent}]")
        texts: list[str | None] = []
        with torch.no_grad():
            for some in torch.split(latents, _AT_ONCE):
                texts += self._positions.texts(self._network.decoder(some))
        return texts

    def soft_choices(self, latents: Tensor) -> Tensor:
        """The probability of every option at its position, float32 [n, options], at latents
        [n, latent], with a gradient where these have one."""
        return self._positions.probabilities(self._network.decoder(latents))

    def exactness(self, architectures: Sequence[str]) -> float:
        """The share of architectures that are encoded and decoded to exactly themselves."""
        decoded = self.decode(self.encode(architectures))
        pairs = zip(decoded, map(self.space.canonical, architectures), strict=True)
        return float(np.mean([one == other for one, other in pairs]))

    def draws(self, count: int, seed: int = 0) -> Tensor:
        """Latents drawn from the prior, a standard normal: float32 [count, latent]."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, self.latent, generator=generator)

    def valid_share(self, count: int = 1000, seed: int = 0) -> float:
        """The share of draws from the prior that are decoded to an architecture."""
        return float(np.mean([text is not None for text in self.decode(self.draws(count, seed))]))

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that make an autoencoder of this form, beside the space."""
        return {key: getattr(self, key) for key in ("latent", "width", "encoder", "seed")}

    def state(self) -> dict[str, Tensor]:
        """What `fit` learned: the network's tensors by name, and the box's `low` and `high`, each
        [latent]. Raises `InputError` before `fit`."""
        return {**self._network.state_dict(), **dict(zip(_ENDS, self.box, strict=True))}

    @property
    def box(self) -> tuple[Tensor, Tensor]:
        """The lowest and highest mean of the architectures fitted to, each [latent]; raises
        `InputError` before `fit`."""
        if self._box is None:
            raise InputError("the autoencoder is not fitted: call fit(architectures) first")
        return self._box

    @classmethod
    def from_state(
        cls, space: Space, state: Mapping[str, Tensor], config: Mapping[str, Any]
    ) -> "Autoencoder":
        """The autoencoder that `state` and `config` came from; raises `InputError` where they do
        not fit each other or the space."""
        restored = cls(space, **config)
        tensors = {key: value for key, value in state.items() if key not in _ENDS}
        try:
            restored._network.load_state_dict(tensors)
            low, high = (state[end].expand(restored.latent).clone() for end in _ENDS)
        except (KeyError, RuntimeError):
            described = f"{restored.encoder}, latent {restored.latent}, width {restored.width}"
            raise InputError(
                f"state of an autoencoder: does not fit space {space.name} ({described})"
            ) from None
        restored._box = low, high
        restored._network.requires_grad_(False)
        return restored

    def _untrained(self) -> VAE:
        options = self._positions.options
        with seeded(self.seed):
            if self._graph is None:
                encoder = choice_encoder(options, self.width)
            else:
                example = torch.from_numpy(self._graph(self.space.sample(1)[0])).float()[None]
                encoder = GraphEncoder(example, self.width, hidden=max(16, self.width // 4))
            return VAE(encoder, self.width, self.latent, options)

    def _inputs(self, architectures: Sequence[str], columns: Tensor) -> Tensor:
        """What the encoder reads of each architecture, float32 [n, columns of its input]."""
        if self._graph is None or not len(columns):
            return self._positions.one_hot(columns)
        graphs = [self._graph(a).astype(np.float32) for a in architectures]
        return torch.from_numpy(np.stack(graphs))

    def _means(self, inputs: Tensor) -> Tensor:
        if not len(inputs):
            return torch.empty(0, self.latent)
        with torch.no_grad():
            return torch.cat([self._network(some)[0] for some in torch.split(inputs, _AT_ONCE)])

    def _loss(self, inputs: Tensor, columns: Tensor, generator: torch.Generator) -> Tensor:
        """The mean over a batch of cross-entropy and weighted divergence: a scalar."""
        mean, log_variance = self._network(inputs)
        logits = self._network.decoder(drawn(mean, log_variance, generator))
        error = self._positions.cross_entropy(logits, columns)
        return (error + KL_WEIGHT * divergence(mean, log_variance)).mean()


def _box_of(means: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest of means [n, latent], each [latent]."""
    return means.amin(0), means.amax(0)
