"""A message is one printable line of bounded length, whatever it quotes."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eznas.errors import LONGEST, InputError, one_line, unknown
from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE

ANY = st.text(st.characters(), max_size=80)  # surrogates and controls included


@given(ANY | ANY.map(lambda t: t * 100))
def test_any_text_becomes_one_printable_line(text):
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= LONGEST
    assert one_line(line) == line
    assert str(InputError(text)) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain ü 'text'", "plain ü 'text'"),
        ("two\nlines\r\n", "two lines"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202eback", r"\u202eback"),  # reverses the direction of the text after it
        ("\x9b31m\udcff", r"\x9b31m\udcff"),
        ("a\0b", r"a\x00b"),
    ],
)
def test_control_characters_are_escaped(text, line):
    assert one_line(text) == line


def test_a_long_message_keeps_its_ends():
    line = one_line("file.json: " + "x" * 10**6 + " (position 7)")
    assert len(line) == LONGEST
    assert line.startswith("file.json: xxx")
    assert line.endswith("xxx (position 7)")


def test_the_names_of_the_language_fit_in():
    message = str(unknown("name", "?", [*PRIMITIVES, *CATALOGUE]))
    assert all(name in message for name in (*PRIMITIVES, *CATALOGUE))


def test_a_message_crosses_processes():
    error = InputError("a\x1b" + "b" * 9999)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
