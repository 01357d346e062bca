"""The pieces that the corpus is made of: clips, people's stills, speakers; one worker each."""

from pathlib import Path

import cv2

from stages.core.errors import DataError
from stages.core.parallel import Outcome
from stages.synthesis.clips import render_clip
from stages.synthesis.performance.plan import Clip
from stages.synthesis.settings import Corpus
from stages.synthesis.speech_data import Speaker, write_speaker
from stages.synthesis.stills import StillPerson, write_stills

# How the names of pieces begin. All go to the workers together, in the order of their names: the
# longest first and the shortest last, so that no core waits long for the others at the end.
CLIP, FACES, SPEECH = "clip-", "faces-", "speech-"

Piece = Clip | StillPerson | Speaker


def share(total: int, parts: int) -> list[int]:
    """Whole numbers that add up to `total`, as equal as can be."""
    return [total // parts + (k < total % parts) for k in range(parts)]


def still_people(corpus: Corpus) -> dict[str, StillPerson]:
    """Work for the still faces: a piece for each person."""
    counts = share(corpus.faces, min(corpus.face_people, corpus.faces))
    return {
        f"person{number:06d}": StillPerson(corpus.seed, number, count)
        for number, count in enumerate(counts)
    }


def speakers(corpus: Corpus) -> dict[str, Speaker]:
    """Work for the speech: a piece for each speaker."""
    counts = share(corpus.utterances, min(corpus.speakers, corpus.utterances))
    return {
        f"speaker{number:06d}": Speaker(corpus.seed, number, count)
        for number, count in enumerate(counts)
    }


def one_thread() -> None:
    """Keep OpenCV from starting threads: the workers fill the cores already."""
    cv2.setNumThreads(1)


def make_piece(work: Piece, path: Path) -> None:
    """Make a clip, one person's stills or one speaker's utterances."""
    if isinstance(work, Clip):
        render_clip(work, path)
    elif isinstance(work, StillPerson):
        write_stills(work, path)
    else:
        write_speaker(work, path)


def complete(outcome: Outcome, kind: str, what: str) -> dict[str, Path]:
    """Return the pieces of a kind in order; a corpus with holes is not the one asked for."""
    failed = {name: why for name, why in outcome.failed.items() if name.startswith(kind)}
    if failed:
        name, reason = next(iter(failed.items()))
        raise DataError(
            f"{len(failed)} {what} could not be made; the first, {name[len(kind) :]}: {reason}"
        )
    done = outcome.done.items()
    return {name[len(kind) :]: path for name, path in done if name.startswith(kind)}
