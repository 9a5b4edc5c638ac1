"""The one error that a user can cause, and the words that help to mend it."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: one line that says what, where, and what was expected (exit code 2)."""


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """An `InputError` for an unknown `name` that offers the nearest of the `known` ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(names)
    return InputError(f"unknown {what} {name!r}; {hint}")
