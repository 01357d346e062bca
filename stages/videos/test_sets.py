"""Which text files of a data root list the names of the AU track's test set.

The challenge hands out ``names_of_videos_in_each_test_set`` with one list per track
(``Action_Unit_Detection_Challenge_test_set_release.txt`` beside those of expressions and of valence
and arousal). Others keep ``AU_test_set_release.txt`` or a ``test_set.txt`` of their own.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from stages.core.errors import DataError, is_of_the_machine

OFFICIAL: Final = "names_of_videos_in_each_test_set"
_AU: Final = {"au", "aus"}
_OTHERS: Final = {"expr", "exp", "expression", "expressions", "va", "valence", "arousal", "mtl",
                  "multi", "multitask", "eri", "compound"}  # fmt: skip
_LISTS: Final = {"set", "list", "names", "videos", "release"}
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

Track = Literal["au", "other", "mixed", ""]
Kind = Literal["list", "unclear", "none"]


def _words(name: str) -> list[str]:
    text = re.sub(r"(?i)test(?=set|list|names|videos)", "Test_", name)
    return [word.lower() for word in _WORD.findall(text)]


def _track_of(name: str) -> Track:
    words = set(_words(name))
    au = bool(words & _AU or {"action", "unit"} <= words)
    other = bool(words & _OTHERS)
    return "mixed" if au and other else "au" if au else "other" if other else ""


def track_of(path: str) -> Track:
    """Track that a list belongs to by its name, else by the nearest folder that names one.

    Parameters
    ----------
    path : str
        Relative to the data root, with forward slashes.

    Returns
    -------
    {"au", "other", "mixed", ""}
        ``mixed`` where one name has more than one track, empty where none is named.
    """
    place = PurePosixPath(path)
    for name in (place.stem, *(folder.name for folder in place.parents)):
        if track := _track_of(name):
            return track
    return ""


def kind_of(path: str) -> Kind:
    """Whether a text file is a list of test names: by words of its name, not by parts of words."""
    place = PurePosixPath(path)
    words = _words(place.stem)
    if place.parent.name == OFFICIAL:
        return "list" if track_of(path) in ("au", "other") else "unclear"
    if "test" not in words:
        return "none"
    return "list" if _LISTS & set(words) or words == ["test"] else "unclear"


def read_list(file: Path) -> list[tuple[int, str]]:
    """Read a list of names, one a line.

    Returns
    -------
    list of (int, str)
        Number of the line, from 1, and the name.

    Raises
    ------
    DataError
        If the file is not plain text, or is a table, as a sample submission is.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        if is_of_the_machine(error):
            raise
        raise DataError("The list of test names is not plain text: save it as UTF-8.") from None
    if any("," in line for line in lines[:2]):
        raise DataError("It is a table, not a list of test names, one a line: it is not read.")
    names = ((number, line.strip().removesuffix("/")) for number, line in enumerate(lines, start=1))
    return [(number, name) for number, name in names if name]


def choose_lists(lists: Mapping[str, frozenset[str]], unreadable: dict[str, str]) -> Iterator[str]:
    """Choose the list of the AU track among the lists that are of no other track.

    Parameters
    ----------
    lists : mapping of str to frozenset of str
        Names that each list holds, by the list's path.
    unreadable : dict of str to str
        Takes the reason for each list that is not used.

    Yields
    ------
    str
        Path of each list that counts; all of them hold the same names.

    Raises
    ------
    DataError
        When two lists with equal right differ.
    """
    named = {path: names for path, names in lists.items() if track_of(path) == "au"}
    chosen = named or lists
    if len(set(chosen.values())) > 1:
        raise DataError(
            f"These lists of the test set differ: {', '.join(sorted(chosen))}. Which one is the AU "
            "track's cannot be told: keep one of them below the data root."
        )
    for path in sorted(lists):
        if path in chosen:
            yield path
        else:
            unreadable[path] = (
                f"Not read: {sorted(chosen)[0]} is the AU track's list of test names."
            )
