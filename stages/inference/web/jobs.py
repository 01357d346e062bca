"""The queue and the history: one video is worked on at a time; all of them survive a restart."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from stages.inference.web.apart import Worker
from stages.inference.web.attempt import Examiner, attempt
from stages.inference.web.history import Busy, History
from stages.inference.web.job import (
    ID,
    Job,
    JobFolder,
    State,
    clean_name,
    hold_folder,
    new_id,
    now,
    summary,
)
from stages.inference.web.pace import Pace
from stages.inference.web.settings import Limits
from stages.inference.web.work import Loader, Predictor, load_ahead

SPARE_BYTES: Final = 200_000_000  # of the disk, that uploads leave free


class Jobs:
    """Videos that wait, are worked on, or are done.

    Parameters
    ----------
    folder : Path
        Is made where it does not exist. Each job has a folder in it, named by 32 hexadecimal
        digits; nothing else in it is touched.
    limits : Limits
    predict : callable
        What makes the results; see :data:`stages.inference.web.work.Predictor`.
    load : callable, optional
        What the worker's process calls before there is a video.

    Raises
    ------
    SettingsError
        If the folder cannot be written or another server uses it.
    """

    def __init__(
        self, folder: Path, limits: Limits, predict: Predictor, load: Loader | None = None
    ) -> None:
        self.folder, self.limits, self._predict, self._load = folder, limits, predict, load
        self._changed = threading.Condition()
        self._uploads = 0
        self._closing = False
        self._running: str | None = None
        self._stop = threading.Event()  # of the present work
        self._pace = Pace()
        self._worker, self._examiner = Worker(), Examiner()
        self._lock = hold_folder(folder)
        self._jobs = History(self._restore())
        if load is not None:
            self._examiner.begin()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the present work, to be begun again at the next start; wait for that."""
        with self._changed:
            self._closing = True
            self._stop.set()
            self._changed.notify_all()
        self._thread.join()
        self._worker.close()
        self._examiner.close()
        self._lock.close()

    def __len__(self) -> int:
        return len(self._jobs)

    def _restore(self) -> Iterator[Job]:
        for path in self.folder.iterdir():
            if not (ID.fullmatch(path.name) and path.is_dir()):
                continue
            folder = JobFolder(path)
            if (job := folder.read()) is None:
                if folder.is_broken_upload():
                    shutil.rmtree(path, ignore_errors=True)
                continue
            if job.state == "running":
                job.state, job.done, job.phase = "waiting", 0, ""
            yield job

    def files(self, job: Job) -> JobFolder:
        """The files of a job."""
        return JobFolder(self.folder / job.id)

    def find(self, name: str) -> Job | None:
        """Job by its id; None for any text that is none."""
        with self._changed:
            return self._jobs.find(name)

    @contextmanager
    def upload(self, size: int) -> Iterator[JobFolder]:
        """Take a place in the queue and a new folder; both are given back unless a job came of it.

        Parameters
        ----------
        size : int
            Bytes expected; 0 where unknown.

        Raises
        ------
        Busy
            If as many videos as allowed are there, or the disk is full.
        """
        with self._changed:
            self._make_sure_of_room(size)
            self._uploads += 1
        folder = JobFolder(self.folder / new_id())
        try:
            folder.path.mkdir()
            yield folder
        finally:
            with self._changed:
                self._uploads -= 1
                known = self._jobs.find(folder.path.name) is not None
            if not known:
                shutil.rmtree(folder.path, ignore_errors=True)

    def _make_sure_of_room(self, size: int) -> None:
        if len(self._jobs.active) + self._uploads >= self.limits.jobs:
            raise Busy(
                f"The queue is full ({self.limits.jobs} videos): wait until one is done, or cancel"
                " one."
            )
        if shutil.disk_usage(self.folder).free < size + SPARE_BYTES:
            raise Busy("The server's disk is full: delete old videos first.")

    def add(self, folder: JobFolder, name: str) -> Job:
        """Check an upload, and put it into the queue.

        Parameters
        ----------
        folder : JobFolder
            Of :meth:`upload`, with the video in it.
        name : str
            The client's name of the file.

        Raises
        ------
        DataError
            If it is no video, or too long.
        """
        facts = self._examiner.examine(folder, self.limits)
        job = Job(
            id=folder.path.name,
            name=clean_name(name),
            size=folder.video.stat().st_size,
            created=now(),
            facts=facts,
            total=facts.pictures,
        )
        folder.write(job)
        with self._changed:
            self._jobs.add(job)
            self._changed.notify_all()
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job that waits or is worked on; its upload stays."""
        with self._changed:
            if job.state == "waiting":
                job.state = "stopped"
                self._jobs.leave(job)
                self._write(job)
            elif job.state == "running":
                self._stop.set()

    def restart(self, job: Job) -> None:
        """Put a job that failed or was stopped into the queue again.

        Raises
        ------
        Busy
            If the queue is full.
        """
        with self._changed:
            self._make_sure_of_room(0)
            if job.state in ("failed", "stopped") and job in self._jobs:
                job.state, job.error, job.done, job.phase = "waiting", "", 0, ""
                self._jobs.queue(job)
                self._write(job)
                self._changed.notify_all()

    def delete(self, job: Job) -> None:
        """Forget a job and remove its files; work on it is stopped."""
        with self._changed:
            self._jobs.remove(job)
            if self._running == job.id:
                self._stop.set()  # the thread removes the files when nothing writes them any more
                return
        shutil.rmtree(self.files(job).path, ignore_errors=True)

    def _write(self, job: Job) -> None:
        if job in self._jobs:
            self.files(job).write(job)

    def _next(self) -> Job | None:
        if self._load is not None and not (self._closing or self._worker.lives):
            with suppress(OSError):  # no process to be had: the next video says so, or gets one
                self._worker.begin(load_ahead, (self._load,), log=Path(os.devnull))
        with self._changed:
            while not self._closing:
                job = next(self._jobs.waiting, None)
                if job is not None:
                    job.state, job.done, job.phase = "running", 0, "starting"
                    self._running = job.id
                    self._stop.clear()
                    self._pace = Pace()
                    self._write(job)
                    return job
                self._changed.wait()
        return None

    def _run(self) -> None:
        while (job := self._next()) is not None:
            begun = time.monotonic()
            end, error = attempt(
                self._worker,
                job,
                self.files(job),
                self._predict,
                seconds=self.limits.working_minutes * 60,
                stop=self._stop,
                hear=partial(self._hear, job),
            )
            if end == "stopped" and self._closing:
                end = "waiting"
            self._end(job, end, error, time.monotonic() - begun)

    def _end(self, job: Job, state: State, error: str, working: float) -> None:
        folder = self.files(job)
        if state != "done":
            folder.clear()
        with self._changed:
            job.state, job.error, job.working, job.phase = state, error, working, ""
            self._running = None
            if state != "waiting":
                self._jobs.leave(job)
            if job in self._jobs:
                try:
                    self._write(job)
                except OSError:  # a full disk must not end the thread
                    job.state, job.error = "failed", "The server's disk is full."
            else:
                shutil.rmtree(folder.path, ignore_errors=True)

    def _hear(self, job: Job, message: tuple[str, Any]) -> None:
        kind, value = message
        with self._changed:
            if kind == "phase":
                job.phase = value
                return
            done, total = value
            job.done, job.total = done, max(total or job.facts.pictures, done)
            self._pace.add(time.monotonic(), done)

    def summaries(self, length: int, named: Iterable[str] = ()) -> list[dict[str, Any]]:
        """What the page shows of the newest jobs, of the queue, and of those that are named.

        Parameters
        ----------
        length : int
            How many of the newest.
        named : iterable of str
            Ids; unknown ones are passed over.

        Returns
        -------
        list of dict
            Newest first.
        """
        with self._changed:
            first = 0 if self._running is None else 1
            ahead = {job.id: place for place, job in enumerate(self._jobs.waiting, first)}
            rows = []
            for job in self._jobs.page(length, named):
                speed = self._pace.speed if job.id == self._running else None
                left = None if speed is None else (job.total - job.done) / speed
                more = {"ahead": ahead.get(job.id), "speed": speed, "left": left}
                rows.append(summary(job) | more)
        return rows
