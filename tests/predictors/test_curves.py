"""Learning curves in numbers."""

import numpy as np
import pytest

from eznas.benchmarks.curves import Curves
from eznas.errors import InputError
from eznas.predictors.curves import SUMMARIES, described, extrapolated, sotl_ema
from tests.predictors.made_up_networks import ACCURACIES, curves


def of(accuracy=None, train_loss=None, total=100):
    values = {"accuracy": accuracy, "train_loss": train_loss}
    values = {key: np.atleast_2d(np.array(v, float)) for key, v in values.items() if v is not None}
    rows, points = next(iter(values.values())).shape
    names = tuple(map(str, range(rows)))
    epochs = np.arange(1, points + 1)
    return Curves("made up", "", "cifar10", names, epochs, values, np.full(rows, 50.0), total)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("last_value", 40.0), ("sotl", -3.5), ("sotl_e", -0.5), ("sotl_ema", -1.85)],
)
def test_summaries_by_hand(name, expected):
    made_up = of([10.0, 30.0, 40.0], [2.0, 1.0, 0.5])
    [value] = SUMMARIES[name].function(made_up)
    # The average: 2, then .9 * 2 + .1 * 1 = 1.9, then .9 * 1.9 + .1 * .5 = 1.76.
    assert value == pytest.approx(-1.76 if name == "sotl_ema" else expected)


def test_the_moving_average_of_one_epoch_is_its_loss():
    assert sotl_ema(of(train_loss=[[3.0], [2.0]])).tolist() == [-3.0, -2.0]


@pytest.mark.parametrize("shape", [0.5, 1.0])
def test_an_exact_power_law_is_continued(shape):
    x = np.arange(1, 31)
    [value] = extrapolated(of(90 - 70 * x**-shape))
    assert value == pytest.approx(90 - 70 * 100.0**-shape, abs=2.5)


def test_a_flat_curve_stays_flat_and_a_falling_one_does_not_rise():
    values = extrapolated(of([[70.0, 70.0, 70.0], [70.0, 60.0, 50.0]]))
    assert values.tolist() == pytest.approx([70.0, 60.0])


def test_nothing_is_above_100_percent():
    assert extrapolated(of([10.0, 60.0, 95.0, 99.9])).max() <= 100


def test_extrapolating_beats_the_last_value():
    seen = curves()
    errors = [abs(SUMMARIES[n].function(seen) - ACCURACIES).mean()
              for n in ("extrapolated", "last_value")]  # fmt: skip
    assert errors[0] < errors[1] / 2


def test_a_description_by_hand():
    [row] = described(of([1.0, 2.0, 4.0]))
    differences, second = np.array([1.0, 2.0]), 1.0
    expected = [4.0, 7 / 3, np.std([1, 2, 4]), 1.5, differences.std(), second, 0.0]
    np.testing.assert_allclose(row, expected)
    assert described(of([5.0])).tolist() == [[5.0, 5.0, 0.0]]
    assert described(of([1.0, 2.0], [3.0, 1.0])).shape == (1, 10)


def test_a_quantity_that_the_curves_have_not():
    with pytest.raises(InputError, match="expected train_loss, have accuracy"):
        SUMMARIES["sotl"].function(of([1.0, 2.0]))
