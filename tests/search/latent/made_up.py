"""What the tests of the latent space share: spaces made by hand, and an autoencoder without any
learning, whose latents are numbers on a line."""

import functools

import torch

from eznas.errors import InputError
from eznas.search.latent.autoencoder import Autoencoder
from eznas.spaces import Space
from tests.search.made_up import SPACE as WIDTHS  # 81 architectures, 12 options, none refused

SIDES = ("left", "right")
SIZES = ("small", "medium", "large")


def _choices(architecture):
    size, _, sides = architecture.partition(" ")
    choices = (size, *sides.split("/"))
    if len(choices) != 3 or size not in SIZES or not set(choices[1:]) <= set(SIDES):
        raise InputError(f"architecture {architecture!r}: expected the form small left/right")
    return choices


def _text(choices):
    size, *sides = choices
    if sides == ["right", "right"]:
        raise InputError("right twice: expected left at least once")
    return f"{size} {'/'.join(sides)}"


def _no_network(architecture, classes=10):
    raise AssertionError("nothing here builds networks")


# Positions of different lengths, and combinations that are refused: 9 of 12 are architectures.
PICKY = Space("picky", (SIZES, SIDES, SIDES), _choices, _text, _no_network)


LETTERS = ("a", "b", "c")


def _switch_choices(architecture):
    if architecture == "off":
        return ("off", "a", "a", "a")
    if len(architecture) != 3 or not set(architecture) <= set(LETTERS):
        raise InputError(f"architecture {architecture!r}: expected off or three letters")
    return ("on", *architecture)


def _switch_text(choices):
    switch, *letters = choices
    return "off" if switch == "off" else "".join(letters)


# Half of all combinations of choices are spellings of one of its 28 architectures.
SWITCH_POSITIONS = (("on", "off"), *[LETTERS] * 3)
SWITCH = Space("switch", SWITCH_POSITIONS, _switch_choices, _switch_text, _no_network)


@functools.cache
def fitted(space=WIDTHS, epochs=500):
    """An autoencoder of all architectures of a small space; tests share it."""
    return Autoencoder(space, latent=8, width=64).fit(space.architectures(), epochs=epochs)


class Line:
    """Stands in for an autoencoder: the architecture at z is the whole number nearest to z, and
    what is above `last` makes no network."""

    latent = 1

    def __init__(self, last=100, box=(-50.0, 50.0)):
        self.last = last
        self.box = tuple(torch.tensor([end]) for end in box)

    def decode(self, latents):
        numbers = [round(z) for z in latents[:, 0].tolist()]
        return [None if number > self.last else str(number) for number in numbers]

    def encode(self, architectures):
        return torch.tensor([[float(a)] for a in architectures])
