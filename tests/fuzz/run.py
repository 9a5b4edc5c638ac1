"""Coverage-guided fuzzing of one target (see `targets.py`) by libFuzzer; stops at a failure.

    pip install -e .[fuzz]
    PYTHONPATH=. nice -n 19 python tests/fuzz/run.py proxy -runs=1000000

After the name come options of libFuzzer: -runs=N inputs, -max_total_time=S seconds, or the file of
an earlier failure to reproduce it. The last lines give the number of inputs, the seconds and, as
`cov`, the edges reached in this project's own code.
"""

import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import torch  # noqa: F401  (imported before, so that its own edges are not counted)

with atheris.instrument_imports(include=["eznas", "primitives"]):
    from eznas.errors import LONGEST, InputError
    from tests.fuzz.targets import SEEDS, TARGETS, TOKENS

MEMORY = 2**30  # bytes beyond those in use at the start; more is a MemoryError
LENGTH = 4000  # largest number of bytes of an input


def main() -> None:
    """Fuzz the target that the first argument names."""
    name, *user_options = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for subfolder in ("corpus", "scratch"):
        (folder / subfolder).mkdir()
    for number, seed in enumerate(SEEDS[name]):
        (folder / "corpus" / f"seed-{number}").write_bytes(seed)
    tokens = "".join('"{}"\n'.format(token.replace("\\", r"\\")) for token in TOKENS)
    (folder / "tokens").write_text(tokens)
    _limit_memory(MEMORY)
    options = [f"-dict={folder / 'tokens'}", f"-max_len={LENGTH}", f"-artifact_prefix={folder}/"]
    if all(option.startswith("-") for option in user_options):  # no file of an earlier failure
        options.append(str(folder / "corpus"))
    atheris.Setup([sys.argv[0], *options, *user_options], _fuzzed(name, folder / "scratch"))
    atheris.Fuzz()


def _limit_memory(additional: int) -> None:
    """Limit the address space of this process to so many bytes more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + additional
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _fuzzed(name: str, scratch: Path) -> Callable[[bytes], None]:
    """The function that libFuzzer calls with every input: a target that may refuse it."""

    def call(data: bytes) -> None:
        try:
            TARGETS[name](data, scratch)
        except InputError as error:
            if not (str(error).isprintable() and len(str(error)) <= LONGEST):
                raise AssertionError("a message that is not one printable line") from error

    return call


if __name__ == "__main__":
    main()
