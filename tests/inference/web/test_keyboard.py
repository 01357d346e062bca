"""The page by the keyboard alone: a whole visit, focus that is seen, and where it goes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.inference.web.settings import Limits
from tests.inference.web import stand_in
from tests.inference.web.histories import write_history
from tests.inference.web.test_page import Watched, browser, close, film, strengths, watch
from tests.waiting import until, wait_for

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
__all__ = ["browser", "film", "watch"]  # fixtures

NAME = "<b>film.mp4"
VIDEOS = ("Video", "video-other")  # they draw the focus within themselves
PRESSES = 200  # more than a page of these tests has stops
VISIBLE = """() => {
  const one = document.activeElement, marked = one.id === "file" ? one.nextElementSibling : one;
  const style = getComputedStyle(marked), box = marked.getBoundingClientRect();
  const inset = Math.min(box.height / 2, 20), x = box.x + box.width / 2;
  const heights = [box.top + inset, box.top + box.height / 2, box.bottom - inset];
  const seen = (y) => {
    const top = document.elementFromPoint(x, y); // null outside of the window
    return Boolean(top) && marked.contains(top);
  };
  return {
    name: one.getAttribute("aria-label") || one.id || one.textContent,
    ring: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    colour: style.outlineColor,
    seen: heights.some(seen),
  };
}"""


def go_to(watched: Watched, selector: str, key: str = "Tab") -> None:
    """Press a key until what a selector names has the focus."""
    for _ in range(PRESSES):
        watched.page.keyboard.press(key)
        if watched.page.evaluate("one => document.activeElement.matches(one)", selector):
            return
    raise AssertionError(f"{key} never comes to {selector}")


def labelled(name: str) -> str:
    return f"[aria-label='{name}']"


def focused(watched: Watched, selector: str) -> None:
    expect(watched.page.locator(f"{selector}:focus")).to_have_count(1)


def press(watched: Watched, *keys: str) -> None:
    for key in keys:
        watched.page.keyboard.press(key)


def offer(watched: Watched, *files: Path) -> None:
    """What the browser's dialog for files is to give, one at each opening."""
    left = list(files)
    watched.page.on("filechooser", lambda chooser: chooser.set_files(left.pop(0)))
    expect(watched.page.locator("#limits")).to_contain_text("At most")  # it has loaded


def state(watched: Watched, name: str) -> object:
    return watched.page.evaluate(f"document.getElementById('video').{name}")


