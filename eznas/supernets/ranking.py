"""Ranking the networks of trained supernets: with the statistics of batches, on one scale."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from eznas.evaluation.evaluator import one_thread
from eznas.metrics.normal import mid_ranks
from eznas.statistics.images import Images
from eznas.supernets.shared import Path, SharedSupernet, live_path

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
BATCH = 500  # images whose statistics are taken together
WEIGHT = 0.5  # of a supernet's scores beside a proxy's, both standardised


def shared_accuracies(
    supernet: SharedSupernet,
    paths: Sequence[Path],
    images: Images,
) -> Floats:
    """Accuracies in percent, float64 [networks], of paths in a supernet on labelled images.

    Batch norms take the statistics of batches of up to `BATCH` images. Networks whose live parts
    are equal have equal accuracies, and one that joins input and output nowhere has that of a
    guess, 100 / classes.
    """
    device = next(supernet.parameters()).device
    pixels = images.pixels.to(device).contiguous(memory_format=torch.channels_last)
    labels = images.labels.to(device)
    accuracy_of: dict[tuple[int, ...], float] = {}
    accuracies = np.empty(len(paths))
    with one_thread(), torch.inference_mode():
        for number, path in enumerate(paths):
            live = live_path(supernet.space, path)
            if live is not None and live not in accuracy_of:
                guesses = [supernet(batch, live).argmax(1) for batch in torch.split(pixels, BATCH)]
                accuracy_of[live] = 100 * float((torch.cat(guesses) == labels).double().mean())
            guess = 100 / supernet.classes
            accuracies[number] = guess if live is None else accuracy_of[live]
    return accuracies


def standardised(scores: Floats) -> Floats:
    """Scores [networks] as ranks of mean 0 and deviation 1: -inf is the lowest, NaN lies in the
    middle; all 0 where all are equal."""
    result = np.zeros(len(scores))
    known = ~np.isnan(scores)
    ranks = mid_ranks(scores[known])
    if known.any() and np.ptp(ranks):
        result[known] = (ranks - ranks.mean()) / ranks.std()
    return result


def joined(proxy: Floats, supernet: Floats, weight: float = WEIGHT) -> Floats:
    """A proxy's and a supernet's scores [networks] of the same networks as one score [networks]:
    the sum of both, standardised, that of the supernet times `weight`."""
    return standardised(proxy) + weight * standardised(supernet)


def within_leaves(scores: Floats, leaves: Integers) -> Floats:
    """Scores [networks] standardised among the networks of the same leaf; `leaves` [networks]."""
    result = np.zeros(len(scores))
    for leaf in np.unique(leaves):
        members = leaves == leaf
        result[members] = standardised(scores[members])
    return result


def means_of_leaves(scores: Floats, leaves: Integers) -> Floats:
    """For each network the mean of the standardised scores [networks] over its leaf; `leaves`
    [networks]."""
    values, result = standardised(scores), np.zeros(len(scores))
    for leaf in np.unique(leaves):
        members = leaves == leaf
        result[members] = values[members].mean()
    return result


def on_one_scale(
    proxy: Floats, supernet: Floats, leaves: Integers, weight: float = WEIGHT
) -> Floats:
    """Scores of the supernets of leaves made comparable, [networks]: each network gets the mean of
    the proxy's scores [networks] over its leaf, and `weight` times its own supernet's score
    [networks] standardised within the leaf. Each supernet was trained by itself, so that their
    accuracies say little across leaves. `leaves` int64 [networks].
    """
    return means_of_leaves(proxy, leaves) + weight * within_leaves(supernet, leaves)
