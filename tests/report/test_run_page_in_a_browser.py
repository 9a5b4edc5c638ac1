"""The HTML report in headless Chromium, at the widths of a phone and of a desk."""

import numpy as np
import pytest

from eznas.report.figure import SCHEMES
from eznas.report.run_html import run_html
from tests.report import chromium
from tests.report.made_up_report import content

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.BROWSER is None, reason="there is no Chromium on this machine"),
]
PHONE, DESK = 360, 1280


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(run_html(content()))
    return path


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("scheme", [chromium.LIGHT, chromium.DARK])
def test_it_is_drawn_in_both_schemes_without_a_complaint(page, width, scheme):
    from matplotlib.image import imread

    picture = page.with_name("picture.png")
    option = f"--screenshot={picture}"
    _, complaints = chromium.look(page, width, 1500, option, scheme=scheme)
    assert not complaints
    pixels = np.rint(255 * imread(picture)[..., :3]).astype(int)
    assert pixels.shape[:2] == (1500, width)
    light_or_dark = SCHEMES["page"][scheme == chromium.DARK]
    background = [int(light_or_dark[i : i + 2], 16) for i in (1, 3, 5)]
    is_background = (pixels == background).all(-1)
    assert is_background[0].all()
    assert 0.5 < is_background.mean() < 0.98


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_is_wider_than_the_window(page, width):
    found = chromium.measured(page, width)
    assert (found["window"], found["content"], found["out"]) == (str(width), str(width), "")


def test_a_page_that_fetches_is_noticed(page):
    """What the other tests rely on: the page's own policy, and the console that is read."""
    spoilt = page.with_name("spoilt.html")
    image = '<img src="http://example.com/a.png"><script>1</script></body>'
    spoilt.write_text(page.read_text().replace("</body>", image))
    _, complaints = chromium.look(spoilt, DESK, 800, "--dump-dom")
    assert ["image" in complaints[0], "script" in complaints[1]] == [True, True]
