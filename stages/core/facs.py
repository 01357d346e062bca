"""What the problem is: the 12 action units of Aff-Wild2's AU track, in the order of its files.

The paper's balancing section also lists AU5; the annotations have no AU5, so neither has this.

References
----------
P. Ekman, W. V. Friesen, J. C. Hager. Facial Action Coding System, 2002.
D. Kollias, S. Zafeiriou. Expression, affect, action unit recognition: Aff-Wild2, multi-task
learning and ArcFace. BMVC 2019.
"""

from typing import Final

AU_NUMBERS: Final = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
N_AUS: Final = len(AU_NUMBERS)
AU_NAMES: Final = tuple(f"AU{number:02d}" for number in AU_NUMBERS)  # zero-padded: tables sort
ANNOTATION_HEADER: Final = ",".join(f"AU{number}" for number in AU_NUMBERS)

AU_MEANINGS: Final = dict(
    zip(
        AU_NAMES,
        (
            "inner brow raiser",
            "outer brow raiser",
            "brow lowerer",
            "cheek raiser",
            "lid tightener",
            "upper lip raiser",
            "lip corner puller",
            "lip corner depressor",
            "lip tightener",
            "lip pressor",
            "lips part",
            "jaw drop",
        ),
        strict=True,
    )
)

# Intensity of an AU, 0 (absent) to 5 (FACS's E, as OpenFace's columns `_r`); NaN where unknown.
INTENSITY_MAX: Final = 5.0
PRESENT_FROM: Final = 1.75  # intensity from which the generated corpus labels an AU as present

NOT_ANNOTATED: Final = -1  # label of a frame that nobody annotated: never trained on, never scored

# Share of the annotated training frames of Aff-Wild2 in which each AU is active.
AFF_WILD2_BASE_RATES: Final = dict(
    zip(
        AU_NAMES,
        (0.118, 0.050, 0.154, 0.266, 0.397, 0.344, 0.245, 0.028, 0.031, 0.026, 0.627, 0.074),
        strict=True,
    )
)

EXPRESSIONS: Final = (
    "neutral",
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
)
# an eighth class that some databases have; nothing that is generated shows it by itself
FACE_CLASSES: Final = (*EXPRESSIONS, "contempt")
