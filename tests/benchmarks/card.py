"""Write the card of the shipped weights: all that was measured of them, and what they are not for.

    python -m tests.benchmarks.real --scratch SCRATCH --json real.json
    python -m tests.benchmarks.card --goals real.json --evaluation SCRATCH/london/evaluation.json

In: the goals with what was measured, the figures of `aufusion evaluate` on the photos beside the
checkout, and ``training.json`` beside the weights. Out: ``MODEL_CARD.md`` and ``card.json`` there.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.core.facs import AU_NAMES
from stages.core.files import write_json, write_text
from stages.ensembles.shipping import PRETRAINED, RECIPE
from stages.inference.card import FILE, Card
from stages.reporting.score_table import as_markdown

PHOTOS = "102 photos of the Face Research Lab London Set, neutral and smiling"
CORPUS = "test clips of the generated corpus"

TEXT = """# Model card of the weights in this folder

They say for every frame of a video, or for a photo, which of 12 action units of the face are
active and how strongly. Licence: Apache-2.0, for any use.

## What they were trained on

On generated faces and voices alone, made by this project's code: {faces:,} stills of {people:,}
people and {clips} clips, {utterances:,} sentences of {speakers} voices. No picture, video or voice
of a real person was used. [`recipe.yaml`](recipe.yaml) has the settings, `make weights` runs it
{code}.
That it gives the same bytes was not shown.
Shipped is the ensemble `{name}`: {encoders} encoders, and networks behind them: {networks}. Made on
two processor cores; what each stage took is in [`training.json`](training.json).

## What was chosen by looking at real faces

What varies in the generated faces, for how many epochs each encoder was trained, that the median of
the encoders ships and not another ensemble, and the offsets of the AUs' logits ({offsets}), were
chosen on the photos and clips of the tables below. So these tables are no independent test: on
faces of other people expect somewhat less.

## Real faces

{goals}

Photos: {photos}. Intervals: 95 %, over people. Clips: five short ones of five people,
ranked by MediaPipe's blendshapes. A smiling photo was posed, not coded by FACS: some smiles can
hardly be seen.

{groups}

## Generated faces (synthetic)

F1 of the positive class and ICC(3,1) of the intensity on the corpus's test clips, whose people
appear nowhere else.

{synthetic}

We have not reproduced the paper's scores on Aff-Wild2, and these figures say nothing about them.

## Where they fail

{failures}
- Faces that are small, turned away by more than 45 degrees, covered, or lit by one hard light were
  varied in training, but were not measured on real material.
- AU2, AU4, AU6, AU15, AU23 and AU24 were hardly measured on real faces: no labels lay at hand.
- Where no encoder of sound is among those shipped, they do not hear: a voice changes nothing.
- They were never compared with a FACS coder.

## What they must not be used for

- Decisions about a person: hiring, school, insurance, policing, borders, medical diagnosis.
- Saying what somebody feels, thinks or hides: an action unit is a movement of the face.
- Watching people who do not know of it or have not agreed.
"""


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _value(figures: Mapping[str, Any], measure: str) -> float | None:
    found = figures.get(measure, {}).get("value")
    return None if found is None else float(found)


def material(evaluation: Mapping[str, Any], test: Mapping[str, float], people: int) -> Card:
    """The card that programs read: photos, and the corpus's test clips."""
    aus = evaluation["aus"]
    photos = {}
    for au, figures in aus.items():
        known = {
            name: _value(figures, name)
            for name in ("auc", "hits", "false_alarms")
            if _value(figures, name) is not None
        }
        if known:
            photos[au] = known
    synthetic = {au: {"f1": round(value, 4)} for au, value in test.items() if au in AU_NAMES}
    synthetic["mean"] = {"f1": round(sum(one["f1"] for one in synthetic.values()) / 12, 4)}
    seen = max(one["people"] for one in aus.values())
    return Card.model_validate(
        {
            "material": [
                {"name": PHOTOS, "people": seen, "real": True, "figures": photos},
                {"name": CORPUS, "people": people, "real": False, "figures": synthetic},
            ]
        }
    )


