"""The page in a browser: upload, progress, playing, seeking, downloads, errors, keyboard."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from stages.core.intensity import intensity_of
from stages.inference.web.app import create_app
from stages.inference.web.jobs import Jobs
from stages.inference.web.serving import listen
from stages.inference.web.settings import Limits, Settings
from stages.inference.web.work import Predictor
from tests.inference.web import stand_in
from tests.waiting import until, wait_for

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect
expect.set_options(timeout=60_000)

TOKEN = "correct horse battery staple"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium is installed; Debian's: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def serving(folder: Path, predict: Predictor, **changes: object) -> Iterator[str]:
    """A server on a socket of its own, as `aufusion serve` runs it; its address."""
    import uvicorn

    settings = Settings(folder, port=0, **changes)  # type: ignore[arg-type]
    with listen("127.0.0.1", 0) as opened:
        app = create_app(settings, Jobs(folder, settings.limits, predict))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))
        thread = threading.Thread(target=server.run, args=([opened],))
        thread.start()
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
        server.should_exit = True
        thread.join()


class Watched:
    """A page, what it asked for and what it complained about."""

    def __init__(self, browser: sync_api.Browser, address: str, width: int = 1200) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda message: message.type == "error" and self.complaints.append(message.text),
        )
        self.address = address
        self.page.goto(address)

    def choose(self, *files: Path) -> None:
        self.page.set_input_files("#file", files)

    def open(self, video: Path) -> None:
        """Upload a video and wait until it is shown."""
        self.choose(video)
        expect(self.page.locator("#title")).to_have_text(video.name)
        self.wait("document.getElementById('video').readyState === 4")

    def wait(self, script: str) -> None:
        """Wait until JavaScript is true; playwright's own way needs `eval`, which is forbidden."""
        wait_for(lambda: self.page.evaluate(script) or self.page.wait_for_timeout(30))

    def rewind(self) -> None:
        self.page.set_viewport_size({"width": 1200, "height": 900})
        self.page.evaluate("document.getElementById('video').currentTime = 0")
        self.wait_for_time("=== 0")

    def wait_for_time(self, condition: str) -> None:
        self.wait(f"document.getElementById('video').currentTime {condition}")

    def time(self) -> float:
        return float(self.page.evaluate("document.getElementById('video').currentTime"))

    def cursor(self) -> float:
        """Middle of the timeline's cursor in pixels of the window."""
        box = self.page.locator(".auf-cursor").bounding_box()
        return float(box["x"] + box["width"] / 2)

    def place(self, seconds: float) -> float:
        """Where the timeline's own axis has a time, in pixels of the window."""
        return float(
            self.page.evaluate(
                """(seconds) => {
                  const plot = document.querySelector('.auf-plot');
                  const axis = plot._fullLayout.xaxis;
                  return plot.getBoundingClientRect().left + axis._offset + axis.l2p(seconds);
                }""",
                seconds,
            )
        )

    def bars(self) -> list[float]:
        """Intensities that the bars say."""
        return [float(text) for text in self.page.locator("#bars output").all_inner_texts()]