def test_a_whole_visit_by_keys_alone(
    watch: Callable[..., Watched], film: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(film, copy)
    watched = watch()
    page = watched.page
    offer(watched, copy, film)
    go_to(watched, "#file")
    press(watched, "Enter")
    expect(page.locator("#title")).to_have_text("copy.mp4")
    focused(watched, "#file")  # what opens by itself takes nothing away
    press(watched, "Space")
    expect(page.locator("#title")).to_have_text(NAME)

    # open the older one from the list: the focus goes along
    go_to(watched, "#videos a:not([aria-current])")
    press(watched, "Enter")
    expect(page.locator("#title")).to_have_text("copy.mp4")
    focused(watched, "#title")
    watched.wait("document.getElementById('video').readyState === 4")

    go_to(watched, "#controls .play")
    press(watched, "Enter")
    expect(page.locator("#controls .play")).to_have_text("Pause")
    watched.wait_for_time("> 0.4")
    press(watched, "Space")
    expect(page.locator("#controls .play")).to_have_text("Play")
    assert state(watched, "paused")
    go_to(watched, "#controls .forward")
    before = int(watched.time() * stand_in.RATE + 1e-3)
    press(watched, "Enter", "Enter")
    watched.wait_for_time(f">= {(before + 2) / stand_in.RATE}")
    until(lambda: shows(watched, before + 2))
    go_to(watched, "#controls .back", "Shift+Tab")
    press(watched, "Space")
    until(lambda: shows(watched, before + 1))
    go_to(watched, "#controls .speed")
    press(watched, "ArrowDown")
    assert state(watched, "playbackRate") == 2
    go_to(watched, "#controls .mute")
    press(watched, "Enter")
    assert state(watched, "muted")
    expect(page.locator("#controls .mute")).to_have_text("Sound on")
    go_to(watched, "#controls .volume")
    press(watched, "Home", "ArrowRight")
    assert state(watched, "volume") == pytest.approx(0.05)
    assert not state(watched, "muted")

    go_to(watched, labelled("Zoom in"))
    whole = watched.place(1) - watched.place(0)
    press(watched, "Enter")
    wait_for(lambda: watched.place(1) - watched.place(0) > 1.9 * whole)
    go_to(watched, labelled("Position in the video"))
    press(watched, "Home")
    until(lambda: shows(watched, 0))
    press(watched, "ArrowRight", "ArrowRight", "ArrowRight")
    until(lambda: shows(watched, 3))
    press(watched, "End")
    watched.wait_for_time("> 3.9")

    go_to(watched, "#other")
    press(watched, "ArrowDown")
    expect(page.locator("#agreement")).to_contain_text("agree in 100.0 % of 1,188 decisions")
    watched.wait("document.getElementById('video-other').readyState === 4")
    go_to(watched, "#controls-other .forward")
    press(watched, "Enter")
    watched.wait("document.getElementById('video-other').currentTime >= 0.04")
    go_to(watched, "#downloads a")
    with page.expect_download() as download:
        press(watched, "Enter")
    assert download.value.suggested_filename == "copy.csv"
    go_to(watched, ".auf-moments button")
    press(watched, "Enter")
    moment = float(page.evaluate("document.activeElement.dataset.time"))
    watched.wait_for_time(f"< {moment + 0.05}")
    watched.wait_for_time(f"> {moment - 0.05}")

    page.on("dialog", lambda dialog: dialog.accept())
    go_to(watched, "#return", "Shift+Tab")
    press(watched, "Enter")
    focused(watched, "#videos a[aria-current]")
    go_to(watched, labelled("Delete copy.mp4"))
    press(watched, "Enter")
    expect(page.locator("#videos li")).to_have_count(1)
    expect(page.locator("#welcome")).to_be_visible()
    focused(watched, "#videos a")
    assert page.evaluate("document.activeElement.textContent") == NAME
    expect(page.get_by_role("status")).to_have_text("copy.mp4 was deleted.")
    go_to(watched, labelled(f"Delete {NAME}"))
    press(watched, "Space")
    focused(watched, "#file")
    assert not watched.complaints


def shows(watched: Watched, frame: int) -> None:
    assert close(watched.bars(), strengths(frame))


def test_the_ways_past_the_list_leave_the_video_open(
    watch: Callable[..., Watched], film: Path
) -> None:
    watched = watch()
    page = watched.page
    go_to(watched, "#skip")
    press(watched, "Enter")
    focused(watched, "#viewer")
    watched.open(film)
    address = page.url
    go_to(watched, "#skip", "Shift+Tab")
    press(watched, "Enter")
    focused(watched, "#title")
    press(watched, "Shift+Tab")
    focused(watched, "#return")
    press(watched, "Enter")
    focused(watched, "#videos a")
    press(watched, "Enter")  # it is open already
    focused(watched, "#title")
    expect(page.locator("#title")).to_have_text(NAME)
    assert page.url == address


def test_the_focus_goes_on_where_a_button_goes_away(
    watch: Callable[..., Watched], film: Path, tmp_path: Path
) -> None:
    write_history(tmp_path / "jobs", 3)
    watched = watch(stand_in.predict_at_leave, limits=Limits(jobs=1))
    page = watched.page
    page.on("dialog", lambda dialog: dialog.accept())
    offer(watched, film)
    go_to(watched, labelled("Delete 1.mp4"))
    press(watched, "Enter")
    focused(watched, labelled("Try 0.mp4 again"))  # the next one
    go_to(watched, labelled("Delete 0.mp4"))
    press(watched, "Enter")
    focused(watched, labelled("Try 2.mp4 again"))  # there is none after it
    go_to(watched, "#file", "Shift+Tab")
    press(watched, "Enter")
    expect(page.locator("#videos .quiet").first).to_contain_text("Frame 5")
    go_to(watched, labelled(f"Cancel {NAME}"))
    press(watched, "Enter")
    focused(watched, labelled(f"Try {NAME} again"))
    press(watched, "Enter")
    focused(watched, labelled(f"Cancel {NAME}"))
    (tmp_path / "jobs" / "go").touch()
    expect(page.locator("#title")).to_have_text(NAME)
    focused(watched, f"#videos a:text-is('{NAME}')")


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_the_focus_is_seen_at_every_stop_and_comes_round(
    watch: Callable[..., Watched], film: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(film, copy)
    watched = watch(width=width)
    page = watched.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    watched.choose(film, copy)
    expect(page.locator("#title")).to_have_text("copy.mp4")
    page.get_by_label("Beside it").select_option(label=NAME)
    expect(page.locator("#compared tr")).to_have_count(12)
    paper = page.evaluate("getComputedStyle(document.querySelector('.side')).backgroundColor")
    for key in ("Tab", "Shift+Tab"):
        page.evaluate("document.activeElement.blur(); document.getElementById('skip').focus()")
        stops = []
        for _ in range(PRESSES):
            press(watched, key)
            if page.evaluate("document.activeElement.matches('#skip')"):
                break
            if page.evaluate("document.activeElement === document.body"):
                continue  # where a window has its own buttons
            stop = page.evaluate(VISIBLE)
            stops.append(stop["name"])
            assert stop["ring"] >= 2 or stop["name"] in VIDEOS, stop
            assert stop["seen"], stop
            assert contrast(stop["colour"], paper) >= 3 or stop["name"] in VIDEOS, stop
        else:
            raise AssertionError(f"{key} never comes round: {stops[-8:]}")
        assert {"file", "other", "Position in the video", "Both in numbers"} <= set(stops)
        assert len(set(stops)) > 50
