"""A history of many videos on disk, as a server of long standing leaves it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from stages.inference.web.checking import Facts
from stages.inference.web.job import Job, JobFolder

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = Facts(
    pictures=50, seconds=2.0, width=128, height=128, codec="h264", sound=True,
    plays="video/mp4", start=0.0,
)  # fmt: skip


def write_history(folder: Path, number: int, begin: datetime = BEGIN) -> list[str]:
    """Write the records of so many videos that were stopped; their ids, newest first."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in range(number):
        created = (begin + timedelta(minutes=place)).isoformat(timespec="microseconds")
        job = Job(f"{place:032x}", f"{place}.mp4", 9, created, FACTS, state="stopped", total=50)
        kept = JobFolder(folder / job.id)
        kept.path.mkdir()
        kept.video.write_bytes(b"an upload")
        kept.write(job)
    return [f"{place:032x}" for place in reversed(range(number))]
