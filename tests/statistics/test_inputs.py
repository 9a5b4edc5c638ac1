"""What goes into a model: how its form is written, and what is drawn in that form."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from eznas.errors import InputError
from eznas.statistics.colours import MEAN, STD
from eznas.statistics.config import MeasurementConfig, image_batch
from eznas.statistics.drawn import DrawnInputs
from eznas.statistics.generating import pictures
from eznas.statistics.images import generated, load
from eznas.statistics.inputs import InputForm, Part, input_form, moved, square

SIZE = st.lists(st.integers(1, 300), min_size=1, max_size=4)


@given(SIZE)
def test_a_size_as_text_or_numbers(size: list[int]) -> None:
    form = input_form(",".join(map(str, size)))
    assert form == input_form(size) == input_form(tuple(size)) == InputForm((Part(tuple(size)),))
    assert form.describe() == size


@given(st.integers(1, 99), st.integers(1, 99))
def test_tokens_are_described_as_they_are_written(length: int, vocabulary: int) -> None:
    text = f"tokens:{length}:{vocabulary}"
    form = input_form(text)
    assert form.parts == (Part((length,), (0, vocabulary - 1), torch.int64),)
    assert form.describe() == [text]
    assert not form.has_real


def test_several() -> None:
    form = input_form(["3,8,8", "tokens:4:9", (2, 5)])
    assert form.describe() == [[3, 8, 8], "tokens:4:9", [2, 5]]
    assert [part.is_image for part in form.parts] == [True, False, False]
    assert form.has_real
    assert not form.is_image


def test_an_example() -> None:
    example = OrderedDict(
        x=torch.zeros(5, 3, 4, 4).half(), ids=torch.tensor([[2, 7]] * 5), deep=[1]
    )
    form = input_form(example)
    assert form.parts == (Part((3, 4, 4)), Part((2,), (2, 7), torch.int64))
    assert form.dtype == torch.float16
    assert form.describe() == [[3, 4, 4], "2:2-7"]
    assert form.structure["deep"] == [1]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (32, "expected (channels, height, width)"),
        (None, "expected (channels, height, width)"),
        ([], "expected (channels, height, width)"),
        ((3, 0), "input size 0"),
        ((3, 1.5), "whole number"),
        ("3,,4", "tokens:LENGTH:VOCAB"),
        ("tokens:3", "tokens:LENGTH:VOCAB"),
        (torch.zeros(()), "not empty, got shapes []"),
        (torch.zeros(0, 3), "not empty"),
        ([torch.zeros(2, 3), torch.zeros(3, 3)], "one batch size"),
    ],
)
def test_what_cannot_be_read(value: object, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        input_form(value)
    assert problem in str(caught.value)


@pytest.mark.parametrize(("height", "width"), [(8, 20), (20, 8), (7, 20), (1, 5)])
def test_an_oblong_picture_is_the_middle_of_the_square_one(height: int, width: int) -> None:
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    whole = pictures(2, (3, side, side), 4)
    part = whole[..., top : top + height, left : left + width]
    assert torch.equal(pictures(2, (3, height, width), 4), part)


def test_a_grey_picture_is_the_luma_of_the_coloured_one() -> None:
    pixels = pictures(2, (3, 6, 6), 0).double().permute(0, 2, 3, 1).numpy() * STD + MEAN
    luma = [0.299, 0.587, 0.114]
    expected = (pixels @ luma - np.dot(MEAN, luma)) / np.dot(STD, luma)
    np.testing.assert_allclose(pictures(2, (1, 6, 6), 0)[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("size", ["2,6,6", "4,9", "7", "1,3,4,5"])
def test_what_is_no_image_is_noise(size: str) -> None:
    form = input_form(size)
    [many], [few] = (DrawnInputs(form, count, 1).parts for count in (400, 3))
    assert torch.equal(many[:3], few)
    assert many.dtype == torch.float32
    assert abs(many.mean()) < 0.1
    assert abs(many.std() - 1) < 0.1


def test_every_part_is_drawn_for_itself() -> None:
    sizes = ["3,8,8", "3,8,8", "4,9", "4,9", "tokens:9:50", "tokens:9:50"]
    parts = DrawnInputs(input_form(sizes), 4, 0).parts
    for first, second in (parts[:2], parts[2:4], parts[4:]):
        assert not torch.equal(first, second)
    assert torch.equal(parts[0], generated(4, 8).pixels)


def test_the_usual_images_are_the_generated_ones() -> None:
    drawn, expected = DrawnInputs(square(16), 20, 3), generated(20, 16, seed=3)
    assert torch.equal(drawn.pixels, expected.pixels)
    assert torch.equal(drawn.labels, expected.labels)
    assert torch.equal(drawn.labels_for(10), expected.labels)
    assert drawn.fingerprint == expected.fingerprint
    assert (drawn.shape, drawn.dtype) == (expected.shape, expected.dtype)


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5))
def test_labels_are_balanced(classes: int, count: int, seed: int) -> None:
    labels = DrawnInputs(square(2), count, seed).labels_for(classes)
    counts = torch.bincount(labels, minlength=classes)
    assert len(counts) == classes
    assert counts.max() - counts.min() <= 1
    assert DrawnInputs(square(2), count, seed, 3).labels_for(classes).max() < 3


def test_noise_and_ones_follow_the_form() -> None:
    batch = DrawnInputs(input_form(["2,5", "tokens:6:9"]), 4, 0)
    config = MeasurementConfig(batch, raw=4, sketch=4)
    real, whole = config.noise(3)
    assert (real.shape, whole.shape, whole.dtype) == ((3, 2, 5), (3, 6), torch.int64)
    assert not torch.equal(real, config.noise(3, 1)[0])
    ones, tokens = config.ones()
    assert torch.equal(ones, torch.ones(1, 2, 5, dtype=torch.float64))
    assert torch.equal(tokens, config.noise(1)[1])
    moved_real, moved_whole = moved((real, whole), 0.5, (real, whole))
    assert torch.equal(moved_real, real + 0.5 * real)
    assert moved_whole is whole


class Counted(nn.Module):
    def forward(self, *parts: torch.Tensor, **named: torch.Tensor) -> tuple[int, list[str]]:
        return len(parts), sorted(named)


class One(nn.Module):
    def forward(self, batch: object) -> type:
        return type(batch)


X = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("example", "spread", "as_one"),
    [
        (X, (1, []), torch.Tensor),
        ((X, X), (2, []), tuple),
        ([X, X], (2, []), list),
        ({"a": X, "b": X}, (0, ["a", "b"]), dict),
        ({1: X}, (1, []), dict),
    ],
)
def test_how_a_model_is_called(example: object, spread: object, as_one: type) -> None:
    form = input_form(example)
    parts = [X] * len(form.parts)
    assert form.call(Counted(), parts) == spread
    assert form.call(One(), parts) is as_one


def test_images_of_a_file_in_other_forms(tmp_path) -> None:
    file = tmp_path / "images.npz"
    images = np.arange(4 * 4 * 8 * 3, dtype=np.uint8).reshape(4, 4, 8, 3)
    np.savez(file, images=images, labels=np.arange(4))
    assert load(file, 4, (4, 8)).pixels.shape == (4, 3, 4, 8)
    grey = image_batch(str(file), 4, input_form((1, 2, 4)), seed=0)
    assert grey.shape == (1, 2, 4)
    coloured = image_batch(str(file), 4, input_form((3, 2, 4)), seed=0)
    torch.testing.assert_close(coloured.fitted((1, 2, 4)).pixels, grey.pixels)
    np.savez(file, images=images[..., :1], labels=np.arange(4))
    assert image_batch(str(file), 4, input_form((1, 4, 8)), seed=0).shape == (1, 4, 8)
    with pytest.raises(InputError, match=r"those of proportions 4 x 8, \[n, h, w, 3\]"):
        load(file, 4, (4, 8))
