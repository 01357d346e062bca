"""Find, follow and cut out the annotated face of every video.

In: ``data/index``, and the videos that it lists with their hashes. Out: ``data/crops``, one file
per entry of the manifest (layout: ``stages/crops/crop_file.py``) with one row per decoded frame:
the face aligned to the 112x112 ArcFace template as JPEG, or ``no_face``. Run: ``dvc repro crop``.
"""

from __future__ import annotations

from pathlib import Path

from stages.check_settings import load_params
from stages.core import paths
from stages.core.attempts import try_again
from stages.core.console import run_stage, say
from stages.core.errors import DataError
from stages.core.files import link_or_copy, replacing_folder
from stages.core.hashing import identities_of
from stages.core.licences import enforce
from stages.core.parallel import map_videos
from stages.core.partial import kept_folder
from stages.crops.published import listing_hash, picture_sizes
from stages.faces.cropping import Task, crop_entry, summary
from stages.faces.detector import detector_use, load_detector
from stages.videos.manifest import Manifest, times_hash


def main() -> None:
    """Write ``data/crops``."""
    params = load_params()
    manifest = Manifest.load(paths.INDEX)
    settings, root = params.crop, Path(manifest.root)
    tasks = {
        entry.name: Task(entry, root, paths.INDEX, settings, params.compute.device)
        for entry in manifest.entries
    }
    if settings.source == "detect" and all(e.video is None for e in manifest.entries):
        raise DataError(
            f"The data root {root} holds published crops and no video to find faces in: "
            "set crop.source to cropped_aligned."
        )
    if any(task.source == "detect" for task in tasks.values()):
        use = detector_use(settings.detector, settings.pack)
        enforce(params.licences.noncommercial, [use])
    if settings.source == "detect":
        # missing weights are said once, before the work, not once for each video
        load_detector(
            settings.detector, settings.pack, settings.score_threshold, params.compute.device
        )
    identities = identities_of(
        "stages.crop",
        settings.model_dump(),
        {
            name: [
                task.attributes,
                task.entry.side,
                times_hash(paths.INDEX, name),
                listing_hash(picture_sizes(task.pictures)) if task.pictures else "",
            ]
            for name, task in tasks.items()
        },
    )
    with kept_folder("crop") as kept:
        outcome = map_videos(
            crop_entry,
            tasks,
            kept,
            suffix=".h5",
            workers=params.compute.workers,
            description="videos cropped",
            compute=params.compute,
            on_device=True,
            identities=identities,
        )
        if not outcome.done:
            reasons = "\n".join(f"  {name}: {why}" for name, why in outcome.failed.items())
            raise DataError(f"No video could be cropped:\n{reasons}")
        with replacing_folder(paths.CROPS) as folder:
            for piece in outcome.done.values():
                link_or_copy(piece, folder / piece.name)
        files = {name: paths.CROPS / piece.name for name, piece in outcome.done.items()}
    say(summary(files, outcome.failed))
    if outcome.failed:
        try_again("crop")


if __name__ == "__main__":
    run_stage(main)
