"""A coverage-guided fuzz of one reader (see `targets.py`), by libFuzzer; stops at a finding.

    pip install -e .[fuzz]
    PYTHONPATH=. nice -n 19 python tests/fuzz/run.py proxy -runs=1000000

What follows the name are options of libFuzzer: -runs=N inputs, -max_total_time=S seconds, or the
file of a finding to see it again. The last lines tell the inputs, the seconds and, as `cov`, the
edges that were reached in this project's own code.
"""

import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import torch  # noqa: F401  (whose edges are not ours to cover)

with atheris.instrument_imports(include=["eznas", "primitives"]):
    from eznas.errors import LONGEST, InputError
    from tests.fuzz.targets import SEEDS, TARGETS, TOKENS

MEMORY = 2**30  # bytes beyond what is there at the start: a claim to more is a MemoryError
LENGTH = 4000  # bytes of an input


def main() -> None:
    """Fuzz the target that the first argument names."""
    name, *options = sys.argv[1:]
    home = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for folder in ("corpus", "scratch"):
        (home / folder).mkdir()
    for number, seed in enumerate(SEEDS[name]):
        (home / "corpus" / f"seed-{number}").write_bytes(seed)
    (home / "tokens").write_text("".join('"{}"\n'.format(t.replace("\\", r"\\")) for t in TOKENS))
    _bound(MEMORY)
    given = [f"-dict={home / 'tokens'}", f"-max_len={LENGTH}", f"-artifact_prefix={home}/"]
    if all(option.startswith("-") for option in options):
        given.append(str(home / "corpus"))
    atheris.Setup([sys.argv[0], *given, *options], _target(name, home / "scratch"))
    atheris.Fuzz()


def _bound(more: int) -> None:
    """Let this process have no more than so many further bytes of address space."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _target(name: str, scratch: Path) -> Callable[[bytes], None]:
    def once(data: bytes) -> None:
        try:
            TARGETS[name](data, scratch)
        except InputError as error:
            if not (str(error).isprintable() and len(str(error)) <= LONGEST):
                raise AssertionError("a message that is not one printable line") from error

    return once


if __name__ == "__main__":
    main()
