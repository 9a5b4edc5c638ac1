"""The autoencoder of architectures: what it learns, what it keeps, and what it refuses."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.errors import InputError
from eznas.search.latent.autoencoder import Autoencoder
from eznas.search.latent.networks import divergence, drawn
from eznas.spaces import SPACES
from eznas.studies.autoencoding import autoencoding
from tests.search.latent.made_up import PICKY, WIDTHS, fitted

ALL = WIDTHS.architectures()
MODEL = fitted()
SHORT = fitted(PICKY)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=5))
@settings(max_examples=30)
def test_what_is_encoded_is_decoded_to_itself(architectures):
    latents = MODEL.encode(architectures)
    assert latents.shape == (len(architectures), 8)
    assert latents.dtype == torch.float32
    assert MODEL.decode(latents) == architectures
    assert MODEL.exactness(architectures) == 1.0


def test_architectures_that_are_refused_are_never_decoded():
    assert SHORT.exactness(PICKY.architectures()) == 1.0
    texts = SHORT.decode(5 * SHORT.draws(500))
    assert set(texts) - {None} == set(PICKY.architectures())
    share = np.mean([text is not None for text in SHORT.decode(SHORT.draws(200, seed=4))])
    assert SHORT.valid_share(200, seed=4) == share
    assert MODEL.valid_share(50) == 1.0


def test_other_spellings_are_encoded_as_the_canonical_one():
    assert torch.equal(MODEL.encode([" 1-2-4-1 "]), MODEL.encode(["1-2-4-1"]))
    assert MODEL.exactness([" 1-2-4-1 "]) == 1.0


def briefly_fitted(seed=0):
    model = Autoencoder(PICKY, latent=8, width=64, seed=seed)
    return model.fit(PICKY.architectures(), epochs=5)


def test_the_same_seed_gives_the_same_network():
    one, same, other = briefly_fitted(), briefly_fitted(), briefly_fitted(seed=1)
    assert one.losses == same.losses != other.losses
    assert all(torch.equal(a, same.state()[key]) for key, a in one.state().items())
    assert torch.equal(one.draws(3, seed=1), other.draws(3, seed=1))
    assert not torch.equal(one.draws(3, seed=1), one.draws(3, seed=2))


def test_the_random_state_of_torch_is_left_alone():
    before = torch.random.get_rng_state()
    briefly_fitted()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_fitting_again_begins_anew():
    model = briefly_fitted()
    losses = model.losses
    assert model.fit(PICKY.architectures(), epochs=5).losses == losses


def test_losses_fall():
    assert len(MODEL.losses) == 500
    assert MODEL.losses[-1] < MODEL.losses[0] / 2


def test_progress_is_shown():
    counts = []
    Autoencoder(WIDTHS).fit(ALL, epochs=3, progress=lambda *count: counts.append(count))
    assert counts == [(1, 3), (2, 3), (3, 3)]


def test_the_box_holds_all_that_was_fitted():
    low, high = MODEL.box
    means = MODEL.encode(ALL)
    assert torch.equal(low, means.amin(0))
    assert torch.equal(high, means.amax(0))


@pytest.mark.parametrize("encoder", ["choices", "graph"])
def test_state_and_config_make_it_again(encoder):
    space = SPACES["nasbench-macro"]
    model = Autoencoder(space, latent=4, width=16, encoder=encoder, seed=3)
    model.fit(space.sample(40), epochs=2)
    state = model.state()
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    again = Autoencoder.from_state(space, state, model.config)
    some = space.sample(5, seed=1)
    assert torch.equal(again.encode(some), model.encode(some))
    assert again.decode(again.draws(5)) == model.decode(model.draws(5))
    assert torch.equal(torch.stack(again.box), torch.stack(model.box))


@pytest.mark.parametrize(
    "change",
    [
        lambda state, config: config.update(width=8),
        lambda state, config: state.pop("low"),
        lambda state, config: state.pop(next(iter(state))),
        lambda state, config: state.update(low=torch.zeros(3)),
    ],
)
def test_a_state_that_does_not_fit(change):
    state, config = MODEL.state(), MODEL.config
    change(state, config)
    with pytest.raises(InputError, match="state of an autoencoder: does not fit space widths"):
        Autoencoder.from_state(WIDTHS, state, config)


@pytest.mark.parametrize("key", ["encoder", "seed"])
def test_config_says_all(key):
    options = {"encoder": "graph", "seed": 7}
    assert Autoencoder(SPACES["nasbench201"], **options).config[key] == options[key]


def test_input_that_is_refused():
    with pytest.raises(InputError, match="unknown encoder 'graphs'"):
        Autoencoder(WIDTHS, encoder="graphs")
    with pytest.raises(InputError, match="space widths: gives no graphs"):
        Autoencoder(WIDTHS, encoder="graph")
    with pytest.raises(InputError, match="latent 0, width 96: expected at least 1"):
        Autoencoder(WIDTHS, latent=0, width=96)
    with pytest.raises(InputError, match="no architectures to fit"):
        Autoencoder(WIDTHS).fit([])
    with pytest.raises(InputError, match="0 epochs: expected at least 1"):
        Autoencoder(WIDTHS).fit(ALL, epochs=0)
    with pytest.raises(InputError, match="not fitted: call fit"):
        Autoencoder(WIDTHS).state()
    with pytest.raises(InputError, match="expected the form 1-2-4-1"):
        MODEL.encode(["1-2-4-3"])
    with pytest.raises(InputError, match=r"latents \[3, 7\]: expected \[n, 8\]"):
        MODEL.decode(torch.zeros(3, 7))


def test_nothing_is_encoded_and_decoded():
    assert MODEL.encode([]).shape == (0, 8)
    assert MODEL.decode(torch.empty(0, 8)) == []
    graph = Autoencoder(SPACES["nasbench-macro"], encoder="graph")
    assert graph.encode([]).shape == (0, graph.latent)


def test_the_divergence_of_normals_by_hand():
    mean, log_variance = torch.tensor([[0.0, 0.0], [1.0, 2.0]]), torch.tensor([[0.0] * 2] * 2)
    assert divergence(mean, log_variance).tolist() == [0.0, 2.5]
    # Of N(0, 4) from N(0, 1): (4 - 1 - log 4) / 2.
    wide = divergence(torch.zeros(1, 1), torch.full((1, 1), float(np.log(4))))
    assert wide.item() == pytest.approx((3 - np.log(4)) / 2)


def test_draws_have_the_mean_and_the_variance():
    generator = torch.Generator().manual_seed(0)
    mean = torch.full((20_000, 1), 3.0)
    sample = drawn(mean, torch.full_like(mean, float(np.log(4))), generator)
    assert sample.mean().item() == pytest.approx(3, abs=0.05)
    assert sample.std().item() == pytest.approx(2, abs=0.05)


BARS = {"nasbench201": 0.99, "nasbench101": 0.99, "nasbench-macro": 0.99, "nds-darts": 0.99}


@pytest.mark.slow
@pytest.mark.parametrize("name", BARS)
def test_held_out_architectures_are_decoded_exactly(name):
    row = autoencoding([name])[0]
    assert row["held_out"] >= 600
    assert row["exact"] >= BARS[name]
