"""axe-core finds nothing on the page: light and dark, wide and narrow, in every state."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from stages.inference.views.report import write_report
from stages.inference.web.job import JobFolder
from tests.inference.web import stand_in
from tests.inference.web.histories import write_history
from tests.inference.web.test_page import TOKEN, Watched, browser, film, watch
from tests.waiting import until, wait_for

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
__all__ = ["browser", "film", "watch"]  # fixtures

SIZES = ({"width": 1280, "height": 900}, {"width": 360, "height": 780})
SCHEMES = ("light", "dark")


def faults(page: sync_api.Page) -> dict[str, list[str]]:
    """What axe-core finds, in each scheme and size, as rule and place."""
    from axe_playwright_python.sync_playwright import Axe

    found: dict[str, list[str]] = {}
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for size in SIZES:
            page.set_viewport_size(size)
            wait_for(lambda: page.evaluate("document.getAnimations().length") == 0)
            until(partial(fits, page, size["width"]))
            violations = Axe().run(page).response["violations"]
            found[f"{scheme}, {size['width']}"] = [
                f"{one['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
                for one in violations
                for node in one["nodes"]
            ]
    return found


def fits(page: sync_api.Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def nothing() -> dict[str, list[str]]:
    return {f"{scheme}, {size['width']}": [] for scheme in SCHEMES for size in SIZES}


def test_axe_sees_what_is_wrong(watch: Callable[..., Watched]) -> None:
    page = watch().page
    page.evaluate("document.querySelector('.button').style.color = '#1f5fa8'")
    assert any("color-contrast" in text for texts in faults(page).values() for text in texts)


def test_an_empty_page_and_one_with_an_error(watch: Callable[..., Watched], tmp_path: Path) -> None:
    watched = watch()
    assert faults(watched.page) == nothing()
    wrong = tmp_path / "text.mp4"
    wrong.write_text("hello")
    watched.choose(wrong)
    expect(watched.page.get_by_role("alert").filter(has_text="cannot be opened")).to_be_visible()
    assert faults(watched.page) == nothing()


def test_a_video_at_work_stopped_and_shown(
    watch: Callable[..., Watched], film: Path, tmp_path: Path
) -> None:
    watched = watch(stand_in.predict_at_leave)
    page = watched.page
    watched.choose(film)
    expect(page.locator("#videos .quiet").first).to_contain_text("Frame 5")
    assert faults(page) == nothing()
    page.get_by_role("button", name="Cancel <b>film.mp4").click()
    expect(page.locator("#videos")).to_contain_text("Stopped")
    assert faults(page) == nothing()
    (tmp_path / "jobs" / "go").touch()
    page.get_by_role("button", name="Try <b>film.mp4 again").click()
    expect(page.locator("#title")).to_have_text("<b>film.mp4")
    watched.wait("document.getElementById('video').readyState === 4")
    assert faults(page) == nothing()


def test_a_long_history(watch: Callable[..., Watched], tmp_path: Path) -> None:
    write_history(tmp_path / "jobs", 51)
    page = watch().page
    expect(page.get_by_role("button", name="Show more")).to_be_visible()
    assert faults(page) == nothing()


def test_a_photo_and_a_video_beside_it(
    watch: Callable[..., Watched], film: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 200), (90, 90, 90)).save(tmp_path / "face.jpg")
    watched = watch()
    watched.choose(film, tmp_path / "face.jpg")
    expect(watched.page.get_by_role("img", name="face.jpg")).to_be_visible()
    watched.page.get_by_label("Beside it").select_option(label="<b>film.mp4")
    expect(watched.page.locator("#compared tr")).to_have_count(12)
    assert faults(watched.page) == nothing()


def test_the_login(watch: Callable[..., Watched]) -> None:
    page = watch(token=TOKEN).page
    assert page.url.endswith("/login")
    assert faults(page) == nothing()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the token")
    assert faults(page) == nothing()


def test_the_report_of_a_video(
    browser: sync_api.Browser, film: Path, watch: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = watch()
    watched.open(film)
    (job,) = (path for path in (tmp_path / "jobs").iterdir() if path.is_dir())
    table = JobFolder(job).result("parquet")
    assert table is not None
    report = tmp_path / "report.html"
    write_report(film, table, report, title="film")
    page = browser.new_page()
    page.goto(report.as_uri())
    page.wait_for_selector(".auf-plot .main-svg", state="attached")
    assert faults(page) == nothing()
    page.close()


def test_colours_follow_the_scheme_while_the_page_is_open(
    watch: Callable[..., Watched], film: Path
) -> None:
    watched = watch()
    watched.open(film)
    page = watched.page

    def shades() -> tuple[str, str]:
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        plot = page.evaluate("document.querySelector('.auf-plot').layout.paper_bgcolor")
        return body, plot

    page.emulate_media(color_scheme="light")
    light = shades()
    page.emulate_media(color_scheme="dark")
    wait_for(lambda: shades()[0] != light[0] and shades()[1] != light[1])
