"""Which annotated faces the files of a data root name, and which face of a picture each is."""

from stages.videos.dataroot import SIDE_SUFFIXES, DataRoot


def faces_of_videos(found: DataRoot) -> dict[str, list[str]]:
    """Names of the annotated faces of each video, by its stem.

    Annotations, names of the test set and folders of published crops name faces; a video that none
    of them names has one face, named like itself.
    """
    faces: dict[str, set[str]] = {stem: set() for stem in found.videos}
    for name in (*found.annotations, *found.test_names, *found.crops):
        stem = found.video_of(name)
        if stem is not None:
            faces[stem].add(name)
    return {stem: sorted(names) or [stem] for stem, names in faces.items()}


def faces_of_crops(found: DataRoot) -> dict[str, list[str]]:
    """Names of published crops whose video is not there, by the stem that it would have.

    Whether a name that ends like a side is a side cannot be told without the video; it counts as
    one, so that both people of a video stay on one side of every split.
    """
    faces: dict[str, list[str]] = {}
    for name in sorted(found.crops):
        if found.video_of(name) is None:
            suffix = next((s for s in SIDE_SUFFIXES if name.endswith(s) and name != s), "")
            faces.setdefault(name.removesuffix(suffix), []).append(name)
    return faces


def report_strangers(found: DataRoot, known: set[str]) -> None:
    """Report what names a face of no video, and of none of the crops that are `known`."""
    sources = (
        ({name: path for name, (_, path) in found.annotations.items()}, "The annotation"),
        ({name: f"test name {name}" for name in found.test_names}, "The name of the test set"),
        (found.crops, "The folder of published crops"),
    )
    for names, what in sources:
        for name, where in names.items():
            if name in known or found.video_of(name) is not None or where in found.unreadable:
                continue
            found.unreadable[where] = f"{what} belongs to no readable video called {name}."


def side_of(name: str, stem: str, names: list[str]) -> str:
    """Which face of the picture an annotation means: ``only``, ``left`` or ``right``.

    Of two people one may be annotated as ``NAME`` and the other as ``NAME_right`` (or ``_left``):
    then ``NAME`` is the one on the other side.
    """
    for suffix, side in SIDE_SUFFIXES.items():
        if name == stem + suffix:
            return side
    others = {SIDE_SUFFIXES[other.removeprefix(stem)] for other in names if other != stem}
    if len(others) == 1:
        return "left" if others == {"right"} else "right"
    return "only"
