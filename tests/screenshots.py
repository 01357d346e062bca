"""The README's pictures of overlay, report and web page (`make screenshots`).

Needs a finished `make repro` and a Chromium. A test video of the corpus is predicted, for no real
face goes into this project.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import httpx
import typer
from playwright.sync_api import Browser, sync_playwright

from stages.core.paths import INDEX
from stages.pictures import PICTURES
from stages.videos.manifest import Manifest

WIDTH = 1100  # pixels
PORT = 8731
AUFUSION = [sys.executable, "-m", "stages.cli"]


def longest_test_video() -> Path:
    """Return the test video that shows one person for the most frames."""
    manifest = Manifest.load(INDEX)
    entries = [e for e in manifest.entries if e.split == "test" and e.side == "only" and e.sound]
    return Path(manifest.root) / max(entries, key=lambda e: (e.frames, e.name)).video


def save_frame(video: Path, number: int, path: Path) -> None:
    """Save one frame of a video as PNG."""
    with av.open(str(video)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i == number:
                frame.to_image().save(path)
                return


def photograph(browser: Browser, address: str, path: Path, height: int) -> None:
    """Save what a page shows once it has drawn itself."""
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.goto(address)
    page.wait_for_selector(".js-plotly-plot")
    page.wait_for_timeout(2000)
    page.screenshot(path=path)
    page.close()


def main(frame: int = 60) -> None:
    """Draw the three pictures."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        sys.exit("No Chromium is installed: apt install chromium.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        video = Path(shutil.copy(longest_test_video(), folder / "video.mp4"))
        words = ["predict", str(video), "--out", str(folder), "--overlay", "--report"]
        subprocess.run([*AUFUSION, *words], check=True)
        save_frame(folder / "video.overlay.mp4", frame, PICTURES / "overlay.png")
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        photograph(browser, (folder / "video.html").as_uri(), PICTURES / "video_report.png", 1150)
        words = ["serve", "--folder", str(folder / "served"), "--port", str(PORT)]
        server = subprocess.Popen([*AUFUSION, *words])
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60) as client:
                for _ in range(600):
                    try:
                        client.get("/")
                        break
                    except httpx.TransportError:
                        time.sleep(0.1)
                job = client.post("/api/jobs?name=video.mp4", content=video.read_bytes()).json()
                states = {}
                while states.get(job["id"]) != "done":
                    time.sleep(0.5)
                    found = client.get("/api/state").json()["jobs"]
                    states = {one["id"]: one["state"] for one in found}
                photograph(browser, f"{client.base_url}#{job['id']}", PICTURES / "serve.png", 1150)
        finally:
            server.terminate()
            server.wait()
        browser.close()


if __name__ == "__main__":
    typer.run(main)
