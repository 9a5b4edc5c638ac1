"""Which statistics are positive semi-definite: as the catalogue says, by measuring."""

import pytest
import torch

from eznas.primitives import MOMENTS, PRIMITIVES
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure

MATRICES = [row for row in CATALOGUE.values() if row.type.form in ("samples", "matrix")]
MARKED = [row for row in MATRICES if row.semidefinite]


@pytest.fixture(scope="module")
def measured():
    """By statistic, the matrices of two networks, those of dead and of silent layers among them."""
    space, matrices = SPACES["nasbench201"], {row.name: [] for row in MATRICES}
    config = MeasurementConfig(generated(8, size=16), raw=4, sketch=8)
    for architecture in space.sample(2, seed=3):
        tensors = measure(space.build(architecture), config, MATRICES).tensors
        for name in matrices:
            matrices[name] += [t.double() for t in tensors[name] if t is not None]
    return matrices


def is_semidefinite(x):
    """Whether a matrix [m, n] is, but for rounding."""
    if x.shape[0] != x.shape[1] or not torch.allclose(x, x.mT, rtol=1e-12):
        return False
    return torch.linalg.eigvalsh(x)[0] >= -1e-13 * len(x) * x.abs().max()


def test_the_marked_ones_are_semidefinite_and_no_others(measured):
    assert all(measured.values())
    for row in MATRICES:
        assert all(map(is_semidefinite, measured[row.name])) == row.semidefinite


def test_a_statistic_is_marked_as_the_primitive_that_condenses_it():
    by_primitives = [row for row in CATALOGUE.values() if row.sketch in PRIMITIVES]
    for row in by_primitives:
        assert row.semidefinite == (PRIMITIVES[row.sketch].semidefinite == "made")
    assert {row.name for row in MARKED} - {row.name for row in by_primitives} == {"same_class"}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_of_measured_matrices_are_those_of_their_spectra(name, measured):
    """To 1e-10 on more than 500 matrices, correlations among them."""
    count = 0
    for row in MARKED:
        for raw in measured[row.name]:
            for x in (raw[None], PRIMITIVES["unit_diagonal"](raw[None])):
                expected = PRIMITIVES[name](PRIMITIVES["eigenvalues"](x))
                torch.testing.assert_close(MOMENTS[name](x), expected, rtol=1e-10, atol=1e-14)
                count += 1
    assert count > 500
