"""Phonemes of the generated speech and the mouth that goes with each.

espeak-ng's mnemonics (``a#``, ``'aI``, ``_:``) carry stress, allophone and accent; here they are
reduced to one inventory for all accents, in ARPAbet-like letters.
"""

import re
from dataclasses import dataclass
from typing import Final

SILENCE: Final = "sil"


@dataclass(frozen=True)
class Mouth:
    """Target of the mouth in the middle of a phoneme; every value from 0 to 1.

    Attributes
    ----------
    parted : float
        How far the lips are apart, as AU25.
    jaw : float
        How far the jaw is down, as AU26, when spoken at full loudness.
    rounded, spread : float
        Lips drawn together and forward, or drawn wide.
    closed : float
        Lips held against each other.
    bitten : float
        Lower lip under the upper teeth.
    """

    parted: float
    jaw: float
    rounded: float = 0.0
    spread: float = 0.0
    closed: float = 0.0
    bitten: float = 0.0


MOUTHS: Final[dict[str, Mouth]] = {
    SILENCE: Mouth(0.0, 0.0),
    "p": Mouth(0.0, 0.0, closed=1.0),
    "b": Mouth(0.0, 0.0, closed=1.0),
    "m": Mouth(0.0, 0.0, closed=1.0),
    "f": Mouth(0.32, 0.05, bitten=1.0),
    "v": Mouth(0.32, 0.05, bitten=0.8),
    "w": Mouth(0.38, 0.08, rounded=1.0),
    "r": Mouth(0.45, 0.12, rounded=0.5),
    "sh": Mouth(0.55, 0.1, rounded=0.6),
    "ch": Mouth(0.55, 0.1, rounded=0.55),
    "j": Mouth(0.5, 0.1, spread=0.4),
    "s": Mouth(0.5, 0.05, spread=0.4),
    "th": Mouth(0.5, 0.12),
    "t": Mouth(0.5, 0.12, spread=0.1),
    "d": Mouth(0.5, 0.12, spread=0.1),
    "n": Mouth(0.48, 0.12),
    "l": Mouth(0.55, 0.2),
    "k": Mouth(0.5, 0.2),
    "g": Mouth(0.5, 0.2),
    "ng": Mouth(0.5, 0.2),
    "h": Mouth(0.55, 0.25),
    "y": Mouth(0.48, 0.1, spread=0.5),
    "iy": Mouth(0.55, 0.12, spread=0.8),
    "ih": Mouth(0.55, 0.2, spread=0.45),
    "eh": Mouth(0.7, 0.4, spread=0.35),
    "ae": Mouth(0.9, 0.62, spread=0.35),
    "aa": Mouth(1.0, 0.75),
    "ah": Mouth(0.7, 0.42),
    "ao": Mouth(0.85, 0.58, rounded=0.55),
    "uh": Mouth(0.5, 0.22, rounded=0.6),
    "uw": Mouth(0.4, 0.15, rounded=1.0),
    "er": Mouth(0.52, 0.25, rounded=0.35),
    "ax": Mouth(0.5, 0.25),
    "ey": Mouth(0.65, 0.32, spread=0.55),
    "ay": Mouth(0.9, 0.6, spread=0.3),
    "ow": Mouth(0.65, 0.35, rounded=0.8),
    "aw": Mouth(0.95, 0.62, rounded=0.3),
    "oy": Mouth(0.75, 0.42, rounded=0.5),
}

PHONEMES: Final = tuple(MOUTHS)  # 0 is silence

# Longest match first; what follows the match (length, allophone, r-colour) is dropped.
_REDUCED: Final[tuple[tuple[str, str], ...]] = (
    ("tS", "ch"), ("dZ", "ch"), ("aI", "ay"), ("aU", "aw"), ("eI", "ey"), ("EI", "ey"),
    ("oU", "ow"), ("OI", "oy"), ("i:", "iy"), ("u:", "uw"), ("3", "er"), ("aa", "ae"),
    ("a#", "ax"), ("A", "aa"), ("0", "aa"), ("Q", "aa"), ("O", "ao"), ("o@", "ao"), ("o", "ow"),
    ("U", "uh"), ("u", "uw"), ("I", "ih"), ("i", "iy"), ("E", "eh"), ("e", "ey"), ("a", "ae"),
    ("V", "ah"), ("@L", "l"), ("@", "ax"), ("S", "sh"), ("Z", "sh"), ("C", "sh"), ("T", "th"),
    ("D", "th"), ("N", "ng"), ("z", "s"), ("s", "s"), ("x", "h"), ("h", "h"), ("?", "k"),
    ("*", "t"), ("R", "r"), ("J", "y"), (";", "y"), ("y", "uw"), ("B", "b"), ("p", "p"),
    ("b", "b"), ("m", "m"), ("f", "f"), ("v", "v"), ("w", "w"), ("r", "r"), ("j", "y"),
    ("t", "t"), ("d", "d"), ("n", "n"), ("l", "l"), ("k", "k"), ("g", "g"),
    ("&", "ah"), ("8", "uh"), ("L", "l"), ("M", "m"),
)  # fmt: skip

_STRESS = re.compile(r"^[',%=|!^]+")


def reduced(mnemonic: str) -> str | None:
    """Phoneme of an espeak-ng mnemonic.

    Parameters
    ----------
    mnemonic : str
        As an espeak-ng phoneme event carries it: ``"'aI"``, ``"_:"``.

    Returns
    -------
    str or None
        One of `PHONEMES`; None for a mark that has no sound of its own, such as a change of
        language.
    """
    name = _STRESS.sub("", mnemonic)
    if not name or name.startswith("("):
        return None
    if name.startswith("_"):
        return SILENCE
    for start, phoneme in _REDUCED:
        if name.startswith(start):
            return phoneme
    return None


def stressed(mnemonic: str) -> bool:
    """Whether an espeak-ng mnemonic carries primary stress."""
    return mnemonic.startswith("'")
