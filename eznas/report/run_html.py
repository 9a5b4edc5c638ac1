"""The report on a run: one HTML file that needs nothing else, made of what is known of the run."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from eznas.formulas.expression import rounded
from eznas.formulas.parser import parse
from eznas.proxies.export.latex import latex_terms
from eznas.report.cells import UNDEFINED, bare, duration, interval_texts
from eznas.report.correlation_tables import undefined_notes
from eznas.report.figure import SCHEMES
from eznas.report.formula_plot import formula_svg
from eznas.report.front_tables import networks_text
from eznas.report.own_models import fitness_in_words, recommendation, searched, use_of_networks
from eznas.report.page_bars import Bars, baseline_bars, part_bars, size_bars
from eznas.report.page_tree import page_tree
from eznas.report.run_charts import fitness_chart, front_chart, score_chart
from eznas.report.run_tables import CHAMPION, UNTESTED, outcome_lines
from eznas.report.study_page import samples
from eznas.statistics.catalogue import CATALOGUE
from eznas.system.files import plain

Content = Mapping[str, Any]
PAGE = "run.html"
_DIGESTS = {  # of environment.json, with what they are called on the page
    "source": "source (SHA-256)",
    "samples": "data (SHA-256)",
    "fingerprint": "measurement configs",
}


@dataclass(frozen=True)
class RunContent:
    """What a report shows of a run.

    Of files in its folder: `config`, `environment`, `result` (None: there is none yet) and
    `generations` (the lines of its journal). `state`: running, finished or interrupted; `formula`:
    its champion, or the fittest formula so far; `command`: which begins it again.

    `front`: the rows of an `eznas.Front` (none: there are none); `error` and `sets` as it has them
    (None and none: its formulas were not measured on other networks). `explanation`: an
    `eznas.Explanation` (None: nothing was measured). `scores`: data set -> scores of the champion
    and accuracies, [networks] each, of the networks that it is explained on.
    """

    run: str
    state: str
    command: str
    config: Content
    environment: Content
    generations: Sequence[Content]
    formula: str
    result: Content | None
    front: Sequence[Content] = ()
    error: float | None = None
    sets: Sequence[Content] = ()
    explanation: Content | None = None
    scores: Mapping[str, tuple[ArrayLike, ArrayLike]] = field(default_factory=dict)


def run_html(content: RunContent) -> str:
    """The report on a run as an HTML page; nothing that it names is fetched from anywhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("eznas", "report/page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"bare": _bare, "interval": _interval, "rounded": _rounded}
    page = environment.get_template(PAGE)
    return page.render(content=content, schemes=SCHEMES, **_views(content))


def _views(content: RunContent) -> dict[str, Any]:
    """What the page shows besides the content itself: charts, bars, sentences."""
    from markupsafe import Markup

    formula = parse(content.formula)
    result = content.result or {"held_out": [], "difference": [], "recommended": ""}
    tested, untested = bool(result["held_out"]), bool(result.get("untested"))
    explanation = content.explanation
    is_own = (content.config.get("models") or {}).get("file") is not None
    on = "on all models" if is_own else "on other networks"
    return {
        "searched": searched(content.config),
        "time": duration(result["seconds"]) if content.result else "",
        "tiles": [row for row in result["held_out"] if row["proxy"] == CHAMPION],
        "untested": f"{UNTESTED.capitalize()}." if untested else "",
        "sample": _sample(result) if tested else "",
        "outcomes": outcome_lines(result["difference"]),
        "recommendation": recommendation(result) if result["recommended"] else "",
        "baselines": baseline_bars(result),
        "sizes": size_bars(result),
        "undefined": undefined_notes(result["held_out"]),
        "fitness": fitness_in_words(content.config),
        "fitness_chart": Markup(fitness_chart(content.generations) if content.generations else ""),
        "front_chart": Markup(front_chart(content.front, on) if content.front else ""),
        "front_networks": _all_networks(content.sets),
        "networks": _all_networks(explanation["sets"] if explanation else ()),
        "drawing": Markup(formula_svg(formula)),
        "latex": "\n".join(latex_terms(formula)),
        "tree": page_tree(formula),
        "size": formula.size,
        "statistics": [CATALOGUE[name] for name in formula.statistics()],
        "parts": _parts(explanation) if explanation else None,
        "score_charts": {
            dataset: Markup(score_chart(number, dataset, *values))
            for number, (dataset, values) in enumerate(content.scores.items())
        },
        "provenance": dict(_provenance(content.environment)),
        "settings": json.dumps(plain(content.config), indent=2),
    }


def _parts(explanation: Content) -> Bars | None:
    """Tau lost without each part; None for a formula that is one part."""
    return None if explanation["kind"] == "single" else part_bars(explanation["parts"])


def _sample(result: Content) -> str:
    """The networks that formulas were tested on, and whether the search used them."""
    return f"{samples(result['held_out'])}; {use_of_networks(result)}"


def _all_networks(sets: Sequence[Content]) -> str:
    return "; ".join(map(networks_text, sets))


def _provenance(environment: Content) -> Iterator[tuple[str, str]]:
    """What a run's results depend on, by name, as far as it was recorded."""
    packages = environment.get("packages", {})
    yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items())
    for key in ("python", "platform", "machine", "cores", "workers"):
        if key in environment:
            yield key, str(environment[key])
    measured = environment.get("measurement", [])
    yield "networks measured", "; ".join(map(_measurement, measured))
    for key, heading in _DIGESTS.items():
        if key in environment:
            value = environment[key]
            yield heading, value if isinstance(value, str) else ", ".join(map(str, value))


def _measurement(config: Content) -> str:
    """How networks were measured in one context."""
    size = " x ".join(map(str, config["input"]))
    return (
        f"{config['classes']} classes of {size}, batches of {config['raw_batch']} and "
        f"{config['sketch_batch']}, {config['initialisation']} initialisation, seed "
        f"{config['seed']}, {config['device']}"
    )


def _bare(value: float | None) -> str:
    return UNDEFINED if value is None else bare(value)


def _interval(row: Content, key: str = "tau", low: str = "", high: str = "") -> str:
    """A number of a row with its interval."""
    ends = row[low or f"{key}_low"], row[high or f"{key}_high"]
    return interval_texts([(row[key], *ends)])[0]


def _rounded(formula: str) -> str:
    return rounded(parse(formula)).text.replace(" + -", " - ")
