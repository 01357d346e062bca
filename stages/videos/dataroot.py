"""What lies where below a data root in the layout of Aff-Wild2.

Videos may lie in any folder. ``AU_Detection_Challenge/{Train_Set,Validation_Set,Test_Set}`` holds
``NAME.txt``, ``AU_Intensity`` with the same folders may hold intensities; a text file may list the
names of the AU track's test set (:mod:`stages.videos.test_sets` says which);
``cropped_aligned/NAME`` and ``cropped_aligned_new_50_vids/NAME`` hold published crops;
``people.csv`` (columns name, person) says who is seen.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from stages.core.errors import DataError, is_of_the_machine
from stages.videos.manifest import check_name
from stages.videos.test_sets import choose_lists, kind_of, read_list, track_of
from stages.videos.video import EXTENSIONS

CHALLENGE = "AU_Detection_Challenge"
SET_FOLDERS = {"Train_Set": "train", "Validation_Set": "validation", "Test_Set": "test"}
INTENSITY = "AU_Intensity"
CROP_FOLDERS = ("cropped_aligned", "cropped_aligned_new_50_vids")
PEOPLE = "people.csv"
SIDE_SUFFIXES = {"_left": "left", "_right": "right"}


@dataclass
class DataRoot:
    """What was found; all paths relative to the root, with forward slashes.

    Attributes
    ----------
    videos : dict of str to str
        Path of each video by its stem.
    annotations : dict of str to (str, str)
        Split and path of each annotation file by its name.
    test_names : set of str
        Names that a list of the test set holds.
    intensities : dict of str to str
        Path of each file of intensities by its name.
    crops : dict of str to str
        Folder of published crops by its name.
    people : dict of str to str
        Person by name.
    unreadable : dict of str to str
        What was left out, with the reason as a sentence.
    """

    videos: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, tuple[str, str]] = field(default_factory=dict)
    test_names: set[str] = field(default_factory=set)
    intensities: dict[str, str] = field(default_factory=dict)
    crops: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def video_of(self, name: str) -> str | None:
        """Stem of the video that an annotated face belongs to, None where there is none."""
        if name in self.videos:
            return name
        for suffix in SIDE_SUFFIXES:
            stem = name.removesuffix(suffix)
            if stem != name and stem in self.videos:
                return stem
        return None


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders of a root in a fixed order; links are followed, but no folder is seen twice."""
    seen: set[Path] = set()
    for name, folders, files in os.walk(root, followlinks=True):
        folder = Path(name)
        if folder.resolve() in seen:
            folders.clear()
            continue
        seen.add(folder.resolve())
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield folder, folders, sorted(f for f in files if not f.startswith("."))


def look(root: Path) -> DataRoot:
    """Find everything below a data root.

    Parameters
    ----------
    root : Path
        Folder.

    Returns
    -------
    DataRoot

    Raises
    ------
    DataError
        If the folder is missing or holds neither a video nor published crops, or lists of the test
        set contradict each other.
    """
    if not root.is_dir():
        raise DataError(
            f"The data root {root} is not a folder: set data.root to where the data is."
        )
    found = DataRoot()
    videos: dict[str, list[str]] = {}
    lists: dict[str, frozenset[str]] = {}
    for folder, folders, files in _walk(root):
        place = folder.relative_to(root)
        if folder.name in CROP_FOLDERS:
            _take_crops(found, place, folders)
            folders.clear()  # millions of pictures
            continue
        in_set = folder.parent.name == CHALLENGE and folder.name in SET_FOLDERS
        for file in files:
            path = (place / file).as_posix()
            # two systems spell an accented letter in two ways: a video and its annotation may
            stem = normalize("NFC", Path(file).stem)
            extension = Path(file).suffix.lower()
            if extension in EXTENSIONS:
                videos.setdefault(stem, []).append(path)
            elif extension == ".txt" and in_set:
                _take_annotation(found, SET_FOLDERS[folder.name], stem, path)
            elif extension == ".txt" and INTENSITY in (folder.name, folder.parent.name):
                _take_intensity(found, stem, path)
            elif extension == ".txt":
                _take_test_list(found, root, path, lists)
    if not videos and not found.crops:
        raise DataError(
            f"The data root {root} holds no video ({', '.join(EXTENSIONS)}) and no published "
            f"crops ({CROP_FOLDERS[0]}/NAME): set data.root to where the data is."
        )
    for stem, paths in videos.items():
        _take_video(found, stem, paths)
    for path in choose_lists(lists, found.unreadable):
        found.test_names |= lists[path]
    _take_people(found, root)
    return found


def _refused(found: DataRoot, name: str, path: str) -> bool:
    try:
        check_name(name)
    except DataError as error:
        shown = os.fsencode(path).decode("utf-8", "replace")  # names may be bytes of any kind
        found.unreadable[shown] = str(error)
        return True
    return False


def _take_video(found: DataRoot, stem: str, paths: list[str]) -> None:
    if _refused(found, stem, paths[0]):
        return
    if len(paths) > 1:
        for path in paths:
            others = ", ".join(other for other in paths if other != path)
            found.unreadable[path] = f"The same name as {others}: rename or remove all but one."
        return
    found.videos[stem] = paths[0]


def _take_annotation(found: DataRoot, split: str, name: str, path: str) -> None:
    if _refused(found, name, path):
        return
    if name in found.annotations:
        other = found.annotations[name][1]
        found.unreadable[path] = f"{other} annotates the same name and is used: remove one of them."
        return
    found.annotations[name] = (split, path)


def _take_intensity(found: DataRoot, name: str, path: str) -> None:
    if _refused(found, name, path):
        return
    if name in found.intensities:
        other = found.intensities[name]
        found.unreadable[path] = f"{other} holds intensities of the same name and is used."
        return
    found.intensities[name] = path


def _take_crops(found: DataRoot, place: Path, folders: list[str]) -> None:
    for folder in folders:
        path, name = (place / folder).as_posix(), normalize("NFC", folder)
        if _refused(found, name, path):
            continue
        if name in found.crops:
            found.unreadable[path] = f"{found.crops[name]} holds the same crops and is used."
            continue
        found.crops[name] = path


def _take_test_list(
    found: DataRoot, root: Path, path: str, lists: dict[str, frozenset[str]]
) -> None:
    kind, track = kind_of(path), track_of(path)
    if kind == "none" or (kind == "list" and track == "other"):
        return
    if kind == "unclear" or track == "mixed":
        found.unreadable[path] = (
            "Whether it lists the AU track's test set cannot be told from its name: "
            "if so, call it AU_test_set.txt."
        )
        return
    try:
        rows = read_list(root / path)
    except DataError as error:
        found.unreadable[path] = str(error)
        return
    names = {
        normalize("NFC", name)
        for number, name in rows
        if not _refused(found, name, f"{path}, line {number}")
    }
    lists[path] = frozenset(names)


def _take_people(found: DataRoot, root: Path) -> None:
    if not (root / PEOPLE).is_file():
        return
    try:
        with (root / PEOPLE).open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if not {"name", "person"} <= set(table.fieldnames or ()):
                found.unreadable[PEOPLE] = "Its first line must name the columns name and person."
                return
            for row in table:
                name, person = (row["name"] or "").strip(), (row["person"] or "").strip()
                if name and person:
                    found.people[normalize("NFC", name)] = person
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        if is_of_the_machine(error):
            raise
        found.unreadable[PEOPLE] = f"It cannot be read as a table ({error})."
