"""The clips of the corpus laid out as a data root, with labels and what is special about each."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.facs import AFF_WILD2_BASE_RATES, ANNOTATION_HEADER, AU_NAMES, N_AUS
from stages.core.files import replacing_folder, write_rows
from stages.synthesis.performance.courses import KINDS
from stages.synthesis.performance.pitfalls import MEANINGS, annotation_lines
from stages.synthesis.performance.plan import SPLITS, Clip, voice_of
from stages.synthesis.performance.script import play, speech_of


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
