"""Generate the corpus: talking heads with exact AU labels, labelled still faces, and speech.

In: nothing but settings. Out: ``data/corpus/videos``, a data root in the layout of Aff-Wild2
(``batch1/*.mp4``, ``AU_Detection_Challenge/SPLIT/NAME.txt``, ``AU_Intensity/SPLIT/NAME.txt`` with
intensities of 0 to 5, ``people.csv``) with the pitfalls of
real collections listed in ``ground_truth.csv``; ``data/corpus/faces.h5``, stills of people who
appear in no clip; ``data/corpus/speech.h5``, speech with phonemes.

Run it with ``dvc repro corpus``.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.console import run_stage, say
from stages.core.errors import DataError, SettingsError
from stages.core.facs import AFF_WILD2_BASE_RATES, ANNOTATION_HEADER, AU_NAMES, N_AUS
from stages.core.files import replacing, replacing_folder, write_rows
from stages.core.hashing import identity_of
from stages.core.parallel import Outcome, map_videos, partial_folder
from stages.core.paths import CORPUS_FACES, CORPUS_SPEECH, CORPUS_VIDEOS
from stages.settings.params import Corpus, load_params
from stages.synthesis.clips import render_clip
from stages.synthesis.performance.courses import KINDS
from stages.synthesis.performance.pitfalls import MEANINGS, annotation_lines
from stages.synthesis.performance.plan import SPLITS, Clip, Settings, plan_clips, voice_of
from stages.synthesis.performance.script import play, speech_of
from stages.synthesis.render.portrait import head_bank
from stages.synthesis.speech_data import Speaker, join_speakers, write_speaker
from stages.synthesis.stills import StillPerson, join_stills, write_stills

MIN_PEOPLE = 2  # one for training, one for validation

# How the names of pieces begin. All go to the workers together, in the order of their names: the
# longest first and the shortest last, so that no core waits long for the others at the end.
CLIP, FACES, SPEECH = "clip-", "faces-", "speech-"
Piece = Clip | StillPerson | Speaker


def settings_of(corpus: Corpus) -> Settings:
    """Settings of the clips, checked.

    Raises
    ------
    SettingsError
        When there are too few clips or people, or the pictures cannot be encoded.
    """
    people = corpus.people if corpus.people is not None else corpus.clips
    if not MIN_PEOPLE <= people <= corpus.clips:
        raise SettingsError(
            f"corpus.people = {people}, corpus.clips = {corpus.clips}: at least {MIN_PEOPLE} "
            "people, one for training and one for validation, and at most one for each clip."
        )
    if corpus.resolution % 2 or corpus.resolution < 64:
        raise SettingsError(f"corpus.resolution = {corpus.resolution}: an even number from 64 on.")
    return Settings(
        seed=corpus.seed,
        clips=corpus.clips,
        people=people,
        seconds=corpus.seconds,
        test_clips=corpus.test_clips,
        test_seconds=corpus.test_seconds,
        frame_rate=corpus.frame_rate,
        resolution=corpus.resolution,
    )


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


def intensity_rows(intensity: NDArray[np.float64]) -> list[list[str]]:
    """Write intensities, (lines, 12) from 0 to 5, as text; -1 where not known.

    Rounded down, so that no intensity reaches the level of presence which its label does not.
    """
    return [
        ["-1" if np.isnan(value) else f"{np.floor(1000 * value) / 1000:.3f}" for value in row]
        for row in intensity
    ]


def write_annotations(clips: Sequence[Clip], root: Path) -> NDArray[np.int64]:
    """Write the annotation of every person in every clip, presence and intensity.

    Parameters
    ----------
    clips : sequence of Clip
        All clips.
    root : Path
        The data root.

    Returns
    -------
    (2, 12) int64 np.ndarray
        For each AU, the annotated frames, and those among them in which it is visible.
    """
    counts = np.zeros((2, N_AUS), np.int64)
    for clip in clips:
        folders = [root / kind / clip.split for kind in ("AU_Detection_Challenge", "AU_Intensity")]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for name, script in zip(clip.names, clip.scripts, strict=True):
            tracks = play(script, clip.times(), speech_of(script))
            labels = tracks.labels
            presence = annotation_lines(labels, clip.pitfall).astype(str).tolist()
            strength = intensity_rows(annotation_lines(tracks.known_intensity, clip.pitfall))
            for folder, lines in zip(folders, (presence, strength), strict=True):
                text = "\n".join([ANNOTATION_HEADER, *(",".join(line) for line in lines)])
                (folder / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
            counts += np.stack([(labels >= 0).sum(axis=0), (labels == 1).sum(axis=0)])
    return counts


def write_tables(clips: Sequence[Clip], root: Path) -> None:
    """Write who is seen under which name, and what is special about each clip."""
    people: list[Sequence[object]] = [("name", "person")]
    truth: list[Sequence[object]] = [
        ("name", "video", "split", "person", "course", "pitfall", "accent", "voice", "lines")
    ]
    for clip in clips:
        for name, person, script in zip(clip.names, clip.people, clip.scripts, strict=True):
            voice = voice_of(clip.settings.seed, person)
            video = f"{clip.folder}/{clip.stem}.mp4"
            people.append((name, person_name(person)))
            truth.append(
                (name, video, clip.split, person_name(person), clip.course,
                 clip.pitfall or "", voice.accent, voice.variant, len(script.lines))
            )  # fmt: skip
    write_rows(root / "people.csv", people)
    write_rows(root / "ground_truth.csv", truth)


def person_name(person: int) -> str:
    """Name of a person of the clips."""
    return f"person{person:04d}"


def summary(clips: Sequence[Clip], counts: NDArray[np.int64]) -> str:
    """Tell what the corpus holds: sizes, base rates beside Aff-Wild2's, pitfalls."""
    seconds = sum(clip.scripts[0].duration for clip in clips)
    people = {person for clip in clips for person in clip.people}
    sizes = ", ".join(
        f"{sum(clip.split == split for clip in clips)} {split.split('_')[0].lower()}"
        for split in SPLITS
    )
    lines = [
        f"{len(clips)} clips ({sizes}), {len(people)} people, {seconds:.0f} seconds,"
        f" {counts[0, 0]} annotated frames",
        f"{'':6s}{'corpus':>8s}{'Aff-Wild2':>11s}   share of annotated frames, %",
    ]
    rates = counts[1] / np.maximum(counts[0], 1)
    for name, rate in zip(AU_NAMES, rates, strict=True):
        lines.append(f"{name:6s}{100 * rate:8.1f}{100 * AFF_WILD2_BASE_RATES[name]:11.1f}")
    kinds = (f"{sum(clip.course == kind for clip in clips)} {kind}" for kind in KINDS)
    lines.append(f"course of expressions: {', '.join(kinds)}")
    for pitfall, meaning in MEANINGS.items():
        stems = [clip.stem for clip in clips if clip.pitfall == pitfall]
        lines.append(f"{meaning}: {', '.join(stems) or '(too few clips for it)'}")
    return "\n".join(lines)


