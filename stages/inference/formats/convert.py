"""`aufusion convert RESULT --to FORMAT`, and `--format` of predict.

What is written for ``NAME`` is named, with hashes, by ``NAME.formats.json``: by that a later run
knows its files for ours and replaces them; files of others it leaves alone and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from stages.core.console import say
from stages.core.errors import DataError, SettingsError
from stages.core.files import temporary_path
from stages.core.hashing import file_hash
from stages.inference.baseline import as_intensities, check_seconds
from stages.inference.formats import tables, tiers
from stages.inference.formats.recording import Recording
from stages.inference.outputs import Outputs, discard, sentences
from stages.inference.records import named_hashes
from stages.inference.results import read_about

RECORD: Final = ".formats.json"
KIND: Final = "aufusion formats"


@dataclass(frozen=True)
class Format:
    """A format that results can be written in.

    Attributes
    ----------
    endings : tuple of str
        Of the files that are written for NAME.
    write : callable
        ``write(recording, paths)`` writes the file of each ending to its path.
    course : bool
        Whether it tells of a course over time, which a photo has not.
    needs : (str, str) or None
        Module and package that it is written with.
    """

    endings: tuple[str, ...]
    write: Callable[[Recording, Mapping[str, Path]], None]
    course: bool = True
    needs: tuple[str, str] | None = None


FORMATS: Final[dict[str, Format]] = {
    "openface": Format((".openface.csv",), tables.write_openface, course=False),
    "table": Format((".table.csv",), tables.write_table, course=False),
    "events": Format((".events.csv",), tables.write_events),
    "summary": Format((".summary.csv",), tables.write_summary, course=False),
    "bids": Format(("_events.tsv", "_events.json"), tables.write_bids),
    "elan": Format((".eaf",), tiers.write_elan, needs=tiers.ELAN),
    "textgrid": Format((".TextGrid",), tiers.write_textgrid, needs=tiers.PRAAT),
    "boris": Format((".boris.csv",), tables.write_boris),
}
ENDINGS: Final = tuple(ending for one in FORMATS.values() for ending in one.endings)
_RESULTS: Final = (".parquet", ".csv", ".json")  # what a result may be named by


def check_formats(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, each once.

    Raises
    ------
    SettingsError
        When one is none of :data:`FORMATS`, or what it is written with is not installed.
    """
    for name in names:
        if name not in FORMATS:
            raise SettingsError(f"There is no format {name!r}; allowed: {', '.join(FORMATS)}.")
        package = FORMATS[name].needs
        if package is not None:
            tiers.needs(*package)
    return tuple(dict.fromkeys(names))


def record_of(folder: Path, name: str) -> Outputs:
    """Claim of what is written for a name in other formats."""
    return Outputs(folder, name, KIND, ENDINGS, record=RECORD)


def open_result(path: Path) -> Recording:
    """Find a prediction by one of its files.

    Raises
    ------
    DataError
        When it is none of ours.
    """
    if path.suffix.lower() not in _RESULTS:
        raise DataError(
            f"{path} is no result: name NAME.parquet, NAME.csv or NAME.json of `aufusion predict`, "
            "or their folder."
        )
    table = path
    if path.suffix.lower() == ".json":
        found = [path.with_suffix(ending) for ending in _RESULTS[:2]]
        there = [one for one in found if one.is_file()]
        if read_about(path) is None or not there:
            raise DataError(f"{path} is no result of `aufusion predict`, or its table is missing.")
        table = there[0]
    if not table.is_file():
        raise DataError(f"{table} is not there: predict the video first.")
    return Recording(table, table.stem, read_about(table.with_suffix(".json")) or {})


def find_results(given: Sequence[Path]) -> list[Path]:
    """List results among files and folders: of a folder all that its ``NAME.json`` tell of.

    Raises
    ------
    DataError
        When a folder holds none.
    """
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [one for one in sorted(path.rglob("*.json")) if read_about(one) is not None]
        if not inside:
            raise DataError(f"{path} holds no result of `aufusion predict`.")
        found += inside
    return list(dict.fromkeys(found))


