"""Steps by hand, resuming to the bit, leaves that begin as their parent, and bad folders."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.random import default_rng

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.statistics.images import generated
from eznas.supernets import working
from eznas.supernets.few_shot import CHILD_RATE, WHOLE, Ranker, leaf_file, read_supernets
from eznas.supernets.parts import everything
from eznas.supernets.shared import SharedSupernet, draw_paths, live_path
from eznas.supernets.training import Recipe, load_weights, train, varied
from eznas.supernets.working import measure_all, train_all
from eznas.system.tensors import read_state
from tests.evaluation.ray_marks import on_ray
from tests.supernets.trained import leaves, tiny, trained

NB201 = SPACES["nasbench201"]
IMAGES = generated(64, 8, classes=4)
RECIPE = Recipe(epochs=2, batch=16, shift=1)


def _fresh():
    return SharedSupernet(NB201, 2, 1, 4)


def _equal(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_step_is_that_of_sgd_with_nesterov_momentum_and_a_cosine_by_hand():
    recipe = Recipe(epochs=1, batch=16, shift=0)
    supernet, expected = _fresh(), _fresh()
    train(supernet, everything(NB201), IMAGES, recipe, [0])
    parameters = dict(expected.named_parameters())
    momenta = {}
    order = torch.from_numpy(default_rng([0, 1, 0]).permutation(64))
    for step, path in enumerate(draw_paths(everything(NB201), 4, [0, 0])):
        live = live_path(NB201, path.tolist())
        if live is None:
            continue
        batch = order[16 * step : 16 * step + 16]
        used = list(parameters.values())
        logits = expected(IMAGES.pixels[batch], live)
        loss = F.cross_entropy(logits, IMAGES.labels[batch])
        gradients = torch.autograd.grad(loss, used, allow_unused=True)
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients if g is not None))
        rate = 0.05 * (1 + math.cos(math.pi * step / 4)) / 2
        for (name, p), g in zip(parameters.items(), gradients, strict=True):
            if g is None:
                continue
            decayed = g * min(1.0, 5.0 / (norm + 1e-6)) + 5e-4 * p.detach()
            momenta[name] = 0.9 * momenta[name] + decayed if name in momenta else decayed
            with torch.no_grad():
                p -= rate * (decayed + 0.9 * momenta[name])
    for name, value in supernet.state_dict().items():
        torch.testing.assert_close(value, parameters[name].detach(), rtol=1e-4, atol=1e-5)


def test_a_resumed_training_is_the_uninterrupted_one_to_the_bit(tmp_path):
    whole, resumed = _fresh(), _fresh()
    train(whole, everything(NB201), IMAGES, RECIPE, [0])
    file = tmp_path / "supernet.tensors"
    train(resumed, everything(NB201), IMAGES, RECIPE, [0], file, until=1)
    assert not _equal(whole.state_dict(), resumed.state_dict())
    another = SharedSupernet(NB201, 2, 1, 4, seed=9)  # whose weights are replaced
    train(another, everything(NB201), IMAGES, RECIPE, [0], file)
    assert _equal(whole.state_dict(), another.state_dict())
    assert read_state(file)["epochs"] == 2


def test_the_global_random_state_is_left_alone():
    before = torch.random.get_rng_state()
    train(_fresh(), everything(NB201), IMAGES, replace(RECIPE, epochs=1), [0])
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_file_of_another_training_is_refused(tmp_path):
    file = tmp_path / "supernet.tensors"
    train(_fresh(), everything(NB201), IMAGES, RECIPE, [0], file, until=1)
    with pytest.raises(InputError, match="of another training"):
        train(_fresh(), everything(NB201), IMAGES, RECIPE, [1], file)
    with pytest.raises(InputError, match="trained for 1 of 2 epochs"):
        load_weights(_fresh(), file, 2)
    with pytest.raises(InputError, match="another shape"):
        load_weights(SharedSupernet(NB201, 3, 1, 4), file, 1)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="damaged"):
        load_weights(_fresh(), file, 1)


def test_fewer_images_than_a_batch():
    with pytest.raises(InputError, match="64 images: expected 128, a batch, or more"):
        train(_fresh(), everything(NB201), IMAGES, Recipe(1), [0])


def test_images_are_mirrored_and_shifted():
    image = torch.arange(9.0).reshape(1, 1, 3, 3).repeat(200, 1, 1, 1) + 1
    results = {tuple(x.flatten().int().tolist()) for x in varied(image, 1, default_rng(0))}
    assert len(results) == 2 * 9  # a mirror image or not, and nine shifts
    assert (1, 2, 3, 4, 5, 6, 7, 8, 9) in results
    assert (3, 2, 1, 6, 5, 4, 9, 8, 7) in results
    assert (5, 6, 0, 8, 9, 0, 0, 0, 0) in results
    assert varied(image, 0, default_rng(0)) is image


def test_leaves_begin_with_the_weights_of_their_parent(tmp_path, monkeypatch):
    supernets = tiny(tmp_path, epochs=3, leaf_epochs=1, leaves=leaves(NB201))
    begun = []

    def noted(supernet, allowed, images, recipe, seed, file, until):
        begun.append(
            (file.name, recipe, allowed, {k: v.clone() for k, v in supernet.state_dict().items()})
        )
        train(supernet, allowed, images, recipe, seed, file, until)

    monkeypatch.setattr(working, "train", noted)
    folder = tmp_path / "few-shot"
    train_all({folder: supernets})
    parent = read_state(folder / WHOLE)
    assert parent["epochs"] == 1 == supernets.parent_epochs
    assert [name for name, *_ in begun] == ["whole.tensors", "leaf-1.tensors", "leaf-2.tensors"]
    for index, (_, recipe, allowed, weights) in enumerate(begun[1:]):
        assert _equal(weights, parent["supernet"])
        assert (recipe.rate, recipe.epochs) == (CHILD_RATE, 1)
        assert allowed == supernets.leaves[index]
        changed = read_state(leaf_file(folder, index))["supernet"]
        assert not _equal(weights, changed)
    # Of the first edge, a leaf trains only the convolution that it allows: 1x1 or 3x3.
    for index, other in enumerate((3, 2)):
        changed = read_state(leaf_file(folder, index))["supernet"]
        name = f"network.stage1.0.edges.1_0.options.{other}.1.weight"
        assert torch.equal(changed[name], parent["supernet"][name])


def test_a_training_that_was_cut_off_goes_on_to_the_same_result(tmp_path, monkeypatch):
    supernets = tiny(tmp_path, epochs=6, leaf_epochs=2, leaves=leaves(NB201))
    train_all({tmp_path / "whole": supernets})
    monkeypatch.setattr(working, "EPOCHS", 1)
    calls = []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        train(*arguments)

    monkeypatch.setattr(working, "train", failing)
    with pytest.raises(KeyboardInterrupt):
        train_all({tmp_path / "cut": supernets})
    train_all({tmp_path / "cut": supernets})
    for name in ("whole", "leaf-1", "leaf-2"):
        first, second = (
            read_state(tmp_path / f / f"{name}.tensors")["supernet"] for f in ("whole", "cut")
        )
        assert _equal(first, second)


def test_a_parent_is_taken_over_if_it_is_the_same(tmp_path):
    few = tiny(tmp_path, epochs=3, leaf_epochs=1, leaves=leaves(NB201))
    parent = tmp_path / "parent"
    train_all({parent: tiny(tmp_path, epochs=1)})
    train_all({tmp_path / "few": few}, parents={tmp_path / "few": parent})
    train_all({tmp_path / "alone": few})
    first, second = (
        read_state(leaf_file(tmp_path / name, 0))["supernet"] for name in ("few", "alone")
    )
    assert _equal(first, second)
    other = tmp_path / "other"
    train_all({other: tiny(tmp_path, epochs=1, seed=1)})
    with pytest.raises(InputError, match="of another training"):
        train_all({tmp_path / "new": few}, parents={tmp_path / "new": other})
    assert not (tmp_path / "new" / WHOLE).exists()  # a second attempt is not spoilt
    train_all({tmp_path / "new": few}, parents={tmp_path / "new": parent})


def test_leaves_share_out_the_space(tmp_path):
    first, second = leaves(NB201)
    for parts in ((first,), (first, everything(NB201))):
        with pytest.raises(InputError, match="every choice of options in one of them"):
            tiny(tmp_path, epochs=3, leaf_epochs=1, leaves=parts)
    assert tiny(tmp_path, epochs=3, leaf_epochs=1, leaves=(second, first)).parent_epochs == 1


def test_other_images_have_no_further_labels(tmp_path):
    images = generated(64, 8, classes=5)
    pixels = images.pixels.permute(0, 2, 3, 1).numpy().clip(0, 1)
    np.savez(tmp_path / "five.npz", images=pixels, labels=images.labels.numpy())
    with pytest.raises(InputError, match="label 4: expected labels from 0 to 3"):
        train_all({tmp_path / "x": tiny(tmp_path, validation=str(tmp_path / "five.npz"))})
    assert not (tmp_path / "x").exists()


def test_long_epochs_do_not_count_as_hung(monkeypatch):
    made = []
    monkeypatch.setattr(working, "executor_of", lambda *arguments: made.append(arguments))
    working.workers_of(2, "cpu")
    assert made[0][1:] == (2, working.HUNG)


def test_a_folder_of_other_settings_is_refused(tmp_path):
    folder = trained(tmp_path)
    assert read_supernets(folder) == tiny(tmp_path)
    with pytest.raises(InputError, match="holds supernets of other settings"):
        train_all({folder: tiny(tmp_path, epochs=2)})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"space": "nasbench"}, "unknown space 'nasbench'"),
        ({"leaves": leaves(NB201)}, "leaf epochs 0: expected 1 or more"),
        ({"leaves": leaves(NB201), "leaf_epochs": 2}, "expected more than 2 leaves of 2 epochs"),
        ({"leaves": (((0,), (1,)),)}, "expected options of 6 positions"),
        ({"epochs": 0}, "epochs 0: expected"),
    ],
)
def test_bad_settings(tmp_path, changes, problem):
    with pytest.raises(InputError, match=problem):
        tiny(tmp_path, **changes)


def test_images_are_shared_out(tmp_path):
    training, choosing, judging = tiny(tmp_path).parts
    assert [len(part.labels) for part in (training, choosing, judging)] == [51, 3, 10]
    with pytest.raises(InputError, match="51 to train on, expected a batch"):
        train_all({tmp_path / "x": tiny(tmp_path, batch=64)})
    validated = tiny(tmp_path, validation=tiny(tmp_path).images).parts
    assert [len(part.labels) for part in validated] == [64, 16, 48]


@on_ray
def test_two_workers_train_and_rank_as_one_does(tmp_path):
    supernets = tiny(tmp_path, epochs=3, leaf_epochs=1, leaves=leaves(NB201))
    one, two = tmp_path / "one", tmp_path / "two"
    train_all({one: supernets})
    train_all({two: supernets}, workers=2)
    for name in ("whole", "leaf-1", "leaf-2"):
        first, second = (read_state(f / f"{name}.tensors")["supernet"] for f in (one, two))
        assert _equal(first, second)
    networks, ranker = NB201.sample(5), Ranker(two)
    measure_all({two: ranker}, networks, {two: ("judging", "choosing")}, workers=2)
    (two / "leaf-1.tensors").unlink()  # what is known is not run again
    for purpose in ("judging", "choosing"):
        expected = Ranker(one).accuracies(networks, purpose)
        assert (ranker.accuracies(networks, purpose) == expected).all()
