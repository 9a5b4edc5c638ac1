"""The guide's example of a search space: short, and a space like any other."""

import numpy as np
import pytest

import eznas
from eznas.spaces import SPACES
from tests.guide.pages import PAGES, blocks
from tests.spaces import test_spaces


@pytest.fixture
def space(monkeypatch):
    """The space that the example registers, removed again afterwards."""
    page = PAGES["extend"].read_text(encoding="utf-8")
    [code] = [block.content for block in blocks(page) if block.argument == "space"]
    assert len(code.splitlines()) < 60
    names_before = set(SPACES)
    exec(compile(code, "extend.md", "exec"), {})
    [name] = SPACES.keys() - names_before
    yield SPACES[name]
    del SPACES[name]


PROMISES = (
    test_spaces.test_a_sample_is_the_beginning_of_a_larger_one,
    test_spaces.test_all_architectures_or_an_error_that_there_are_too_many,
    test_spaces.test_choices_and_text_are_inverse,
    test_spaces.test_text_fits_into_a_csv_cell_and_a_command,
    test_spaces.test_live_cells_are_fixed_points,
    test_spaces.test_neighbours_differ_in_one_choice_and_are_mutual,
    test_spaces.test_encodings_tell_architectures_apart,
    test_spaces.test_builds,
    test_spaces.test_logits_depend_on_the_image_where_it_is_connected,
    test_spaces.test_components_are_numbered_from_0,
)


def test_it_keeps_every_promise(space):
    for promise in PROMISES:
        promise(space, space.sample(test_spaces.FEW, seed=1))
    for text in ("", "no architecture", "|" * 300):
        test_spaces.test_nonsense_is_refused_in_one_line(space, text)


def test_proxies_can_be_correlated_on_it(space, tmp_path):
    """Against accuracies that grow with the parameters."""
    sample = space.sample(12, seed=0)
    sizes = [sum(p.numel() for p in space.build(a).parameters()) for a in sample]
    rows = [f"{a},{50 + np.log(s)}" for a, s in zip(sample, sizes, strict=True)]
    file = tmp_path / "mine.csv"
    file.write_text("\n".join(["architecture,accuracy", *rows]))
    names = ["params", "naswot"]
    correlation = eznas.correlate(names, space=space.name, accuracy=str(file), raw=2, sketch=4)
    taus = {r["proxy"]: r["tau"] for r in correlation.rows}
    assert taus["params"] == pytest.approx(1)
    assert -1 <= taus["naswot"] < 1
