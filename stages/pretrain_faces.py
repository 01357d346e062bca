"""Gather the labelled faces that visual encoders are pre-trained on (`dvc repro pretrain_faces`).

In: `data.faces`, the generated faces or a CSV of a user's own pictures
(:mod:`stages.faces.label_table`). Out: data/faces.h5, a crop file (``stages/crops/crop_file.py``)
with the labels of its rows, and data/faces_left_out.txt, the lines of the CSV that were left out,
with the reason. The generated faces are taken over as they are; a user's also get their licence.

DVC watches the CSV, not the pictures that it names: after changing pictures alone, run
`dvc repro -f pretrain_faces`.
"""

import shutil
from pathlib import Path

import h5py

from stages.check_settings import Params, load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import DataError
from stages.core.files import replacing, write_text
from stages.core.hashing import file_hash, identity_of
from stages.core.licences import (
    DATA,
    GENERATED,
    Dataset,
    as_attribute,
    data_use,
    enforce,
    faces_data,
)
from stages.core.parallel import map_videos
from stages.core.partial import partial_folder
from stages.crops.crop_file import CropReader
from stages.faces.detector import detector_use, load_detector
from stages.faces.label_files import Work, join_faces, write_faces
from stages.faces.label_table import Table, read_table

CHUNK = 256  # pictures in a piece of work
SHOWN = 20  # lines that are printed of what was left out


def take_over(source: Path, path: Path, data: Dataset) -> None:
    """Copy a file of faces that is there already; one of a user's own also gets its terms.

    Raises
    ------
    DataError
        When it is none.
    """
    if not source.is_file():
        raise DataError(
            f"{source} is missing: check the setting `data.faces`, or run `dvc repro corpus`."
        )
    CropReader(source).close()
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)
        if data != GENERATED:
            with h5py.File(temporary, "r+") as file:
                file.attrs[DATA] = as_attribute([data])


def gather(params: Params, table: Table, path: Path) -> dict[int, str]:
    """Find and align the faces of a table's pictures, on all cores; see :func:`join_faces`."""
    settings, device = params.crop, params.compute.device
    # here once, so that missing weights are one error and not one a piece
    load_detector(settings.detector, settings.pack, settings.score_threshold, device)
    chunks = {
        f"{first:08d}": table.rows[first : first + CHUNK]
        for first in range(0, len(table.rows), CHUNK)
    }
    work = {name: Work(rows, settings, device) for name, rows in chunks.items()}
    identity = identity_of(
        "stages.pretrain_faces",
        [
            file_hash(params.data.faces),
            str(params.data.faces),
            params.data.faces_expressions,
            settings.model_dump(),
        ],
    )
    with partial_folder("stills", identity) as folder:
        outcome = map_videos(
            write_faces,
            work,
            folder,
            suffix=".h5",
            workers=params.compute.workers,
            description="stills",
            compute=params.compute,
            on_device=True,
        )
        failed = {
            row.line: reason for name, reason in outcome.failed.items() for row in chunks[name]
        }
        pieces = [(piece, chunks[name]) for name, piece in outcome.done.items()]
        data = faces_data(params.data.faces, params.data.faces_licence)
        return {**failed, **join_faces(path, pieces, {DATA: as_attribute([data])})}


def main() -> None:
    """Gather the faces that `data.faces` names; what is wrong with a picture is said by line."""
    params = load_params()
    source, path = params.data.faces, paths.FACES
    data, policy = faces_data(source, params.data.faces_licence), params.licences.noncommercial
    enforce(policy, [data_use("data.faces", data)])
    left_out: dict[int, str] = {}
    path.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix.lower() == ".csv":
        enforce(policy, [detector_use(params.crop.detector, params.crop.pack)])
        table = read_table(source, params.data.faces_expressions)
        left_out = {**table.left_out, **gather(params, table, path)}
        used = len(table.rows) + len(table.left_out) - len(left_out)
        say(f"{source}: {used} faces; {len(left_out)} lines left out")
        nameless = sum(not row.person for row in table.rows)
        if nameless:
            say(
                f"{source}: {nameless} of {len(table.rows)} lines name no person. Each such "
                "picture counts as somebody of its own, so the held-out faces, which choose the "
                "epoch, may be of people that are learnt from: fill in `person` if you can"
            )
        if table.ignored:
            say(f"{source}: columns that are not used: {', '.join(table.ignored)}")
    else:
        take_over(source, path, data)
    lines = [f"line {line}: {left_out[line]}" for line in sorted(left_out)]
    for line in lines[:SHOWN]:
        say(f"  {line}")
    if len(lines) > SHOWN:
        say(f"  and {len(lines) - SHOWN} more: {paths.FACES_LEFT_OUT}")
    write_text(paths.FACES_LEFT_OUT, "".join(f"{line}\n" for line in lines))
    if not path.is_file():
        raise DataError(f"{source} names no picture with a face and a label: see above.")


if __name__ == "__main__":
    run_stage(main)
