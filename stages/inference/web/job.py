"""One video on the server: what is known of it, and its folder on disk."""

from __future__ import annotations

import fcntl
import json
import re
import secrets
import shutil
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, Literal

from stages.core.errors import SettingsError
from stages.core.files import is_temporary, write_json
from stages.inference.web.checking import Facts

State = Literal["waiting", "running", "done", "failed", "stopped"]
STATES: Final = ("waiting", "running", "done", "failed", "stopped")

ID: Final = re.compile(r"[0-9a-f]{32}")
LONGEST_NAME: Final = 200  # characters of a client's file name that are kept
RESULTS: Final = {"csv": ".csv", "parquet": ".parquet", "json": ".json", "report": ".html"}
_FORMAT: Final = 1


def new_id() -> str:
    """Make a name for a job that nobody can guess."""
    return secrets.token_hex(16)


def clean_name(name: str) -> str:
    """Make one line of text of a client's file name: no folders, nothing unprintable.

    It is shown, and offered as the name to save under; it is never a path on the server.
    """
    last = re.split(r"[/\\]", name)[-1]
    text = "".join(c if c.isprintable() else " " for c in last).strip()
    return text[:LONGEST_NAME] or "video"


@dataclass
class Job:
    """A video, its state and how far it is.

    Attributes
    ----------
    id : str
        32 hexadecimal digits, the name of its folder.
    name : str
        The client's name of the file, as text.
    size : int
        Bytes.
    created : str
        When it was uploaded: ISO 8601, UTC.
    facts : Facts
        What the video is.
    state : str
        One of `STATES`.
    error : str
        Why it failed, a sentence.
    working : float
        Seconds that the work took.
    done, total : int
        Frames predicted, and expected.
    phase : str
        What is being done.
    files : dict of str to int
        Bytes of each result, by a key of `RESULTS`.
    """

    id: str
    name: str
    size: int
    created: str
    facts: Facts
    state: State = "waiting"
    error: str = ""
    working: float = 0.0
    done: int = 0
    total: int = 0
    phase: str = ""
    files: dict[str, int] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """Name to save results under, without the ending."""
        return Path(self.name).stem or "video"


def summary(job: Job) -> dict[str, Any]:
    """What a page of the list says of a job."""
    return {**asdict(job), "plays": job.facts.plays is not None}


def now() -> str:
    """Time of day, ISO 8601, UTC, fine enough to sort by."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class JobFolder:
    """The files of one job.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def record(self) -> Path:
        """What is known of the job."""
        return self.path / "job.json"

    @property
    def video(self) -> Path:
        """The upload, byte for byte."""
        return self.path / "video"

    @property
    def poster(self) -> Path:
        """The first picture, a small JPEG."""
        return self.path / "poster.jpg"

    @property
    def preview(self) -> Path:
        """H.264 for browsers, where they do not play the upload."""
        return self.path / "preview.mp4"

    @property
    def picture(self) -> Path:
        """A photo as browsers show it, upright."""
        return self.path / "picture.jpg"

    @property
    def view(self) -> Path:
        """What the page draws."""
        return self.path / "view.json"

    @property
    def log(self) -> Path:
        """What the work has printed."""
        return self.path / "log.txt"

    @property
    def results(self) -> Path:
        """Folder into which the predictor writes."""
        return self.path / "results"

    def result(self, kind: str) -> Path | None:
        """File of the predictor, by a key of `RESULTS`; None where it wrote none."""
        files = sorted(self.results.glob(f"*{RESULTS[kind]}")) if self.results.is_dir() else []
        return files[0] if files else None

    def is_broken_upload(self) -> bool:
        """Whether there is no more than an upload that was broken off, or nothing."""
        known = {self.video.name, self.poster.name, self.log.name}
        return all(file.name in known or is_temporary(file) for file in self.path.iterdir())

    def clear(self) -> None:
        """Remove what work has written, and keep the upload."""
        shutil.rmtree(self.results, ignore_errors=True)
        for path in (self.preview, self.picture, self.view):
            path.unlink(missing_ok=True)

    def write(self, job: Job) -> None:
        """Write the job's record, whole or not at all."""
        record: dict[str, Any] = {"format": _FORMAT, **asdict(job)}
        write_json(self.record, record, indent=1)

    def read(self) -> Job | None:
        """Read the job's record; None where there is none that can be read."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
            if record.pop("format") != _FORMAT or record["state"] not in STATES:
                return None
            facts = Facts(**record.pop("facts"))
            job = Job(facts=facts, **record)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return job if job.id == self.path.name and self.video.is_file() else None


def hold_folder(folder: Path) -> IO[str]:
    """Keep a folder for this server alone, until the file is closed or the process ends.

    Raises
    ------
    SettingsError
        If it cannot be written, or another server has it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (folder / "lock").open("a")  # whatever bears that name stays as it is
    except OSError as error:
        raise SettingsError(
            f"--folder {folder} cannot be written ({error.strerror}): name another."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise SettingsError(
            f"--folder {folder} is in use by another `aufusion serve`: name another."
        ) from None
    return file
