"""Presentation times of a file that are true and always rise, whatever its time stamps are like."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import Any, Final

# A stream whose decoding times go back by more than this begins again, as where files were joined.
RESTART_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 60.0  # a longer gap is said, and silence is not made for it


@dataclass
class Log:
    """What went wrong while a file was decoded.

    Attributes
    ----------
    notes : list of str
        Sentences on what was chosen or mended for the whole file.
    """

    undecodable: int = 0
    damaged: int = 0
    mended: int = 0
    reordered: int = 0
    restarts: int = 0
    pauses: int = 0
    longest_pause: float = 0.0
    cut_off: bool = False
    notes: list[str] = field(default_factory=list)

    def sentences(self) -> tuple[str, ...]:
        """Say what went wrong; nothing where nothing did."""
        parts = (
            (self.cut_off, "The file breaks off before its end."),
            (self.undecodable, f"{self.undecodable} packets cannot be decoded."),
            (self.damaged, f"{self.damaged} pictures are damaged."),
            (self.mended, f"{self.mended} presentation times were missing or out of order."),
            (
                self.reordered,
                f"{self.reordered} presentation times were not those of their pictures, which are "
                "stored in another order than they are shown in: the times were put in order, in "
                "steps of the frame rate.",
            ),
            (
                self.restarts,
                f"The file's time starts again {self.restarts} times: what follows is taken to go "
                "on where the part before it ends.",
            ),
            (
                self.pauses,
                f"The pictures pause {self.pauses} times, at most for {self.longest_pause:.0f} "
                "seconds: the times keep these gaps.",
            ),
        )
        return (*self.notes, *(sentence for said, sentence in parts if said))


class Timeline:
    """Shifts packets whose time starts again, so that each part goes on where the last one ended.

    Pictures and sound are often read one after the other: whoever feeds it all packets of both
    streams, in the file's order, gets the same shifts each time.
    """

    def __init__(self) -> None:
        self.shifts = [0.0]  # seconds, of each part of the file
        self._part: dict[int, int] = {}  # by stream
        self._last: dict[int, float] = {}  # decoding times as in the file, seconds
        self._end = 0.0  # seconds, of all that came

    def place(self, packet: Any) -> None:
        """Shift a packet's times in place."""
        if not packet.time_base or (packet.dts is None and packet.pts is None):
            return
        stream, base = packet.stream.index, packet.time_base
        part = self._part.get(stream, 0)
        # presentation times go back wherever pictures are stored out of order; these may not
        if packet.dts is not None:
            time = float(packet.dts * base)
            if time < self._last.get(stream, time) - RESTART_SECONDS:
                part += 1
                if part == len(self.shifts):
                    begin = packet.pts if packet.pts is not None else packet.dts
                    self.shifts.append(self._end - float(begin * base))
            self._last[stream] = time
        self._part[stream] = part
        shift = self.shifts[part]
        if shift:
            more = round(shift / base)
            packet.pts = None if packet.pts is None else packet.pts + more
            packet.dts = None if packet.dts is None else packet.dts + more
        shown = packet.pts if packet.pts is not None else packet.dts
        self._end = max(self._end, float((shown + (packet.duration or 0)) * base))


class Clock:
    """Presentation times that always rise.

    The k-th picture shown has the k-th smallest of the times near it: files that keep but decoding
    times (AVI), or took these for the others, give them to the wrong pictures.

    Parameters
    ----------
    step : float
        Seconds from picture to picture by the header.
    log : Log
    """

    def __init__(self, step: float, log: Log) -> None:
        self._step, self._log = step, log
        self._last: float | None = None
        self._waiting: list[float] = []

    def expect(self, frame: Any) -> None:
        """Note the time of a picture that was decoded; in the order of display."""
        if frame.pts is not None:
            insort(self._waiting, float(frame.pts * frame.time_base))

    def forget(self) -> None:
        """Forget the pictures that were decoded and not yet shown."""
        self._waiting.clear()

    def read(self, frame: Any) -> float:
        """Say when the next picture is shown, in seconds."""
        own = None if frame.pts is None else float(frame.pts * frame.time_base)
        time = None if own is None else self._waiting.pop(0)
        self._log.reordered += time != own
        if self._last is None:
            self._last = 0.0 if time is None else time
        elif time is None or time <= self._last:
            self._log.mended += 1
            self._last += self._step
        else:
            if time - self._last > PAUSE_SECONDS:
                self._log.pauses += 1
                self._log.longest_pause = max(self._log.longest_pause, time - self._last)
            self._last = time
        return self._last
