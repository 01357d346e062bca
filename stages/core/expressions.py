"""Numbers of expressions in face databases, and what else the seven expressions are called.

The seven are :data:`stages.core.facs.EXPRESSIONS`, and contempt is an eighth where a database has
it; what else one has, "other" say, is here so that it is known for what it is.
"""

from collections.abc import Mapping
from typing import Final, Literal

FaceExpressions = Literal["names", "affectnet", "affwild2", "fer2013", "rafdb"]

DATABASES: Final[Mapping[str, Mapping[int, str]]] = {
    name: dict(enumerate(classes.split(), start))
    for name, start, classes in (
        ("affectnet", 0, "neutral happiness sadness surprise fear disgust anger contempt "
                         "none uncertain no-face"),
        ("affwild2", 0, "neutral anger disgust fear happiness sadness surprise other"),
        ("fer2013", 0, "anger disgust fear happiness sadness surprise neutral"),
        ("rafdb", 1, "surprise fear disgust happiness sadness anger neutral"),
    )
}  # fmt: skip

ALIASES: Final[Mapping[str, str]] = {
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}
