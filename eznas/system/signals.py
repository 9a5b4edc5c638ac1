"""Ctrl-C and the system's request to end: the first ends a run cleanly, the second at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A run was asked to end, by the signal `number`."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the first of `SIGNALS` raises `Stopped`, and the next ends the process where it is:
    whatever is being written is written beside, so that nothing is lost but the time."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where signals do not come
        return
    asked = False

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        raise Stopped(number)

    # What a process is told to ignore (as one is that a script runs beside it), it ignores.
    own = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, heard) for number in own}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
