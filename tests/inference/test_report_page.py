"""The report in a browser: it draws, seeks, speaks, asks no host, and fits a phone."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from stages.core.facs import AU_NAMES
from stages.core.intensity import intensity_of
from stages.inference.views.report import write_report
from tests.inference import clips, tracks
from tests.waiting import until

FRAMES = 150
START = 0.7  # seconds on the file's clock
CLIP_START = {"v.webm": 0.0, "late.webm": START, "broken.webm": 0.0, "blind.webm": 0.0}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos with their pages: from 0 on, one that begins later, one that is none, sound alone."""
    folder = tmp_path_factory.mktemp("pages")
    status = ["no_face" if 60 <= k < 75 else "face" for k in range(FRAMES)]
    for name, start in CLIP_START.items():
        times = clips.irregular(FRAMES, start)
        clips.write_clip(folder / name, times, size=(128, 96), codec="libvpx", sound="libopus",
                         sound_start=start)  # fmt: skip
        stem = name.removesuffix(".webm")
        table = tracks.ours(folder, times, tracks.course(FRAMES), name=stem, status=status)
        write_report(folder / name, table.with_suffix(".parquet"), folder / f"{stem}.html")
    (folder / "broken.webm").write_bytes(b"no video")
    with av.open(str(folder / "v.webm")) as source, av.open(str(folder / "s.webm"), "w") as sound:
        track = sound.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                sound.mux(packet)
    (folder / "s.webm").replace(folder / "blind.webm")
    return folder


def opened(browser: Any, folder: Path, stem: str, width: int = 1200, **more: Any) -> Any:
    page = browser.new_page(viewport={"width": width, "height": 800}, **more)
    page.asked = []
    page.faults = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto((folder / f"{stem}.html").as_uri())
    page.wait_for_selector(".auf-plot .main-svg", state="attached")
    if stem in ("v", "late"):
        page.wait_for_function("document.getElementById('video').readyState >= 2")
    return page


def now(page: Any) -> float:
    page.wait_for_function("!document.getElementById('video').seeking")
    return float(page.evaluate("document.getElementById('video').currentTime"))


def click_at(page: Any, share: float, row: float = 0.5) -> None:
    """Click on the plot, at a share of its length and of its height."""
    page.locator(".auf-plot").scroll_into_view_if_needed()
    area = page.locator(".auf-plot .bglayer rect.bg").first.bounding_box()
    page.mouse.click(area["x"] + share * area["width"], area["y"] + row * area["height"])


@pytest.mark.parametrize("stem", ["v", "late"])
@pytest.mark.parametrize("share", [0.25, 0.8])
def test_a_click_on_the_timeline_seeks(browser: Any, folder: Path, stem: str, share: float) -> None:
    page = opened(browser, folder, stem)
    times = clips.irregular(FRAMES, CLIP_START[f"{stem}.webm"])
    click_at(page, share)
    step = np.median(np.diff(times))
    wanted = times[0] + share * (times[-1] + step - times[0])
    assert now(page) == pytest.approx(wanted, abs=0.05)
    left = page.locator(".auf-cursor").bounding_box()
    area = page.locator(".auf-plot .bglayer rect.bg").first.bounding_box()
    assert left["x"] + left["width"] / 2 - area["x"] == pytest.approx(share * area["width"], abs=3)
    assert not page.faults
    page.close()


def says(page: Any, levels: NDArray[np.floating]) -> None:
    shown = [float(text) for text in page.locator(".auf-bar output").all_text_contents()]
    np.testing.assert_allclose(shown, levels, atol=0.056)


def says_nothing(page: Any) -> None:
    assert set(page.locator(".auf-bar output").all_text_contents()) == {"–"}


def test_the_bars_say_what_was_predicted_for_the_picture_that_is_shown(
    browser: Any, folder: Path
) -> None:
    page = opened(browser, folder, "v")
    times, strength = clips.irregular(FRAMES), tracks.course(FRAMES)
    for frame in (0, 33, 140):
        page.evaluate(f"document.getElementById('video').currentTime = {times[frame] + 0.01}")
        now(page)
        until(partial(says, page, intensity_of(strength[frame])))
        filled = page.locator(".auf-rail div").evaluate_all(
            "all => all.map((one) => one.offsetWidth / one.parentElement.clientWidth)"
        )
        np.testing.assert_allclose(filled, intensity_of(strength[frame]) / 5, atol=0.01)
        on = page.locator(".auf-bar.on .auf-rail").evaluate_all(
            "all => all.map((one) => one.getAttribute('aria-label').slice(0, 4))"
        )
        active = [n for n, p in zip(AU_NAMES, strength[frame], strict=True) if p >= 0.5]
        assert on == active
    page.evaluate(f"document.getElementById('video').currentTime = {times[66] + 0.01}")
    now(page)
    until(lambda: says_nothing(page))
    assert "no face" in page.locator(".auf-now").text_content()
    page.close()


