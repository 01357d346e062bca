"""MediaPipe's blendshapes as AUs: which stand for which."""

import numpy as np

from stages.inference.comparison.csv_table import Sheet
from stages.inference.comparison.tracks import UNKNOWN, Track, commonest, frames, rising, strengths
from stages.learning.metrics import THRESHOLD

# of several shapes the mean, of several groups the largest; AU23 has none
BLENDSHAPES = {
    "AU01": (("browInnerUp",),),
    "AU02": (("browOuterUpLeft", "browOuterUpRight"),),
    "AU04": (("browDownLeft", "browDownRight"),),
    "AU06": (("cheekSquintLeft", "cheekSquintRight"),),
    "AU07": (("eyeSquintLeft", "eyeSquintRight"),),
    "AU10": (("mouthUpperUpLeft", "mouthUpperUpRight"),),
    "AU12": (("mouthSmileLeft", "mouthSmileRight"),),
    "AU15": (("mouthFrownLeft", "mouthFrownRight"),),
    "AU24": (("mouthPressLeft", "mouthPressRight"),),
    "AU25": (("jawOpen",), ("mouthLowerDownLeft", "mouthLowerDownRight")),
    "AU26": (("jawOpen",),),
}


def read_mediapipe(sheet: Sheet) -> Track:
    """Blendshapes; like a probability, one from the usual threshold on counts as active."""
    shapes = {name for groups in BLENDSHAPES.values() for names in groups for name in names}
    shown, notes = strengths(sheet, {name: name for name in sorted(shapes) if name in sheet}, 1)
    strength = {
        au: np.max(
            [np.mean([shown[name] for name in names], axis=0) for names in groups],
            axis=0,
        )
        for au, groups in BLENDSHAPES.items()
        if all(name in sheet for names in groups for name in names)
    }
    decision = {
        au: np.where(np.isnan(values), UNKNOWN, values >= THRESHOLD).astype(np.int8)
        for au, values in strength.items()
    }
    mine = np.ones(len(sheet), np.bool_)
    if "face" in sheet:  # of several people the one with most rows
        mine = commonest(sheet.numbers("face", blank=False))
    first = 1
    if "frame" in sheet:  # some count from 0
        first = int(min(sheet.numbers("frame", 0, blank=False).min(), 1))
    frame = frames(sheet, "frame", first, mine)
    time = None
    if "timestamp" in sheet and frame is None:
        time = rising(sheet, "timestamp", sheet.numbers("timestamp", blank=False), mine)
    elif frame is None:
        frame = np.arange(1, len(sheet) + 1)
    seen = ~np.isnan(np.stack(list(strength.values()))).all(0)
    track = Track(sheet.path, "MediaPipe", frame, time, seen, strength, decision, notes=notes)
    return track.take(mine)
