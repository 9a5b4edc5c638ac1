"""The pages of the guide as tests read them: blocks that run, what they printed, links.

    python -m tests.guide.pages

writes what marked blocks print today into the pages, those that take long included.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from eznas import cli
from eznas.benchmarks.readers import READERS
from eznas.cli.guide import TOPICS
from eznas.metrics import METRICS
from eznas.primitives import PRIMITIVES
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "eznas" / "guide"
README = ROOT / "README.md"
PAGES = {topic: GUIDE / f"{topic}.md" for topic in TOPICS}
COLUMNS = 80  # of the terminal in which console blocks were made
ELLIPSIS = "..."
REGISTRIES = (PRIMITIVES, CATALOGUE, CLASSICS, SPACES, READERS, METRICS)

_BLOCK = re.compile(
    r"<!-- (?P<marker>[a-z]+)(?: (?P<argument>[^ ]+))? -->\n```(?P<language>\w+)\n"
    r"(?P<content>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_TIME = re.compile(r"\b(?:\d+h )?(?:\d+m )?\d+[ms]\b|\b\d+ formulas/s\b")
_NUMBER = re.compile(r"[-+]?\d*\.\d+(?:e[-+]\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block under a marker: `run`, `run slow` (takes seconds), `run NAME`, `file NAME`,
    `output` (what the block before it prints)."""

    marker: str
    argument: str
    language: str
    content: str
    start: int  # where the content begins and ends in the page
    end: int


def blocks(text: str) -> list[Block]:
    """The marked blocks of a page, in order."""
    return [
        Block(m["marker"], m["argument"] or "", m["language"], m["content"], *m.span("content"))
        for m in _BLOCK.finditer(text)
    ]


@dataclass(frozen=True)
class Remade:
    """A block whose content shows what commands or code print, and what they print today."""

    block: Block
    content: str


def remade(text: str, slow: bool) -> Iterator[Remade]:
    """Run the marked blocks of a page in order, in the current folder."""
    namespace: dict[str, object] = {"__name__": "guide"}
    printed: str | None = None
    for block in blocks(text):
        if block.marker == "file":
            Path(block.argument).write_text(block.content)
        elif block.marker == "output":
            if printed is not None:
                yield Remade(block, printed)
        elif block.argument == "slow" and not slow:
            printed = None
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(block.content, "guide", "exec"), namespace)
            printed = out.getvalue()
        else:
            commands = [line for line in block.content.splitlines() if line.startswith("$ ")]
            printed = "".join(f"{command}\n{_call(command)}" for command in commands)
            yield Remade(block, elided(block.content, printed))


def elided(shown: str, printed: str) -> str:
    """What is printed, with as many lines left out as a line `...` of what is shown stands for."""
    lines = shown.splitlines()
    if ELLIPSIS not in lines:
        return printed
    first = lines.index(ELLIPSIS)
    last, every = len(lines) - first - 1, printed.splitlines()
    kept = [*every[:first], ELLIPSIS, *every[len(every) - last :]]
    return "".join(f"{line}\n" for line in kept)


def _call(command: str) -> str:
    """What a command prints on both streams, in this process; progress lines are left out."""
    _, *arguments = shlex.split(command.removeprefix("$ "))
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["eznas", *arguments]),
        mock.patch.dict(os.environ, COLUMNS=str(COLUMNS)),
        contextlib.suppress(SystemExit),
    ):
        cli.main()
    complaints = [line for line in err.getvalue().splitlines() if line.startswith("eznas: ")]
    lines = [line.rstrip() for line in (*out.getvalue().splitlines(), *complaints)]
    return "".join(f"{line}\n" for line in lines)


@contextlib.contextmanager
def own_folder() -> Iterator[None]:
    """A temporary folder to work in, with a cache of its own; what a page registers is taken away
    again."""
    registered = [dict(registry) for registry in REGISTRIES]
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, EZNAS_DATA=str(Path(folder, "cache"))),
    ):
        try:
            yield
        finally:
            for registry, before in zip(REGISTRIES, registered, strict=True):
                for name in registry.keys() - before.keys():
                    del registry[name]
            sys.modules.pop("mine", None)


def differences(shown: str, printed: str) -> list[str]:
    """The lines in which two outputs differ: numbers by more than rounding, anything else at all.
    Seconds and pace, and how tables are filled with blanks, do not count."""
    pairs = list(zip(_lines(shown), _lines(printed), strict=False))
    differing = [f"{a!r} is now {b!r}" for a, b in pairs if not _alike(a, b)]
    if len(_lines(shown)) != len(_lines(printed)):
        differing.append(f"{len(_lines(shown))} lines are now {len(_lines(printed))}")
    return differing


def _lines(text: str) -> list[str]:
    lines, seconds = [], -1
    for line in text.splitlines():
        cells = re.split("[┃│]", line)
        if line.startswith("┏"):
            seconds = -1
        if line.startswith("┃"):
            names = [cell.strip() for cell in cells]
            seconds = names.index("seconds") if "seconds" in names else -1
        elif seconds > 0 and line.startswith("│"):
            cells[seconds] = ""
        bare = re.sub("[━─┏┳┓┡╇┩├┼┤└┴┘]", "", " ".join(cells))
        lines.append(_TIME.sub("s", " ".join(bare.split())))
    return [line for line in lines if line]


def _alike(shown: str, printed: str) -> bool:
    if _NUMBER.sub("#", shown) != _NUMBER.sub("#", printed):
        return False
    numbers = zip(_NUMBER.findall(shown), _NUMBER.findall(printed), strict=True)
    return all(abs(float(a) - float(b)) <= 2e-3 * max(1.0, abs(float(a))) for a, b in numbers)


def main() -> None:
    for topic, path in PAGES.items():
        text = path.read_text(encoding="utf-8")
        with own_folder():
            results = list(remade(text, slow=True))
        for result in reversed(results):
            text = text[: result.block.start] + result.content + text[result.block.end :]
        path.write_text(text, encoding="utf-8")
        print(topic, len(results))


if __name__ == "__main__":
    main()
