"""The report in a real browser: nothing asked for, nothing on the console, nothing that leaves the page."""

from __future__ import annotations

import pytest

from icefront_dask import publish
from tests.publish import glaciers

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    places = [glaciers.region(), glaciers.region("ross-east", 179.8, -78.2, "EPSG:3031", "ice_shelf", None)]
    return publish.write_report(tmp_path_factory.mktemp("report") / "report.html", **glaciers.arguments(places))


@pytest.mark.parametrize(("width", "scheme"), [(1360, "light"), (390, "dark")])
def test_the_page_stands_alone(browser, report, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    pictures = page.locator("svg.map image")
    assert pictures.count() == 2
    assert all(pictures.nth(i).bounding_box()["height"] > 100 for i in range(2))
    assert page.locator(".figures svg[role=img]:not([aria-label])").count() == 0
    page.close()


def contrast(page, selector):
    """Return the WCAG contrast of an element's text with the page."""
    colours = page.evaluate(
        """selector => [getComputedStyle(document.querySelector(selector)).color,
                        getComputedStyle(document.querySelector(selector)).fill,
                        getComputedStyle(document.body).backgroundColor]""",
        selector,
    )
    text = colours[1] if selector.startswith("svg") else colours[0]
    light, dark = sorted((luminance(text), luminance(colours[2])), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(browser, report, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.goto(report.as_uri())
    for selector in (
        "body",
        ".facts",
        "figcaption",
        "thead th",
        ".tally .accepted b",
        ".tally .review b",
        ".tally .rejected b",
        "a[href^='#region']",
        "svg .tick",
        "svg .panel-title",
    ):
        assert contrast(page, selector) >= 4.5, selector
    for selector in (".sensor-0", ".sensor-1"):
        assert contrast(page, selector) >= 3, selector
    page.close()