def assemble_videos(
    clips: Sequence[Clip], videos: Mapping[str, Path], root: Path
) -> NDArray[np.int64]:
    """Lay out the data root; it takes its name only when it is whole."""
    with replacing_folder(root) as temporary:
        for folder in ("batch1", "batch2"):
            (temporary / folder).mkdir()
        for clip in clips:
            shutil.copyfile(videos[clip.stem], temporary / clip.folder / f"{clip.stem}.mp4")
        counts = write_annotations(clips, temporary)
        write_tables(clips, temporary)
    return counts


def main() -> None:
    """Run the stage: read the settings, make the pieces, put them together."""
    params = load_params()
    corpus, workers = params.corpus, params.compute.workers
    settings = settings_of(corpus)
    with partial_folder("corpus", identity_of("stages.corpus", corpus.model_dump())) as folder:
        head_bank()  # built here if it must be: the workers would all build it at once
        clips = plan_clips(settings)
        work: dict[str, Piece] = {CLIP + clip.stem: clip for clip in clips}
        work |= {FACES + name: person for name, person in still_people(corpus).items()}
        work |= {SPEECH + name: speaker for name, speaker in speakers(corpus).items()}
        pieces = folder / "pieces"
        pieces.mkdir(exist_ok=True)
        outcome = map_videos(
            make_piece, work, pieces, suffix="", workers=workers, description="corpus",
            initializer=one_thread,
        )  # fmt: skip
        videos = complete(outcome, CLIP, "clips")
        CORPUS_VIDEOS.parent.mkdir(parents=True, exist_ok=True)
        for path, join, kind, what in (
            (CORPUS_SPEECH, join_speakers, SPEECH, "speakers"),
            (CORPUS_FACES, join_stills, FACES, "people's faces"),
        ):
            with replacing(path) as temporary:
                join(temporary, list(complete(outcome, kind, what).values()))
        counts = assemble_videos(clips, videos, CORPUS_VIDEOS)
    say(summary(clips, counts))


if __name__ == "__main__":
    run_stage(main)
