"""The HTML pages in a headless browser: quiet, readable, and usable without a mouse."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.system.report.conftest import Opened
from tests.unit.report.journals import hostile, small
from tests.unit.report.test_pages import matrix_of, page_of

Open = Callable[..., Opened]
PAGES = {
    "run": lambda: page_of(small(12)),
    "hostile run": lambda: page_of(hostile()),
    "empty run": lambda: page_of([]),
    "matrix": lambda: matrix_of(small(12), small(12)),
    "hostile matrix": lambda: matrix_of(hostile()),
}

# The contrast of each text with what lies behind it, by WCAG's formula; those below 4.5.
TOO_FAINT = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => c / 255)
      .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgb("Canvas");
  };
  const faint = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || ["SCRIPT", "STYLE", "TITLE", "title"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const svg = element.namespaceURI.endsWith("svg");
    const [front, back] = [light(rgb(svg ? style.fill : style.color)), light(behind(element))];
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < 4.5) faint.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...faint];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_quiet_and_its_texts_stand_out(open_page: Open, kind: str, scheme: str) -> None:
    opened = open_page(PAGES[kind](), color_scheme=scheme)
    assert opened.page.evaluate(TOO_FAINT) == []
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize("size", ["wide", "narrow"])
@pytest.mark.parametrize("kind", PAGES)
def test_nothing_sticks_out_sideways(open_page: Open, kind: str, size: str) -> None:
    page = open_page(PAGES[kind](), size).page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= room


def test_the_keyboard_reaches_everything(open_page: Open) -> None:
    page = open_page(page_of(small(6))).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
        assert not page.evaluate("!!document.activeElement.closest('[aria-hidden]')")
    assert {"A", "SUMMARY", "INPUT", "BUTTON"} <= reached


def test_sorting_and_filtering(open_page: Open) -> None:
    page = open_page(page_of(small(6))).page
    rows = page.locator("#file-rows tbody tr")
    page.get_by_role("button", name="outcome").press("Enter")
    assert "failed" in rows.first.inner_text()
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("outcome")
    page.get_by_role("button", name="time").click()
    page.get_by_label("passed").uncheck()
    assert rows.filter(visible=True).count() == 2
    assert "2 of 6 shown" in page.locator("output").inner_text()
    page.get_by_label("Find").fill("test_5")
    assert rows.filter(visible=True).count() == 1


@pytest.mark.parametrize("script", [True, False])
def test_links_between_problems_files_and_tests(open_page: Open, script: bool) -> None:
    page = open_page(page_of(small(6)), java_script_enabled=script).page
    page.locator("#problem-1").get_by_role("link", name="its file").click()
    details = page.locator("details", has=page.locator("#file-3"))
    assert details.get_attribute("open") is not None
    assert details.get_by_text("test_a", exact=True).is_visible()
    details.get_by_role("link", name="failed").click()
    assert page.url.endswith("#problem-1")
    assert page.locator("#problem-1").is_visible()


def test_without_scripts_everything_is_said_and_no_dead_control_is_shown(open_page: Open) -> None:
    page = open_page(page_of(small(6)), java_script_enabled=False).page
    assert page.locator("form").is_hidden()
    assert page.locator("#file-rows tbody tr").count() == 6
    assert page.get_by_role("heading", level=1).inner_text() == "2 of 6 tests in 6 files went wrong"


def test_its_structure_is_that_of_a_document(open_page: Open) -> None:
    page = open_page(page_of(small(6))).page
    for role, count in {"main": 1, "navigation": 1, "banner": 1}.items():
        assert page.get_by_role(role).count() == count
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((h) => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("svg:not([aria-hidden]):not(svg svg)").count() == 0
    assert page.locator("input:not([name])").count() == 0


def drawn(page: Any, chosen: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = page.locator(chosen).evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().toJSON())"
    )
    return found


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_the_charts_are_drawn_within_their_frames(open_page: Open, size: str) -> None:
    page = open_page(page_of(small(6, device="cuda:0")), size).page
    frames = drawn(page, "svg.frame")
    assert len(frames) == 3  # the host's memory, the device's, the workers
    for chosen in ("path.used[d*=H]", "rect.measured", "path.predicted", "rect.block", "text.up"):
        parts = drawn(page, f"svg.frame {chosen}")
        assert parts
        for part in parts:
            assert part["width"] >= 0.5
            assert any(
                frame["left"] - 1 <= part["left"] and part["right"] <= frame["right"] + 1
                and frame["top"] - 1 <= part["top"] and part["bottom"] <= frame["bottom"] + 1
                for frame in frames
            )  # fmt: skip


def test_five_hundred_files_and_paper(open_page: Open) -> None:
    page = open_page(page_of(small(500))).page
    assert page.locator("#file-rows tbody tr").count() == 500
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert len(page.pdf()) > 50_000
