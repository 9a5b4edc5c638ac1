"""Final figures: on networks that no run is tested on, each look counted in a committed file.

What is chosen by a look at accuracies is too good on the same networks (Dwork et al., "The reusable
holdout", Science 2015). So there is one command that reads the last ones, and it writes down when,
for what and why it did.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import untouched
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.errors import InputError
from eznas.metrics import Difference, Row
from eznas.proxies.loading import USUAL_SPACE
from eznas.proxies.measured import ScoringSettings
from eznas.report.looks_page import looks_page
from eznas.studies.correlate import correlated, proxies_by_text
from eznas.system.arguments import checked, whole
from eznas.system.files import digest_of, plain, read_lines, write_whole
from eznas.system.folder import ROOT, locked

LOOKS = ROOT / "LOOKS.jsonl"


@dataclass(frozen=True)
class Look:
    """A look at the accuracies of networks that are kept for final figures.

    `date`: UTC; `source`: digest of eznas's code; `space`: SPACE or SPACE:NAME; `set`: see
    `eznas.benchmarks.subsets.untouched`, of which the first `networks` are looked at; `accuracy`:
    its kind; `formulas`: name -> text; `before`: how many looks at this space there were, whatever
    their set and table; `against`: the proxy from which `difference` takes those of
    the others (None: there is none); `rows` and `difference`: as `correlate` has them.
    """

    date: str
    reason: str
    source: str
    space: str
    set: str
    networks: int
    accuracy: str
    formulas: dict[str, str]
    before: int
    against: str | None
    rows: list[Row]
    difference: list[Difference]


def looks(file: Path = LOOKS) -> list[dict[str, Any]]:
    """All looks so far, the oldest first: `Look`s as dicts. Raises `InputError` for a file that is
    damaged."""
    lines = read_lines(file) if file.exists() else []
    names = {field.name for field in fields(Look)}
    for number, look in enumerate(lines, 1):
        if not isinstance(look, dict) or not names <= look.keys():
            raise InputError(f"{file}: damaged: line {number} is no look")
    return lines


@checked
def final(
    proxies: Sequence[str],
    *,
    reason: str,
    space: str = USUAL_SPACE,
    datasets: Sequence[str] = (),
    networks: int | None = None,
    whole_space: bool = False,
    against: str | None = None,
    replicates: int = 1000,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> Look:
    """Final figures of proxies, on networks that no run is tested on; the look is counted.

    `proxies` and `against`: as `correlate` takes them; `reason`: who looks, and what for; `space`:
    SPACE or SPACE:NAME; `networks`: the first so many of the set, in an order that is fixed (None:
    all); `whole_space`: all networks of a space that no search has used. `images` to `records`: see
    `ScoringSettings`. It is added to runs/LOOKS.jsonl and its page, which are to be committed.

    Raises `InputError` without a reason, without a folder runs/, for an argument that cannot be
    used, where a network cannot be measured, and where the line cannot be written.
    """
    if not reason.strip():
        raise InputError("reason: expected who looks and what for, got nothing")
    if networks is not None:
        whole("networks", networks, 2)
    by_text = proxies_by_text([*proxies, *([against] if against else [])])
    benchmark = untouched(load_benchmark(space, datasets), networks, whole_space)
    settings = ScoringSettings((0,), images, raw, sketch, device, workers, records)
    callback, loaded = watcher or NoCallback(), list(by_text.values())
    if not ROOT.is_dir():
        raise InputError(f"no folder {ROOT}/ here: looks are counted in {LOOKS} of the checkout")
    with locked(ROOT):
        _write(looks())  # which fails before hours of measuring where it cannot be done
    compared = by_text[against.strip()].name if against else None
    result = correlated(loaded, benchmark, settings, replicates, compared, callback=callback)
    with locked(ROOT):  # so that no other look is counted meanwhile
        earlier = looks()
        look = Look(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            reason=reason.strip(),
            source=digest_of("eznas"),
            space=benchmark.source,
            set=benchmark.name,
            networks=len(benchmark.architectures),
            accuracy=benchmark.kind,
            formulas={proxy.name: proxy.formula.text for proxy in loaded},
            before=sum(e["space"].partition(":")[0] == benchmark.space for e in earlier),
            against=compared,
            rows=result.rows,
            difference=result.difference,
        )
        _write([*earlier, asdict(look)])
    return look


def _write(all_looks: Sequence[Mapping[str, Any]]) -> None:
    lines = [json.dumps(plain(look), allow_nan=False) + "\n" for look in all_looks]
    write_whole(LOOKS, "".join(lines))
    write_whole(LOOKS.with_suffix(".md"), looks_page(all_looks))
