"""How exactly autoencoders decode architectures that they were not trained on."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from eznas.errors import InputError, unknown
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.executors import NoPhases, Phases
from eznas.search.latent.autoencoder import Autoencoder
from eznas.search.latent.samples import default_sizes, training_sample
from eznas.spaces import SPACES, Space

HELD_OUT = 2000  # architectures, at most a tenth of those of a space
DRAWS = 2000  # from the prior

Rows = list[dict[str, Any]]


def autoencoding(
    spaces: Sequence[str] = ("nasbench201", "nasbench101", "nasbench-macro", "nds-darts"),
    *,
    encoder: str = "choices",
    seed: int = 0,
    repeats: int = 1,
    epochs: int | None = None,
    watcher: Phases | None = None,
) -> Rows:
    """A row for each space and seed, from `seed` on: an autoencoder of default size is trained on
    the training sample without the last `HELD_OUT` architectures, which are then encoded and
    decoded.

    The sample and the weights depend on the seed. Keys: space, encoder, seed, latent and width (the
    sizes), trained and held_out (numbers of architectures), epochs, exact (the share of the
    held-out ones that are decoded to exactly themselves); of latents drawn from the prior: valid
    (the share that is decoded to an architecture), unique (how many of these differ, as a share),
    new (the share of the different ones that were not trained on; None where there are none); and
    seconds of training on one thread.

    Raises `InputError` for an unknown space or encoder, a space that gives no graphs for "graph",
    fewer than 1 repeats or epochs, and a space of fewer than 10 architectures.
    """
    for name in spaces:
        if name not in SPACES:
            raise unknown("space", name, SPACES)
    for what, count in (("repeats", repeats), ("epochs", epochs)):
        if count is not None and count < 1:
            raise InputError(f"{count} {what}: expected at least 1")
    phases = watcher or NoPhases()
    jobs = [(SPACES[name], seed + repeat) for name in spaces for repeat in range(repeats)]
    models = [Autoencoder(space, encoder=encoder, seed=number) for space, number in jobs]
    with one_thread():
        return [_row(model, epochs, phases) for model in models]


def _row(model: Autoencoder, epochs: int | None, phases: Phases) -> dict[str, Any]:
    """One autoencoder, trained and tested; see `autoencoding`."""
    fitted, held_out = _parts(model.space, model.seed, phases)
    progress = phases.phase(f"training on {model.space.name}, seed {model.seed}", len(fitted))
    before = time.perf_counter()
    model.fit(fitted, epochs=epochs, progress=progress)
    seconds = time.perf_counter() - before
    return {
        "space": model.space.name,
        "encoder": model.encoder,
        "seed": model.seed,
        "latent": model.latent,
        "width": model.width,
        "trained": len(fitted),
        "held_out": len(held_out),
        "epochs": len(model.losses),
        "exact": model.exactness(held_out),
        **_of_draws(model, set(fitted)),
        "seconds": seconds,
    }


def _parts(space: Space, seed: int, phases: Phases) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Architectures to train on, and others to test on."""
    wanted = default_sizes(space).samples + HELD_OUT
    progress = phases.phase(f"drawing architectures of {space.name}, seed {seed}", wanted)
    sample = training_sample(space, wanted, seed, progress)
    held_out = min(HELD_OUT, len(sample) // 10)
    if not held_out:
        raise InputError(f"space {space.name}: {len(sample)} architectures, expected 10 or more")
    return sample[:-held_out], sample[-held_out:]


def _of_draws(model: Autoencoder, fitted: set[str]) -> dict[str, float | None]:
    """What latents drawn from the prior are decoded to: the shares valid, unique and new."""
    texts = [text for text in model.decode(model.draws(DRAWS, model.seed)) if text is not None]
    different = set(texts)
    return {
        "valid": len(texts) / DRAWS,
        "unique": len(different) / len(texts) if texts else None,
        "new": float(np.mean([text not in fitted for text in different])) if texts else None,
    }