def convert(recording: Recording, names: Sequence[str], folder: Path) -> list[Path]:
    """Write a prediction in other formats; what is there already and of it stays.

    Parameters
    ----------
    recording : Recording
    names : sequence of str
        Keys of :data:`FORMATS`.
    folder : Path
        Made where it is missing.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    DataError
        When files that are not ours bear the names, a package is missing, or a photo is to be
        written in a format that tells of time.
    """
    for name in names:
        if FORMATS[name].course and recording.photo:
            raise DataError(
                f"{recording.media} is a photo and has no course over time for {name}: "
                f"{', '.join(key for key, one in FORMATS.items() if not one.course)} are possible."
            )
    written: list[Path] = []
    made_of = file_hash(recording.table)
    more = {}
    if recording.baseline is not None:
        rest = as_intensities(recording.rest)
        more = {"baseline": {"seconds": recording.baseline, "intensities": rest}}
    with record_of(folder, recording.label) as outputs:
        drop_stale(outputs, {"of": made_of, **more})
        for name in names:
            endings = FORMATS[name].endings
            if not outputs.is_whole(*endings):
                outputs.refuse_others(RECORD, *endings)
                paths = {ending: temporary_path(outputs.path(ending)) for ending in endings}
                try:
                    with sentences(outputs.path(endings[0])):
                        FORMATS[name].write(recording, paths)
                    if file_hash(recording.table) != made_of:
                        raise DataError(f"{recording.table} changed while it was read: try again.")
                    outputs.put({"of": made_of, **more}, paths, keep=True)
                finally:
                    discard(list(paths.values()))
            written += [outputs.path(ending) for ending in endings]
    return written


def forget_earlier(table: Path, folder: Path, name: str) -> None:
    """Remove what was written in other formats of an earlier prediction of the same name."""
    for label in (name, f"{name}.baseline"):
        if (folder / f"{label}{RECORD}").exists():
            with record_of(folder, label) as outputs:
                drop_stale(outputs, {"of": file_hash(table)})


def drop_stale(outputs: Outputs, origin: Mapping[str, Any]) -> None:
    """Remove our files that were made otherwise: of a table with another SHA-256, say."""
    about = outputs.about
    if about is None or all(about.get(key) == value for key, value in origin.items()):
        return
    mine = [ending for ending in ENDINGS if outputs.path(ending).name in named_hashes(about)]
    for ending in mine:
        if outputs.is_whole(ending):
            outputs.path(ending).unlink()
    outputs.path(RECORD).unlink()


def convert_all(
    given: Sequence[Path], names: Sequence[str], out: Path | None, baseline: float | None = None
) -> list[Path]:
    """Write results in other formats, beside themselves or in a folder.

    Parameters
    ----------
    given : sequence of Path
        Results and folders of them.
    names : sequence of str
        Keys of :data:`FORMATS`.
    out : Path or None
    baseline : float or None
        Seconds of rest that are subtracted of each person; said on the terminal.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    DataError, SettingsError
        See :func:`convert` and :func:`check_formats`.
    """
    formats = check_formats(names)
    check_seconds(baseline)
    recordings = [replace(open_result(path), baseline=baseline) for path in find_results(given)]
    places: dict[Path, Path] = {}
    written: list[Path] = []
    for recording in recordings:
        folder = out if out is not None else recording.table.parent
        target = folder.resolve() / recording.label
        if target in places and places[target].with_suffix("") != recording.table.with_suffix(""):
            raise DataError(
                f"{places[target]} and {recording.table} have the same name: convert them into "
                "folders of their own."
            )
        places[target] = recording.table
        written += convert(recording, formats, folder)
        for remark in recording.remarks:
            say(remark)
    return written
