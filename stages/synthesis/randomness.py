"""Independent, reproducible streams of chance, one for each purpose."""

import zlib

import numpy as np


def generator(seed: int, purpose: str, *keys: int | str) -> np.random.Generator:
    """Source of chance that depends on its name alone, not on what was drawn before.

    Parameters
    ----------
    seed : int
        Of the corpus.
    purpose : str
        What is drawn: ``"person"``.
    keys : int or str
        For what: a person's number, a clip's name.
    """
    words = (purpose, *keys)
    numbers = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in words]
    return np.random.default_rng([seed, *numbers])
