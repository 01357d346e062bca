"""A predicted video, read part by part to be written in another format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from stages.core.facs import AU_NAMES
from stages.inference.baseline import Shifts, find_rest, sentence, subtracted, thresholds_in
from stages.inference.formats.episodes import USUAL_STEP, Episode, find_episodes
from stages.inference.results import Rows, read_parts


@dataclass(frozen=True)
class Recording:
    """A prediction and what is known of its video.

    Attributes
    ----------
    table : Path
        ``NAME.parquet`` or ``NAME.csv``.
    name : str
        NAME.
    about : dict
        Content of ``NAME.json``; empty where it does not lie beside.
    baseline : float or None
        Seconds of rest that are subtracted of each person, see
        :mod:`stages.inference.baseline`.
    """

    table: Path
    name: str
    about: dict[str, Any] = field(default_factory=dict)
    baseline: float | None = None

    def parts(self) -> Iterator[Rows]:
        """Rows in parts of bounded size, in order."""
        if self.baseline is None:
            return read_parts(self.table)
        return subtracted(read_parts(self.table), self.rest, self._thresholds)

    @cached_property
    def rest(self) -> Shifts:
        """What is subtracted of each person's logits."""
        return (
            {}
            if self.baseline is None
            else find_rest(read_parts(self.table), self.baseline, self.name)
        )

    @cached_property
    def _thresholds(self) -> tuple[float, ...]:
        return thresholds_in(self.about, self.name)

    @property
    def label(self) -> str:
        """What files of another format are called: of a subtracted rest so."""
        return self.name if self.baseline is None else f"{self.name}.baseline"

    @property
    def remarks(self) -> list[str]:
        """Sentences on what was done to the prediction."""
        return [] if self.baseline is None else [sentence(self.name, self.baseline, self.rest)]

    @property
    def photo(self) -> bool:
        """Whether it is of one still picture."""
        return bool(self.about.get("photo"))

    @property
    def media(self) -> str:
        """Name of the video's file."""
        return str(self.about.get("source", {}).get("name") or self.name)

    @property
    def start(self) -> float:
        """Seconds on the file's clock that players and annotation tools call 0."""
        return float(self.about.get("start", 0.0))

    @cached_property
    def span(self) -> tuple[float, float, int]:
        """Seconds of the first frame and of the last one's end; number of frames."""
        first, before, last, frames = None, None, 0.0, 0
        for rows in self.parts():
            for frame, time in zip(rows.frame.tolist(), rows.timestamp.tolist(), strict=True):
                if frame != frames:
                    before = last if frames else None
                    frames, last = frame, time
                    first = time if first is None else first
        step = USUAL_STEP if before is None else last - before
        return first or 0.0, last + step, frames

    @cached_property
    def episodes(self) -> list[Episode]:
        """When each AU of each person is present."""
        return find_episodes(self.parts())

    @cached_property
    def people(self) -> list[int]:
        """Numbers of the people."""
        return sorted({int(person) for rows in self.parts() for person in rows.face_ids})

    def tier(self, person: int, au: int) -> str:
        """Name of an AU's tier; with the person where there are several."""
        return AU_NAMES[au] if len(self.people) < 2 else f"{AU_NAMES[au]} face {person}"
