"""The one error that a user can cause; its message helps to correct the input."""

import difflib
from collections.abc import Iterable

LONGEST = 3000  # characters of a message
_LISTED = 24  # known names that a message lists in full


class InputError(ValueError):
    """Bad input: one printable line that says what, where, and what was expected (exit code 2).

    The line may quote untrusted text: it is safe to print (see `one_line`).
    """

    def __init__(self, problem: str) -> None:
        super().__init__(one_line(problem))


def one_line(text: str) -> str:
    """A text as one printable line of at most `LONGEST` characters.

    Control characters are escaped, so that they cannot command a terminal. A longer line loses its
    middle, since messages name a file first and a position last.
    """
    line = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in " ".join(text.splitlines())
    )
    half = LONGEST // 2
    return line if len(line) <= LONGEST else f"{line[: half - 5]} ... {line[-half:]}"


def unknown(what: str, name: str, known: Iterable[str], command: str = "") -> InputError:
    """An `InputError`, to be raised, for a name that is not among those `known`: it suggests the
    nearest, or names with this one in them, or lists all; where they are many, it names the
    `command` that lists them, if there is one. `what` says what it should name: "dataset", ..."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    related = [other for other in names if len(name) > 2 and name in other]
    if nearest:
        hint = f"did you mean {nearest[0]!r}?"
    elif 0 < len(related) <= _LISTED:
        hint = "did you mean one of " + ", ".join(related) + "?"
    elif command and len(names) > _LISTED:
        hint = f"`{command}` lists all {len(names)}"
    else:
        hint = "known: " + ", ".join(names)
    return InputError(f"unknown {what} {name!r}; {hint}")
