"""A run with `save=False`: it leaves no trace, and finds what a saved run finds."""

import os
import random
import signal
import tempfile

import numpy as np
import pytest
import torch

from eznas.discovery.callbacks import NoCallback
from eznas.discovery.run import evolve
from tests.discovery.tiny_run import Interrupts, tiny

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ObservesHandlers(NoCallback):
    """Notes the signal handlers while the run goes on."""

    def __init__(self):
        self.handlers = []

    def generation(self, report, seconds, left):
        self.handlers.append([signal.getsignal(number) for number in SIGNALS])


@pytest.fixture
def files(home, monkeypatch):
    """Lists every file in the working folder and in the folder for temporary files."""
    temporary = home / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return lambda: [os.path.join(folder, n) for folder, _, names in os.walk(home) for n in names]


def random_states():
    """The state of every global random generator, as plain data."""
    name, keys, *rest = np.random.get_state()
    return random.getstate(), (name, keys.tolist(), *rest), torch.get_rng_state().tolist()


def test_it_finds_what_a_saved_run_finds_and_leaves_nothing(home, files, finished_run):
    """No file, no handler and no random draw."""
    random.seed(1)
    torch.manual_seed(1)
    states = random_states()
    handlers = [signal.getsignal(number) for number in SIGNALS]
    observer = ObservesHandlers()
    saved, unsaved = finished_run.result, evolve(tiny(), save=False, watcher=observer)
    assert (unsaved.run, unsaved.champion) == ("", "champion")
    for name in ("formula", "evaluations", "stopped", "held_out", "difference"):
        assert getattr(unsaved, name) == getattr(saved, name)
    assert unsaved.held_out
    assert files() == []
    assert not (home / "runs").exists()
    assert observer.handlers == [handlers] * 3
    assert [signal.getsignal(number) for number in SIGNALS] == handlers
    assert random_states() == states


def test_an_interrupt_is_raised(home, files):
    random.seed(1)
    states = random_states()
    with pytest.raises(KeyboardInterrupt):
        evolve(tiny(), save=False, watcher=Interrupts(after=0))
    assert files() == []
    assert random_states() == states


@pytest.mark.usefixtures("tiny_networks_ship")
def test_a_saved_run_installs_no_handler_either(home):
    """That is for the command line alone to do."""
    handlers = [signal.getsignal(number) for number in SIGNALS]
    observer = ObservesHandlers()
    evolve(tiny(generations=0), watcher=observer)
    assert observer.handlers == [handlers]
