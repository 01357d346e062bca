"""FERV39k: expressions of clips of 22 scenes; each frame of a clip gets the clip's."""

from collections.abc import Iterator

from stages.core.expressions import ALIASES
from stages.core.facs import EXPRESSIONS
from stages.faces.databases.base import RESEARCH, Asked, Database, Labelled, first_of, pictures

CLIPS = ("2_ClipsforFaceCrop", "2_ClipsforFaceCrop/2_ClipsforFaceCrop", ".")


def _read(asked: Asked) -> Iterator[Labelled]:
    for name in CLIPS:
        clips = first_of(asked.root, name)
        found = False
        for folder in sorted(clips.glob("*/*/*")) if clips is not None else ():
            label = folder.parent.name.lower()
            label = ALIASES.get(label, label)
            if label not in EXPRESSIONS or not folder.is_dir():
                continue
            found = True
            clip = "/".join(folder.parts[-3:])
            for image in pictures(folder)[:: asked.every]:
                yield Labelled(image, person=f"clip {clip}", expression=label)
        if found:
            return


DATABASE = Database(
    "FERV39k",
    RESEARCH,
    "2_ClipsforFaceCrop/SCENE/EXPRESSION/CLIP with the frames of each clip (Action/Happy/0267).",
    _read,
)
