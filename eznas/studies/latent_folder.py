"""The folder of one latent search: configuration, weights, networks visited, and the answer.

search.json               what was searched, and how
features.gz               what was measured (with measurement.json: a feature store)
autoencoder.safetensors   its weights
heads.safetensors         those of the heads
heads.json                Kendall's tau of each head on networks set aside, as of the first round
visited.jsonl             a line for every network visited, best predicted first
answer.json               what `eznas search latent --json` prints
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eznas.errors import InputError
from eznas.search.latent.autoencoder import Autoencoder
from eznas.search.latent.methods import Answer
from eznas.spaces import Space
from eznas.system.files import plain, write_whole
from eznas.system.folder import RunFolder, locked, make_folder
from eznas.system.tensors import check_installed, read_tensors, write_tensors

if TYPE_CHECKING:  # scikit-learn is slow to import
    from eznas.search.latent.estimator import MultiProxy

SEARCH, ANSWER, HEADS = "search.json", "answer.json", "heads.json"
VISITED = "visited.jsonl"
AUTOENCODER, HEAD_WEIGHTS = "autoencoder.safetensors", "heads.safetensors"


class LatentFolder:
    """The folder of a search; `begin` makes it, or finds that of the same search."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    @staticmethod
    def begin(path: Path, config: Mapping[str, Any]) -> "LatentFolder":
        """The folder of the search that `config` describes: a new one, or the one in which it
        began.

        Raises `InputError` where the folder holds something else or a search that differs, saying
        in what, where it cannot be written, and without the package safetensors.
        """
        check_installed()
        make_folder(path)
        folder = LatentFolder(RunFolder(path))
        described = plain({**config})
        if not folder._folder.has(SEARCH):
            if any(not file.name.startswith(".") for file in path.iterdir()):
                raise InputError(f"{path}: holds something else already; choose another folder")
            folder._folder.write(SEARCH, described)
        earlier = folder._folder.read(SEARCH, dict[str, Any])
        differing = [key for key in described if earlier.get(key) != described[key]]
        if differing:
            key = differing[0]
            values = f"{key} {earlier.get(key)!r}, not {described[key]!r}"
            raise InputError(f"{path}: holds a search with {values}; choose another folder")
        return folder

    def locked(self) -> AbstractContextManager[None]:
        """A context that one process at a time can enter; `InputError` for a second one."""
        return locked(self._folder.path)

    def autoencoder(self, space: Space, make: Callable[[], Autoencoder]) -> Autoencoder:
        """The autoencoder whose weights are in the folder; where there is none, the one that `make`
        makes, written there. Raises `InputError` for damaged weights."""
        path, config = self._folder.path / AUTOENCODER, "autoencoder.json"
        if not self._folder.has(AUTOENCODER):
            autoencoder = make()
            self._folder.write(config, autoencoder.config)
            write_tensors(path, autoencoder.state())
        return Autoencoder.from_state(space, read_tensors(path), self._folder.read(config))

    def keep(self, estimator: "MultiProxy", answer: Answer) -> None:
        """Write the heads, their taus, and every network visited."""
        path = self._folder.path
        if estimator.joint:
            write_tensors(path / "joint.safetensors", estimator.autoencoder_.state())
        write_tensors(path / HEAD_WEIGHTS, estimator.heads_.state())
        taus, unified = answer.taus
        assert taus is not None
        by_proxy = dict(zip(estimator.proxies, taus.tolist(), strict=True))
        networks = len(estimator.held_out_)
        self._folder.write(HEADS, {"networks": networks, "unified": unified, "heads": by_proxy})
        lines = [
            json.dumps({"architecture": v.architecture, "predicted": v.predicted, "step": v.step})
            for v in answer.visited
        ]
        write_whole(path / VISITED, "".join(f"{line}\n" for line in lines))

    def finish(self, content: Mapping[str, Any]) -> None:
        """Write the answer."""
        self._folder.write(ANSWER, content)
