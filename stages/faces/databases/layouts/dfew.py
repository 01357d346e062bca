"""DFEW: expressions of clips from films; each frame of a clip gets the clip's."""

from collections.abc import Iterator

from stages.faces.databases.base import (
    RESEARCH,
    Asked,
    Database,
    Labelled,
    first_of,
    number_in,
    pictures,
    rows_of,
)

CLASSES = dict(
    enumerate(("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear"), start=1)
)
CLIPS = ("Clip/clip_224x224", "Clip/clip_224x224_16f", "clip_224x224", "clip_224x224_16f")
LISTS = "EmoLabel_DataSplit"


def _read(asked: Asked) -> Iterator[Labelled]:
    clips = first_of(asked.root, *CLIPS)
    tables = sorted((asked.root / LISTS).glob("*/set_1.csv"))  # its two parts are all clips
    for path in tables if clips is not None else ():
        for row in rows_of(path, "label"):
            assert clips is not None
            first = next(iter(row.values()))  # video_name, or order
            folder = clips / f"{int(number_in(first, path)):05d}"
            if folder.is_dir():
                for image in pictures(folder)[:: asked.every]:
                    label = CLASSES.get(int(number_in(row["label"], path)), "")
                    yield Labelled(image, person=f"clip {folder.name}", expression=label)


DATABASE = Database(
    "DFEW",
    RESEARCH,
    f"{LISTS}/train(single-labeled)/set_1.csv and the same of test, beside {CLIPS[0]} with a "
    "folder of frames a clip.",
    _read,
)
