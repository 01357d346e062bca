"""Random English sentences from a small grammar, so that no text is copied from anywhere."""

from typing import Final

import numpy as np

# Chosen for their sounds: every group has words with closed lips (m, b, p), rounded lips
# (oo, w), open vowels (ah, ow) and lips on teeth (f, v).
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "PERSON": (
        "my mother", "the baker", "our farmer", "Bob", "Emma", "Paul", "your brother",
        "the wolf", "a painter", "the whole family", "Amber", "Walter", "that woman", "nobody",
    ),
    "THING": (
        "map", "blue boat", "pumpkin", "hammer", "old house", "window", "apple pie", "violin",
        "purple lamp", "balloon", "motor", "photo", "cup of coffee", "garden path", "yellow moon",
        "wooden box", "paper", "mop", "shoe", "car",
    ),
    "SAW": (
        "bought", "saw", "moved", "opened", "forgot", "carried", "painted", "hopes for", "follows",
        "wanted", "remembers", "broke", "passed by", "borrowed", "laughed at", "calls for",
    ),
    "PLACE": (
        "at home", "by the river", "in the park", "far away", "above the harbour", "on the farm",
        "in front of the shop", "behind the wall", "at the top", "near Moscow", "in Obama Road",
    ),
    "TIME": (
        "this morning", "on Monday", "before five", "all summer", "for a moment", "twice",
        "every month", "last October", "now", "tomorrow",
    ),
    "HOW": ("wonderful", "awful", "warm", "small", "possible", "hopeless", "bad", "calm", "odd"),
}  # fmt: skip

_PATTERNS: Final[tuple[str, ...]] = (
    "PERSON SAW the THING PLACE.",
    "TIME, PERSON SAW a THING.",
    "The THING is HOW, and PERSON SAW it TIME.",
    "Why was the THING so HOW?",
    "PERSON SAW PERSON PLACE TIME.",
    "What a HOW THING!",
    "No, PERSON SAW no THING.",
    "I am HOW, but the THING was not.",
    "Maybe PERSON SAW both the THING and the THING.",
)


def sentence(rng: np.random.Generator) -> str:
    """Draw one sentence of 4 to 14 words."""
    words = str(rng.choice(_PATTERNS)).split(" ")
    filled = []
    for word in words:
        stem = word.rstrip(".,?!")
        choices = _WORDS.get(stem)
        filled.append(str(rng.choice(choices)) + word[len(stem) :] if choices else word)
    text = " ".join(filled)
    return text[0].upper() + text[1:]