@pytest.fixture
def watch(browser: sync_api.Browser, tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    with ExitStack() as stack:

        def start(
            predict: Predictor = stand_in.predict, width: int = 1200, **changes: object
        ) -> Watched:
            address = stack.enter_context(serving(tmp_path / "jobs", predict, **changes))
            watched = Watched(browser, address, width)
            stack.callback(watched.page.close)
            return watched

        yield start


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, so that playing can be watched."""
    return stand_in.make_clip(tmp_path_factory.mktemp("film") / "<b>film.mp4", frames=100)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A grey picture, 300 x 200."""
    path = tmp_path / "face.png"
    Image.new("RGB", (300, 200), (90, 90, 90)).save(path)
    return path


@pytest.fixture
def copy(film: Path, tmp_path: Path) -> Path:
    """The film once more, by another name."""
    return Path(shutil.copy(film, tmp_path / "copy.mp4"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shown") / "jobs"


@pytest.fixture(scope="module")
def shown(browser: sync_api.Browser, film: Path, folder: Path) -> Iterator[Watched]:
    """A page that shows the film; the tests leave it so."""
    with serving(folder, stand_in.predict) as address:
        watched = Watched(browser, address)
        watched.open(film)
        yield watched
        watched.page.close()


def strengths(frame: int) -> list[float]:
    """What the bars must say of a frame, from 0."""
    return [float(value) for value in intensity_of(stand_in.probabilities(100)[frame])]


def close(ours: list[float], theirs: list[float]) -> bool:
    return all(abs(one - other) <= 0.06 for one, other in zip(ours, theirs, strict=True))


def shows_its_time(watched: Watched) -> None:
    moment = watched.time()
    assert watched.cursor() == pytest.approx(watched.place(moment), abs=2)
    assert close(watched.bars(), strengths(int(moment * stand_in.RATE + 1e-3)))


def test_upload_progress_and_the_video(
    watch: Callable[..., Watched], film: Path, tmp_path: Path
) -> None:
    watched = watch(stand_in.predict_at_leave)
    page = watched.page
    expect(page.locator("#none")).to_be_visible()
    watched.choose(film)
    entry = page.locator("#videos li")
    expect(entry).to_contain_text("<b>film.mp4")  # as text
    expect(entry.locator(".quiet").first).to_contain_text("Frame 5 of 50, ")
    expect(entry.locator(".quiet").first).to_contain_text(" frames a second, ")
    expect(entry.locator(".quiet").first).to_contain_text(" left")
    bar = entry.get_by_role("progressbar", name="Progress of <b>film.mp4")
    assert bar.evaluate("bar => bar.value / bar.max") == pytest.approx(0.1)
    expect(page.get_by_role("status")).to_contain_text("Frame 5 of 50")
    (tmp_path / "jobs" / "go").touch()
    expect(page.locator("#title")).to_have_text("<b>film.mp4")
    expect(page.locator("#facts")).to_contain_text("100 frames in 4.0 s")
    expect(page.locator("#notes")).to_contain_text("synthetic")
    assert page.locator("b").filter(has_text="film").count() == 0
    assert page.evaluate("document.getElementById('video').error") is None
    hosts = {urlsplit(url).netloc for url in watched.asked if not url.startswith("data:")}
    assert hosts == {urlsplit(watched.address).netloc}
    assert watched.complaints == []


def test_playing_moves_the_cursor_and_the_bars(shown: Watched) -> None:
    watched, page = shown, shown.page
    watched.rewind()
    assert watched.cursor() == pytest.approx(watched.place(0), abs=2)
    assert close(watched.bars(), strengths(0))
    page.evaluate("document.getElementById('video').play()")
    watched.wait_for_time("> 0.8")
    page.evaluate("document.getElementById('video').pause()")
    until(lambda: shows_its_time(watched))
    assert not close(watched.bars(), strengths(0))


def test_a_click_on_the_timeline_seeks(shown: Watched) -> None:
    watched, page = shown, shown.page
    watched.rewind()
    page.locator(".auf-plot").scroll_into_view_if_needed()
    box = page.locator(".auf-plot").bounding_box()
    for seconds in (2.5, 0.5):
        page.mouse.click(watched.place(seconds), box["y"] + 100)
        watched.wait_for_time(f"> {seconds - 0.05}")
        watched.wait_for_time(f"< {seconds + 0.05}")
        until(lambda: shows_its_time(watched))


def test_frames_are_stepped_through_by_keyboard(shown: Watched) -> None:
    watched, page = shown, shown.page
    watched.rewind()
    page.locator("#controls .forward").focus()
    for frame in (1, 2, 3):
        page.keyboard.press("Enter")
        watched.wait_for_time(f">= {frame / stand_in.RATE}")
        assert close(watched.bars(), strengths(frame))
    page.locator("#controls .back").press("Space")
    watched.wait_for_time("< 0.1")
    assert close(watched.bars(), strengths(2))
    slider = page.get_by_role("slider", name="Position in the video")
    slider.focus()
    page.keyboard.press("End")
    watched.wait_for_time("> 3.9")
    page.locator("#controls .speed").select_option("0.5")
    assert page.evaluate("document.getElementById('video').playbackRate") == 0.5


def test_downloads_are_the_files_on_disk(shown: Watched, folder: Path) -> None:
    page = shown.page
    endings = {"CSV": "csv", "Parquet": "parquet", "JSON": "json", "Report": "html"}
    expect(page.locator("#downloads a")).to_have_count(len(endings))
    for name, ending in endings.items():
        with page.expect_download() as download:
            page.locator("#downloads a", has_text=name).click()
        (stored,) = folder.glob(f"*/results/*.{ending}")
        assert Path(download.value.path()).read_bytes() == stored.read_bytes()
        assert download.value.suggested_filename.endswith(f"film.{ending}")


def test_errors_are_sentences_on_the_page(watch: Callable[..., Watched], tmp_path: Path) -> None:
    watched = watch(limits=Limits(megabytes=0.5, minutes=0.05, jobs=1))
    page = watched.page
    files = {name: tmp_path / name for name in ("text.mp4", "empty.mp4", "large.mp4")}
    files["text.mp4"].write_text("hello")
    files["empty.mp4"].touch()
    files["large.mp4"].write_bytes(bytes(600_000))
    files["long.mp4"] = stand_in.make_clip(tmp_path / "long.mp4", frames=100)
    for name, sentence in {
        "text.mp4": "text.mp4: This file cannot be opened as a video",
        "empty.mp4": "empty.mp4 is empty",
        "large.mp4": "large.mp4 is too large (600 kB): the server takes at most 0.5 MB.",
        "long.mp4": "long.mp4: This video is 0.1 minutes long, and the server takes at most 0.05",
    }.items():
        watched.choose(files[name])
        expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
    expect(page.locator("#videos li")).to_have_count(0)


def test_cancel_try_again_delete(watch: Callable[..., Watched], film: Path, tmp_path: Path) -> None:
    watched = watch(stand_in.predict_at_leave, limits=Limits(jobs=1))
    page = watched.page
    watched.choose(film)
    name = "<b>film.mp4"
    expect(page.locator("#videos .quiet").first).to_contain_text("Frame 5")
    watched.choose(film)
    expect(page.locator("#problem")).to_contain_text("The queue is full (1 videos)")
    page.get_by_role("button", name=f"Cancel {name}").click()
    expect(page.locator("#videos")).to_contain_text("Stopped")
    (tmp_path / "jobs" / "go").touch()
    page.get_by_role("button", name=f"Try {name} again").click()
    expect(page.locator("#title")).to_have_text(name)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name=f"Delete {name}").click()
    expect(page.locator("#videos li")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()
    assert [path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()] == []


def test_what_browsers_do_not_play_is_shown_as_a_preview(
    watch: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = watch()
    old = stand_in.make_old_clip(tmp_path / "old.avi")
    watched.open(old)
    expect(watched.page.locator("#facts")).to_contain_text("H.264 preview")
    assert watched.page.evaluate("document.getElementById('video').duration") == pytest.approx(
        2, abs=0.05
    )


def test_a_photo_is_shown_as_a_picture_with_its_figures(
    watch: Callable[..., Watched], film: Path, photo: Path
) -> None:
    watched = watch()
    page = watched.page
    watched.choose(photo, film)  # several at once
    expect(page.locator("#videos li")).to_have_count(2)
    page.get_by_role("link", name="face.png").click()
    expect(page.locator("#title")).to_have_text("face.png")
    picture = page.get_by_role("img", name="face.png")
    expect(picture).to_be_visible()
    watched.wait("document.getElementById('photo').naturalWidth === 300")
    expect(page.locator("#facts")).to_contain_text("A photo · 300 × 200")
    expect(page.locator("#videos")).to_contain_text("Photo")
    for hidden in ("#video", "#timeline", "#controls", "#moments"):
        expect(page.locator(hidden)).to_be_hidden()
    assert close(watched.bars(), [float(v) for v in intensity_of(stand_in.probabilities(1)[0])])
    page.get_by_role("link", name="<b>film.mp4").click()  # and back to a video
    expect(page.locator("#title")).to_have_text("<b>film.mp4")
    expect(page.locator("#video")).to_be_visible()
    expect(page.locator("#photo")).to_be_hidden()
    expect(page.locator("#timeline")).to_be_visible()
    assert not watched.complaints


def test_what_the_user_opened_stays_when_the_next_upload_is_done(
    watch: Callable[..., Watched], film: Path, photo: Path, copy: Path
) -> None:
    watched = watch()
    page = watched.page
    held: list[sync_api.Route] = []
    page.route(lambda url: url.endswith("name=copy.mp4"), lambda route: held.append(route))
    watched.choose(photo, copy)  # the second upload begins when the first one is there
    wait_for(lambda: held or page.wait_for_timeout(30))
    expect(page.locator("#title")).to_have_text("face.png")
    page.get_by_role("link", name="face.png").click()
    shown = page.evaluate("location.hash")
    held[0].continue_()
    # a video that is opened by itself is named in the address before the list has its link
    expect(page.get_by_role("link", name="copy.mp4")).to_be_visible()
    assert page.evaluate("location.hash") == shown
    assert not watched.complaints


def test_two_results_are_seen_side_by_side(
    watch: Callable[..., Watched], film: Path, photo: Path, copy: Path
) -> None:
    watched = watch()
    page = watched.page
    watched.open(film)
    expect(page.locator("#beside")).to_be_hidden()  # there is nothing else yet
    watched.choose(photo, copy)
    expect(page.locator("#videos li")).to_have_count(3)
    expect(page.locator("#title")).to_have_text("copy.mp4")
    page.get_by_label("Beside it").select_option(label="<b>film.mp4")
    expect(page.locator("#agreement")).to_contain_text("They agree in 100.0 % of 1,188 decisions")
    expect(page.locator("#compared tr")).to_have_count(12)
    shares = stand_in.probabilities(100)
    seen = np.arange(100) != 9  # frame 10 shows no face
    present = round(100 * float((shares[seen, 0] >= stand_in.HALF).mean()))
    cells = page.locator("#compared tr").first.locator("td").all_inner_texts()
    assert cells[0] == cells[1] == f"{present} %"
    assert cells[2] == cells[3]
    watched.wait("document.getElementById('video-other').readyState === 4")
    page.get_by_label("Beside it").select_option(label="face.png")
    expect(page.locator("#other-name")).to_have_text("face.png")
    expect(page.get_by_role("img", name="face.png")).to_be_visible()
    expect(page.locator("#video-other")).to_be_hidden()
    expect(page.locator("#agreement")).to_contain_text("not the same frames")
    page.get_by_role("link", name="face.png").click()  # what is opened is beside nothing
    expect(page.locator("#title")).to_have_text("face.png")
    expect(page.locator("#pair")).to_be_hidden()
    assert page.get_by_label("Beside it").locator("option").all_inner_texts() == [
        "nothing", "copy.mp4", "<b>film.mp4",
    ]  # fmt: skip
    assert not watched.complaints


def test_a_generated_face_is_there_to_try(watch: Callable[..., Watched], tmp_path: Path) -> None:
    watched = watch()
    page = watched.page
    page.get_by_role("button", name="Try a generated face").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("generated face.mp4")
    watched.wait("document.getElementById('video').readyState === 4")
    (job,) = (path for path in (tmp_path / "jobs").iterdir() if path.is_dir())
    demo = files("stages.inference.web").joinpath("page", "demo.mp4").read_bytes()
    assert (job / "video").read_bytes() == demo
    assert len(demo) < 300_000
    assert not watched.complaints


def test_the_token_is_asked_for(watch: Callable[..., Watched]) -> None:
    watched = watch(token=TOKEN)
    page = watched.page
    assert page.url.endswith("/login")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the token")
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#none")).to_be_visible()


@pytest.mark.parametrize("width", [1200, 400])
def test_it_fits_and_every_control_has_a_name(shown: Watched, width: int) -> None:
    page = shown.page
    page.set_viewport_size({"width": width, "height": 900})
    shown.wait(f"document.documentElement.scrollWidth === {width}")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a, progress, video')]
          .filter((one) => one.checkVisibility() && !one.getAttribute('aria-label')
            && !one.labels?.length && !one.textContent.trim())
          .map((one) => one.outerHTML)"""
    )
    assert nameless == []
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"file", "video", "SELECT", "A", "BUTTON"} <= reached
