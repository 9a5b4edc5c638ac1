"""What the autoencoder promises of every search space; a new space is found by itself."""

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.search.latent.ascent import ascend
from eznas.search.latent.autoencoder import ENCODERS, Autoencoder
from eznas.spaces import SPACES

NO_GRAPHS = ("transnas", "nds-resnet", "nds-resnext", "nds-vanilla")
GRAPHS = [name for name in SPACES if not name.startswith(NO_GRAPHS)]
PAIRS = [(name, encoder) for name in SPACES for encoder in ENCODERS]


@pytest.mark.parametrize(("name", "encoder"), PAIRS)
def test_a_space_can_be_encoded_decoded_and_climbed(name, encoder):
    space = SPACES[name]
    if encoder == "graph" and name not in GRAPHS:
        with pytest.raises(InputError, match="gives no graphs"):
            Autoencoder(space, encoder=encoder)
        return
    model = Autoencoder(space, latent=6, width=48, encoder=encoder)
    architectures = space.sample(30)
    model.fit(architectures, epochs=20)
    assert len(model.losses) == 20
    assert np.isfinite(model.losses).all()
    assert model.losses[-1] < model.losses[0]
    latents = model.encode(architectures)
    assert latents.shape == (30, 6)
    assert latents.isfinite().all()
    assert not latents.requires_grad
    decoded = model.decode(torch.cat([latents, model.draws(30)]))
    assert len(decoded) == 60
    texts = [text for text in decoded if text is not None]
    assert texts == [*map(space.canonical, texts)]
    ascent = ascend(model, lambda z: z.sum(1), latents[:4], steps=3)
    assert ascent.paths.shape == (4, 4, 6)
    assert all(space.canonical(v.architecture) == v.architecture for v in ascent.visited)
