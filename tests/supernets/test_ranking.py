"""Rankings by hand: batch statistics, standardised scores, leaves on one scale."""

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.statistics.images import generated
from eznas.supernets.few_shot import Ranker
from eznas.supernets.parts import numbered
from eznas.supernets.ranking import (
    joined,
    means_of_leaves,
    on_one_scale,
    shared_accuracies,
    standardised,
    within_leaves,
)
from eznas.supernets.shared import SharedSupernet
from tests.supernets.trained import leaves, trained

NB201 = SPACES["nasbench201"]
NETWORKS = NB201.sample(12)
ROOT = np.sqrt(1.5)  # of ranks 1, 2, 3: (rank - 2) / deviation


def test_accuracies_are_those_of_the_logits_with_batch_statistics():
    images = generated(40, 8, classes=4)
    supernet = SharedSupernet(NB201, 2, 1, 4).eval()
    paths = numbered(NB201, NETWORKS).tolist()
    accuracies = shared_accuracies(supernet, paths, images)
    with torch.no_grad():
        for path, accuracy in zip(paths, accuracies, strict=True):
            if NB201.connected(NETWORKS[paths.index(path)]):
                guesses = supernet.train()(images.pixels, path).argmax(1)
                assert accuracy == pytest.approx(
                    100 * float((guesses == images.labels).float().mean())
                )


def test_a_network_without_a_path_guesses():
    supernet = SharedSupernet(NB201, 2, 1, 4)
    assert shared_accuracies(supernet, [(0,) * 6], generated(8, 8, 4)).tolist() == [25.0]


def test_standardised():
    np.testing.assert_allclose(standardised(np.array([5.0, -np.inf, 7.0])), [0, -ROOT, ROOT])
    np.testing.assert_allclose(standardised(np.array([1.0, np.nan, 2.0])), [-1, 0, 1])
    assert standardised(np.array([3.0, 3.0])).tolist() == [0, 0]
    assert standardised(np.array([np.nan])).tolist() == [0]


def test_joined_and_on_one_scale_by_hand():
    proxy, supernet = np.array([1.0, 2.0, 3.0]), np.array([30.0, 10.0, 20.0])
    np.testing.assert_allclose(joined(proxy, supernet), [-ROOT + ROOT / 2, -ROOT / 2, ROOT])
    leaf = np.array([0, 0, 1])
    np.testing.assert_allclose(within_leaves(supernet, leaf), [1, -1, 0])
    np.testing.assert_allclose(means_of_leaves(proxy, leaf), [-ROOT / 2, -ROOT / 2, ROOT])
    np.testing.assert_allclose(
        on_one_scale(proxy, supernet, leaf), [0.5 - ROOT / 2, -0.5 - ROOT / 2, ROOT]
    )


def test_every_network_is_run_in_the_supernet_of_its_leaf(tmp_path):
    folder = trained(tmp_path, epochs=3, leaf_epochs=1, leaves=leaves(NB201))
    ranker = Ranker(folder)
    first = np.array([NB201.positions[0].index(NB201.choices(a)[0]) for a in NETWORKS])
    assert ranker.leaves(NETWORKS).tolist() == (first >= 3).astype(int).tolist()
    accuracies = ranker.accuracies(NETWORKS)
    assert (accuracies == [Ranker(folder).accuracies([a])[0] for a in NETWORKS]).all()
    assert ((accuracies >= 0) & (accuracies <= 100)).all()
    (folder / "leaf-2.tensors").unlink()
    with pytest.raises(InputError, match=r"leaf-2\.tensors: no such file"):
        Ranker(folder).accuracies(NETWORKS)
    with pytest.raises(InputError, match=r"supernet\.json"):
        Ranker(tmp_path)
