"""Gradient ascent on latents: on a line by hand, and to an architecture that is known."""

import pytest
import torch

from eznas.errors import InputError
from eznas.search.latent.ascent import Visit, ascend
from tests.search.latent.made_up import WIDTHS, Line, fitted

MODEL = fitted()


def height(latents):
    return latents[:, 0]


def points(*numbers):
    return torch.tensor([[float(number)] for number in numbers])


def path(ascent, start=0):
    return [round(z, 4) for z in ascent.paths[:, start, 0].tolist()]


def test_steps_by_hand():
    """Where the slope is constant, Adam's steps are as long as its rate."""
    ascent = ascend(Line(), height, points(0, 10), steps=3, rate=1.0)
    assert path(ascent) == [0, 1, 2, 3]
    assert path(ascent, start=1) == [10, 11, 12, 13]
    assert ascent.stopped == (None, None)
    best_first = [("13", 13, 3, 1), ("12", 12, 2, 1), ("11", 11, 1, 1), ("10", 10, 0, 1)]
    best_first += [("3", 3, 3, 0), ("2", 2, 2, 0), ("1", 1, 1, 0), ("0", 0, 0, 0)]
    assert ascent.visited == tuple(Visit(*row) for row in best_first)


def test_a_path_stops_where_it_is_refused_and_others_go_on():
    ascent = ascend(Line(last=5), height, points(4, 1, 7), steps=4, rate=1.0)
    assert path(ascent) == [4, 5, 6, 6, 6]
    assert path(ascent, start=1) == [1, 2, 3, 4, 5]
    assert path(ascent, start=2) == [7] * 5
    assert ascent.stopped == (2, None, 0)
    assert [(v.architecture, v.step, v.start) for v in ascent.visited] == [
        ("5", 1, 0),
        ("4", 0, 0),
        ("3", 2, 1),
        ("2", 1, 1),
        ("1", 0, 1),
    ]


def test_nothing_is_visited_where_all_starts_are_refused():
    ascent = ascend(Line(last=0), height, points(4, 5), steps=2)
    assert ascent.visited == ()
    assert ascent.stopped == (0, 0)


def test_predictions_are_those_at_the_architectures_themselves():
    """And not at the latents that were decoded to them: 0.7 is decoded to 1."""
    ascent = ascend(Line(), height, points(0.7), steps=0)
    assert ascent.visited == (Visit("1", 1.0, 0, 0),)


def test_latents_stay_in_the_box():
    line = Line(box=(-3.0, 2.5))
    ascent = ascend(line, height, points(-9, 1), steps=3, rate=1.0)
    assert path(ascent) == [-3, -2, -1, 0]
    assert path(ascent, start=1) == [1, 2, 2.5, 2.5]
    narrow = (torch.tensor([0.0]), torch.tensor([0.5]))
    assert path(ascend(line, height, points(0), steps=2, rate=1.0, box=narrow)) == [0, 0.5, 0.5]


def test_it_comes_to_the_best_architecture_from_everywhere():
    best = MODEL.encode(["4-1-2-4"])

    def nearness(latents):
        return -(latents - best).square().sum(1)

    starts = MODEL.encode(WIDTHS.architectures())
    ascent = ascend(MODEL, nearness, starts, steps=300)
    assert ascent.visited[0].architecture == "4-1-2-4"
    assert ascent.visited[0].predicted == pytest.approx(0, abs=1e-6)
    assert set(MODEL.decode(ascent.paths[-1])) == {"4-1-2-4"}
    scores = [visit.predicted for visit in ascent.visited]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx(
        nearness(MODEL.encode([v.architecture for v in ascent.visited])).tolist()
    )


def test_a_path_does_not_depend_on_others():
    starts = MODEL.encode(["1-1-1-1", "2-2-2-2", "4-4-4-4"])
    together, alone = (ascend(MODEL, height, s, steps=5).paths for s in (starts, starts[1:2]))
    torch.testing.assert_close(together[:, 1:2], alone)


def test_the_same_input_gives_the_same_result():
    starts = MODEL.draws(4, seed=1)
    one, other = (ascend(MODEL, height, starts, steps=9) for _ in range(2))
    assert one.visited == other.visited
    assert torch.equal(one.paths, other.paths)


def test_starts_are_left_as_they_are_and_progress_is_shown():
    starts, seen = points(0, 1), []
    ascend(Line(), height, starts, steps=3, progress=lambda *counts: seen.append(counts))
    assert starts.tolist() == [[0.0], [1.0]]
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts": torch.zeros(2, 3)}, r"starts \[2, 3\]: expected finite numbers \[starts, 1\]"),
        ({"starts": points(torch.nan)}, "expected finite numbers"),
        ({"steps": -1}, "-1 steps: expected 0 or more"),
        ({"box": (points(0), points(1))}, r"box \[1, 1\] to \[1, 1\]: .* each \[1\]"),
        ({"box": (torch.ones(1), torch.zeros(1))}, "expected the lowest and then the highest"),
        ({"objective": lambda z: z}, r"objective at step 1: gave \[1, 1\], expected one score"),
        ({"objective": lambda z: height(z) / 0}, "objective at step 1: gave scores that are not"),
        ({"objective": lambda z: torch.ones(1)}, "objective at step 1: .* cannot be differ"),
    ],
)
def test_input_that_is_refused(change, message):
    arguments = {"objective": height, "starts": points(1), "steps": 1} | change
    objective, starts = arguments.pop("objective"), arguments.pop("starts")
    with pytest.raises(InputError, match=message):
        ascend(Line(), objective, starts, **arguments)
