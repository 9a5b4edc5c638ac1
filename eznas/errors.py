"""The one error that a user can cause, and the words that help to mend it."""

import difflib
from collections.abc import Iterable

LONGEST = 3000  # characters of a message: the names of the whole language fit in


class InputError(ValueError):
    """Bad input: one printable line that says what, where, and what was expected (exit code 2).

    Whatever a stranger's text quotes is safe to show.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(one_line(problem))


def one_line(text: str) -> str:
    """A text as one printable line of at most `LONGEST` characters: what a terminal would obey is
    escaped, and what is too long loses its middle (a file is named first, a position last)."""
    line = "".join(c if c.isprintable() else _escaped(c) for c in " ".join(text.splitlines()))
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[: half - 5]} ... {line[-half:]}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """An `InputError` for an unknown `name` that offers the nearest of the `known` ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(names)
    return InputError(f"unknown {what} {name!r}; {hint}")