def test_moments_seek_to_the_strongest_frame(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, "v")
    times, strength = clips.irregular(FRAMES), tracks.course(FRAMES)
    strength[60:75] = 0
    button = page.get_by_role("button", name="AU12:").first
    button.click()
    assert now(page) == pytest.approx(times[strength[:, 6].argmax()], abs=0.02)
    assert page.locator("#moments li").count() == 12
    assert page.locator("#moments img").count() > 12
    page.close()


def test_playing_moves_the_cursor(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, "v")
    before = page.locator(".auf-cursor").bounding_box()["x"]
    page.evaluate("document.getElementById('video').muted = true")
    page.evaluate("document.getElementById('video').play()")
    page.wait_for_function("document.getElementById('video').currentTime > 0.5")
    assert page.locator(".auf-cursor").bounding_box()["x"] > before + 20
    page.close()


def test_keys_move_and_zoom_and_everything_has_a_name(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, "v")
    slider = page.get_by_label("Position in the video")
    slider.focus()
    before = now(page)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert now(page) > before + 0.05
    assert "present:" in slider.get_attribute("aria-valuetext")
    page.keyboard.press("End")
    assert now(page) > clips.irregular(FRAMES)[-2]
    width = "document.querySelector('.auf-plot').layout.xaxis.range"
    whole = page.evaluate(width)
    page.get_by_role("button", name="Zoom in").press("Enter")
    zoomed = page.evaluate(width)
    assert zoomed[1] - zoomed[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=0.01)
    page.get_by_role("button", name="Show all").press("Enter")
    assert page.evaluate(width) == whole
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, input, select, video, [role=meter], [role=img]")]
           .filter((one) => !one.getAttribute("aria-label")).length"""
    )
    assert unnamed == 0
    page.close()


def test_dragging_zooms_and_does_not_seek(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, "v")
    page.locator(".auf-plot").scroll_into_view_if_needed()
    area = page.locator(".auf-plot .bglayer rect.bg").first.bounding_box()
    y = area["y"] + 40
    page.mouse.move(area["x"] + 0.4 * area["width"], y)
    page.mouse.down()
    page.mouse.move(area["x"] + 0.6 * area["width"], y, steps=6)
    page.mouse.up()
    last = clips.irregular(FRAMES)[-1]

    def zoomed() -> None:
        low, high = page.evaluate("document.querySelector('.auf-plot').layout.xaxis.range")
        assert low == pytest.approx(0.4 * last, abs=0.06)
        assert high == pytest.approx(0.6 * last, abs=0.06)

    until(zoomed)
    assert now(page) == 0
    page.close()


def test_it_asks_no_host_for_anything(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, "v")
    click_at(page, 0.5)
    assert now(page) > 1
    assert page.asked
    assert all(url.startswith(("file:", "data:", "blob:")) for url in page.asked)
    assert not page.faults
    page.close()


def test_a_video_that_cannot_play_is_said_and_the_timeline_works(
    browser: Any, folder: Path
) -> None:
    page = opened(browser, folder, "broken")
    page.wait_for_selector("#problem", state="visible")
    assert "cannot play" in page.locator("#problem").text_content()
    click_at(page, 0.1)
    last = clips.irregular(FRAMES)[-1]
    assert float(page.locator(".auf-slider").input_value()) == pytest.approx(0.1 * last, abs=0.1)
    frame = int(np.searchsorted(clips.irregular(FRAMES), 0.1 * last)) - 1
    shown = page.locator(".auf-bar output").all_text_contents()
    near = tracks.course(FRAMES)[frame - 1 : frame + 3]
    assert any(
        np.allclose([float(text) for text in shown], intensity_of(row), atol=0.056) for row in near
    )
    page.close()


def test_sound_without_a_picture_is_said(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, "blind")
    page.wait_for_selector("#problem", state="visible")
    page.close()
    page = opened(browser, folder, "v")
    assert not page.locator("#problem").is_visible()
    page.close()


@pytest.mark.parametrize("width", [360, 400, 1200])
def test_it_fits_the_screen(browser: Any, folder: Path, width: int) -> None:
    phone = width < 600
    page = opened(browser, folder, "v", width, is_mobile=phone, has_touch=phone)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plot = page.locator(".auf-plot").bounding_box()
    assert plot["x"] >= 0
    assert plot["x"] + plot["width"] <= width
    if phone:
        page.locator(".auf-plot").scroll_into_view_if_needed()
        area = page.locator(".auf-plot .bglayer rect.bg").first.bounding_box()
        page.touchscreen.tap(area["x"] + area["width"] / 2, area["y"] + 60)
        assert now(page) == pytest.approx(clips.irregular(FRAMES)[-1] / 2, abs=0.1)
    page.close()
