"""What the columns of NAME.csv and NAME.parquet are; the documentation of the files is here.

Rows are in the order of the frames, and within a frame in that of `face_id`. Every frame that
decodes has a row at least. A cell is empty (in the Parquet file: null) where there is no value.
"""

from typing import Final

from stages.core.facs import AU_MEANINGS, AU_NAMES, PRESENT_FROM

FACE: Final = "face"
NO_FACE: Final = "no_face"
INTERPOLATED: Final = "interpolated"

NOBODY: Final = 0  # face_id of a frame that no one is near

POINTS: Final = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
BOX: Final = ("x0", "y0", "x1", "y1")
PROBABILITIES: Final = AU_NAMES
INTENSITIES: Final = tuple(f"{name}_r" for name in AU_NAMES)
DECISIONS: Final = tuple(f"{name}_c" for name in AU_NAMES)
LANDMARKS: Final = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")

_CORNERS = ("left", "upper", "right", "lower")
_POINT_NAMES = {
    "left_eye": "eye on the left of the picture",
    "right_eye": "eye on the right of the picture",
    "nose": "tip of the nose",
    "left_mouth": "corner of the mouth on the left of the picture",
    "right_mouth": "corner of the mouth on the right of the picture",
}

COLUMNS: Final[dict[str, str]] = {
    "frame": "Number of the frame in the order of display, from 1.",
    "timestamp": "Presentation time of the frame in seconds, on the clock of the file.",
    "face_id": "Number of the person, from 1 and the same throughout the video; 0 in a frame that "
    "no face is near, whose other cells are empty.",
    "status": "face: the face was found in this very frame. interpolated: its place runs in a "
    "straight line between two frames in which it was found, or the frame was skipped by --every "
    "and its AUs are told from the nearest frame that was not. no_face: the face was not seen "
    "here; the AUs are told from the nearest frame that shows it.",
    "confidence": "How sure the detector is of the face, 0 to 1; 0 where the status is no_face.",
    **{
        name: f"The {corner} edge of the face's box, in pixels of the upright picture."
        for name, corner in zip(BOX, _CORNERS, strict=True)
    },
    **{
        name: f"Probability of {name}, {AU_MEANINGS[name]}, smoothed over time by the ensemble's "
        "calibration."
        for name in AU_NAMES
    },
    **{
        f"{name}_r": f"Intensity of {name}, 0 (absent) to 5 (strongest): it rises with the "
        f"probability, and {PRESENT_FROM:g} is a probability of 0.5."
        for name in AU_NAMES
    },
    **{
        f"{name}_c": f"1 where {name} is active: its probability reaches the ensemble's threshold; "
        "else 0."
        for name in AU_NAMES
    },
    **{
        f"{point}_{axis}": f"{'From the left' if axis == 'x' else 'From the top'}, in pixels: the "
        f"{_POINT_NAMES[point]}."
        for point in POINTS
        for axis in "xy"
    },
}


def as_markdown() -> str:
    """Documentation of the columns as a Markdown table, those of the AUs and points in one row."""
    au, other = AU_NAMES[0], AU_NAMES[-1]
    rows = ["| column | what it holds |", "| --- | --- |"]
    for name in ("frame", "timestamp", "face_id", "status", "confidence"):
        rows.append(f"| `{name}` | {COLUMNS[name]} |")
    rows += [
        f"| `{'`, `'.join(BOX)}` | Left, upper, right and lower edge of the face's box, in pixels "
        "of the upright picture. |",
        f"| `{au}` ... `{other}` | Probability of the AU, smoothed over time by the ensemble's "
        "calibration. |",
        f"| `{au}_r` ... `{other}_r` | Intensity of the AU, 0 (absent) to 5 (strongest): "
        f"it rises with the probability, and {PRESENT_FROM:g} is a probability of 0.5. |",
        f"| `{au}_c` ... `{other}_c` | 1 where the probability reaches the ensemble's threshold of "
        "this AU, else 0. |",
        f"| `{LANDMARKS[0]}`, `{LANDMARKS[1]}` ... `{LANDMARKS[-1]}` | Place of the eyes, the nose "
        "and the corners of the mouth, in pixels; left and right as seen in the picture. |",
    ]
    return "\n".join(rows)


def as_text() -> str:
    """Documentation of every column, one a line."""
    width = max(len(name) for name in COLUMNS)
    return "\n".join(f"{name:{width}}  {text}" for name, text in COLUMNS.items())
