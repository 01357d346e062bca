"""All videos of a server: found by id, listed page by page, and the queue of those that wait.

What is asked often costs as much as a page of the list, however long the history is.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Final

from stages.inference.web.job import Job

ACTIVE: Final = ("waiting", "running")


class Busy(Exception):
    """No room for another video: a sentence that says why."""


def _age(job: Job) -> tuple[str, str]:
    return job.created, job.id


class History:
    """Jobs, oldest first, and which of them wait.

    Parameters
    ----------
    jobs : iterable of Job
        In any order; those that wait are queued by age.
    """

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._by_age = sorted(jobs, key=_age)
        self._by_id = {job.id: job for job in self._by_age}
        self._active = {job.id: job for job in self._by_age if job.state in ACTIVE}

    def __len__(self) -> int:
        return len(self._by_age)

    def __contains__(self, job: Job) -> bool:
        return job.id in self._by_id

    def find(self, name: str) -> Job | None:
        """Job by its id; None for any text that is none."""
        return self._by_id.get(name)

    def add(self, job: Job) -> None:
        """Add a job that waits, at the queue's end."""
        self._by_id[job.id] = job
        bisect.insort(self._by_age, job, key=_age)
        self.queue(job)

    def remove(self, job: Job) -> None:
        """Forget a job; one that is not known stays so."""
        if self._by_id.pop(job.id, None) is not None:
            del self._by_age[bisect.bisect_left(self._by_age, _age(job), key=_age)]
        self.leave(job)

    def queue(self, job: Job) -> None:
        """Put a job at the queue's end."""
        self._active[job.id] = job

    def leave(self, job: Job) -> None:
        """Take a job that has ended, or was stopped, out of the queue."""
        self._active.pop(job.id, None)

    @property
    def active(self) -> list[Job]:
        """Jobs that wait or are worked on, in the queue's order."""
        return list(self._active.values())

    @property
    def waiting(self) -> Iterator[Job]:
        """Jobs that wait, in the queue's order."""
        return (job for job in self._active.values() if job.state == "waiting")

    def page(self, length: int, named: Iterable[str] = ()) -> list[Job]:
        """List the newest jobs, all that are in the queue, and those that are named.

        Parameters
        ----------
        length : int
            How many of the newest.
        named : iterable of str
            Ids; unknown ones are passed over.

        Returns
        -------
        list of Job
            Newest first, each once.
        """
        newest = self._by_age[max(0, len(self._by_age) - length) :]
        found = {job.id: job for job in (*newest, *self._active.values())}
        found |= {name: self._by_id[name] for name in named if name in self._by_id}
        return sorted(found.values(), key=_age, reverse=True)
