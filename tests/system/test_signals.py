"""The first signal raises `Stopped`, the second ends the process."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from eznas.system.signals import SIGNALS, Stopped, stoppable

PROGRAM = """
import os, signal, sys
from eznas.system.signals import Stopped, stoppable
with stoppable():
    try:
        os.kill(os.getpid(), int(sys.argv[1]))
        signal.pause()
    except Stopped as stopped:
        print("stopped", stopped.number, flush=True)
        if len(sys.argv) > 2:
            os.kill(os.getpid(), int(sys.argv[2]))
            print("not reached", flush=True)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_is_raised_and_handlers_come_back(number):
    handlers = [signal.getsignal(s) for s in SIGNALS]
    with pytest.raises(Stopped) as caught, stoppable():
        os.kill(os.getpid(), number)
    assert caught.value.number == number
    assert isinstance(caught.value, KeyboardInterrupt)
    assert [signal.getsignal(s) for s in SIGNALS] == handlers


@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_ends_the_process_at_once(second):
    command = [sys.executable, "-c", PROGRAM, str(int(signal.SIGINT)), str(int(second))]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.stdout == f"stopped {int(signal.SIGINT)}\n"
    assert process.returncode == 128 + second


def test_outside_the_main_thread_nothing_changes():
    handlers = [signal.getsignal(s) for s in SIGNALS]
    seen = []

    def inside():
        with stoppable():
            seen.append([signal.getsignal(s) for s in SIGNALS])

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert seen == [handlers]


def test_an_ignored_signal_stays_ignored():
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, handler)
