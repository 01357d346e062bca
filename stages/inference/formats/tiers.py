"""Results for annotation tools: ELAN's .eaf and Praat's TextGrid, a tier a person and AU.

An annotation says how strong the AU gets, 0 to 5. Times are those of a player: 0 is where the
file begins.
"""

from __future__ import annotations

import importlib
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from stages.core.errors import SettingsError
from stages.core.facs import N_AUS
from stages.inference.formats.episodes import Episode
from stages.inference.formats.recording import Recording

ELAN = ("pympi.Elan", "pympi-ling")  # module and package
PRAAT = ("praatio.textgrid", "praatio")
EPOCH = "1970-01-01T00:00:00+00:00"  # the same bytes whenever it is written


def needs(module: str, package: str) -> ModuleType:
    """Import what a format is written with.

    Raises
    ------
    SettingsError
        When it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise SettingsError(
            f"This format needs the package {package}: pip install 'aufusion[formats]'."
        ) from None


def _tiers(recording: Recording) -> Iterator[tuple[str, list[Episode]]]:
    """Tiers of everyone, those without an episode too: absence is a finding."""
    for person in recording.people:
        for au in range(N_AUS):
            mine = [one for one in recording.episodes if (one.face_id, one.au) == (person, au)]
            yield recording.tier(person, au), mine


def write_elan(recording: Recording, paths: Mapping[str, Path]) -> None:
    """Write ELAN's annotations, in whole milliseconds."""
    elan = needs(*ELAN)
    document = elan.Eaf(author="AUFusion")
    document.adocument["DATE"] = EPOCH
    kind = mimetypes.guess_type(recording.media)[0] or "video/unknown"
    # ELAN looks beside the file itself
    beside = f"./{quote(recording.media)}"
    document.add_linked_file(beside, beside, kind)
    document.remove_tier("default")
    for name, episodes in _tiers(recording):
        document.add_tier(name)
        for one in episodes:
            start = max(round(1000 * (one.onset - recording.start)), 0)
            stop = max(round(1000 * (one.offset - recording.start)), start + 1)
            document.add_annotation(name, start, stop, f"{one.peak:.1f}")
    document.to_file(str(paths[".eaf"]))


def write_textgrid(recording: Recording, paths: Mapping[str, Path]) -> None:
    """Write Praat's TextGrid, in the long format."""
    textgrid = needs(*PRAAT)
    end = round(recording.span[1] - recording.start, 6)
    grid = textgrid.Textgrid(0, end)
    for name, episodes in _tiers(recording):
        entries = [
            textgrid.constants.Interval(
                round(max(one.onset - recording.start, 0.0), 6),
                round(one.offset - recording.start, 6),
                f"{one.peak:.1f}",
            )
            for one in episodes
        ]
        grid.addTier(textgrid.IntervalTier(name, entries, 0, end))
    # no shortest length: an AU of one frame of a fast camera is one, too
    grid.save(str(paths[".TextGrid"]), "long_textgrid", True, minimumIntervalLength=None)
