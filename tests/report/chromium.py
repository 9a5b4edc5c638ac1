"""Pages looked at in headless Chromium: how they are drawn, and what the browser complains of."""

import os
import re
import shutil
import subprocess
import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
DARK, LIGHT = 0, 1  # Chromium's numbers of the colour schemes
_SECONDS = 60
_CONSOLE = re.compile(r"CONSOLE[:(].*")


def look(page: Path, width: int, height: int, *options: str, scheme: int = LIGHT):
    """Open a page in a window; what Chromium writes to its output, and the complaints in its
    console. No name of a host can be resolved."""
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND"),
        *("--enable-logging=stderr", f"--blink-settings=preferredColorScheme={scheme}"),
        *(f"--user-data-dir={page.parent / 'profile'}", f"--window-size={width},{height}"),
        *(*options, page.as_uri()),
    ]
    environment = os.environ | {"HOME": str(page.parent)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=True
    )
    return done.stdout, _CONSOLE.findall(done.stderr)


_FRAMED = """<!doctype html><iframe srcdoc="{page}" style="width: {width}px; border: 0"></iframe>
<script>
  const frame = document.querySelector("iframe");
  frame.onload = () => {{
    const root = frame.contentDocument.documentElement;
    const scrolls = element => element &&
      (getComputedStyle(element).overflowX === "auto" || scrolls(element.parentElement));
    const out = [...root.querySelectorAll("body *")].filter(
      element => element.getBoundingClientRect().right > {width} + 1 && !scrolls(element));
    Object.assign(document.body.dataset, {{
      window: root.clientWidth, content: root.scrollWidth,
      height: root.scrollHeight, out: out.map(e => e.outerHTML).join(),
    }});
  }};
</script>"""


def measured(page: Path, width: int) -> dict[str, str]:
    """What a script finds of a page in a frame of this width (a window has at least 500 pixels):
    its width, the width and height of its content, and the elements that stand out of it."""
    frame = page.with_name("frame.html")
    frame.write_text(_FRAMED.format(page=escape(page.read_text()), width=width))
    drawn, complaints = look(frame, 1600, 800, "--dump-dom")
    assert not complaints
    [found] = re.findall(r"<body ([^>]*)>", drawn)[:1]
    return dict(re.findall(r'data-(\w+)="([^"]*)"', found))


def main(run: str) -> None:
    """Draw the whole report of a run, light at the width of a desk and dark at that of a phone,
    beside its file: report-1280.png and report-360.png."""
    page = (Path("runs") / run / "report.html").absolute()
    with TemporaryDirectory() as folder:
        copy = Path(folder, page.name)
        copy.write_bytes(page.read_bytes())
        for width, scheme in ((1280, LIGHT), (360, DARK)):
            height = int(measured(copy, width)["height"])
            picture = page.with_name(f"report-{width}.png")
            look(copy, width, height, f"--screenshot={picture}", scheme=scheme)


if __name__ == "__main__":
    main(sys.argv[1])