def groups_table(groups: Mapping[str, Mapping[str, Any]]) -> str:
    """Rates on neutral and smiling faces by group."""
    rows = [["group", "people", "AU12 AUC", "AU12 on smiling", "AU12 on neutral",
             "worst other AU on neutral"]]  # fmt: skip
    for column, values in groups.items():
        for value, scores in values.items():
            aus = scores["aus"]
            smile = aus.get("AU12", {})
            rates = {
                au: rate
                for au, one in aus.items()
                if au != "AU12" and (rate := _value(one, "false_alarms")) is not None
            }
            worst = max(rates, key=lambda au: rates[au]) if rates else ""
            auc = _value(smile, "auc")
            rows.append([
                f"{column} {value}", str(smile.get("people", "-")),
                "-" if auc is None else f"{auc:.3f}", _percent(_value(smile, "hits")),
                _percent(_value(smile, "false_alarms")),
                f"{worst} {_percent(rates[worst])}" if worst else "-",
            ])  # fmt: skip
    return as_markdown(rows)


def main() -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--goals", type=Path, required=True)
    parser.add_argument("--evaluation", type=Path, required=True)
    parser.add_argument("--people", type=int, required=True, help="people of the test clips")
    parser.add_argument("--code", default="", help="what code they were made with, if another")
    given = parser.parse_args()
    goals = json.loads(given.goals.read_text(encoding="utf-8"))["goals"]
    evaluation = json.loads(given.evaluation.read_text(encoding="utf-8"))
    training = json.loads((PRETRAINED / "training.json").read_text(encoding="utf-8"))
    exported = json.loads((PRETRAINED / "ensemble.json").read_text(encoding="utf-8"))
    recipe = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))
    corpus, offsets = recipe["corpus"], recipe.get("ensemble", {}).get("offsets", {})
    ensembles = next(iter(training["ensembles_synthetic"].values()))
    chosen = ensembles[exported["name"]]
    step = "offsets" if "offsets" in chosen else "smoothing"
    test, icc = chosen[step]["test"], chosen.get("intensity_icc", {}).get("test", {})
    base = ensembles.get("frame_head", {}).get("smoothing", {}).get("test", {})
    before = chosen["smoothing"]["test"]
    synthetic = [["", "F1 as shipped", "F1 without offsets", "F1 of frame_head", "ICC"]]
    for au in (*AU_NAMES, "mean"):
        row = [au]
        for column in (test, before, base, icc):
            values = [column[name] for name in AU_NAMES if name in column]
            value = (
                column.get(au) if au != "mean" else sum(values) / len(values) if values else None
            )
            row.append("-" if value is None else f"{value:.3f}")
        synthetic.append(row)
    verdict = {True: "met", False: "missed", None: "not judged"}
    missed = [one for one in goals if one["met"] is False]
    text = TEXT.format(
        faces=corpus["faces"], people=corpus["face_people"], utterances=corpus["utterances"],
        clips=corpus["clips"] + corpus["test_clips"], speakers=corpus["speakers"],
        networks=len(exported["members"]), name=exported["name"],
        code=given.code and f"({given.code})",
        encoders=sum(len(kind) for kind in exported["encoders"].values()),
        offsets=", ".join(f"{au} {value:+g}" for au, value in offsets.items()) or "none",
        goals=as_markdown([["", "goal", "measured", ""]] + [
            [one["what"], one["goal"], one["measured"], verdict[one["met"]]] for one in goals
        ]),
        photos=PHOTOS,
        groups=groups_table(evaluation["groups"]),
        synthetic=as_markdown(synthetic),
        failures="\n".join(
            f"- {one['what']}: {one['measured']}; wanted: {one['goal']}." for one in missed
        ),
    )  # fmt: skip
    write_text(PRETRAINED / "MODEL_CARD.md", text)
    card = material(evaluation, test, given.people)
    write_json(PRETRAINED / FILE, card.model_dump(mode="json", exclude_none=True))
    print(f"{PRETRAINED / 'MODEL_CARD.md'}: {len(missed)} goals missed")


if __name__ == "__main__":
    main()
