"""What an ensemble does on real faces: photos, a smile that is held, clips; goals and whether met.

Three measurements on the material that lies beside the checkout (``../shared``), never trained on:

1. photos of neutral and smiling people (London): AUC, hits and false alarms of AU12, false alarms
   of every other AU on neutral faces, also in each group of gender and ethnicity;
2. a smiling photo shown for 20 seconds, still, and moving (shifted, turned and scaled as a head
   is): the share of frames with AU12, wherever the photo alone has it;
3. clips against the blendshapes beside them: AUC of a clip's highest against its lowest quarter of
   frames, where the clip shows the AU, which is where the means of these quarters lie 0.1 apart.

    python -m tests.benchmarks.real --ensemble DIR --json real.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.core.errors import DataError, SettingsError
from stages.core.facs import AU_NAMES
from stages.core.paths import default_ensemble
from stages.inference.evaluation.result import Evaluation
from stages.inference.evaluation.run import evaluate
from stages.inference.evaluation.scoring import Scores
from stages.inference.folder import predict_all
from stages.inference.options import Options
from stages.inference.results import read_rows
from stages.reporting.score_table import as_markdown
from stages.synthesis.video_file import write_video
from stages.videos.photo import read_photo

SHARED = Path("../shared")
SMILE = AU_NAMES.index("AU12")
RATE, SECONDS = 25, 20
SHIFT, TURN, SCALE = 0.06, 8.0, 0.08  # shares of the side; degrees; share: how far the face moves
PERIODS = (3.1, 4.3, 5.7, 7.9)  # seconds; of no common measure
KEPT = 0.9  # share of the frames that a held smile keeps
RANKED = {"AU12": 0.97, "AU26": 0.97, "AU01": 0.9, "AU02": 0.9, "AU07": 0.9, "AU10": 0.9}
GROUPS = ("gender", "ethnicity")
FEW = 5  # neutral faces; a group of fewer says little: it is shown, and not judged


@dataclass(frozen=True)
class Goal:
    """A figure with what it should be.

    Attributes
    ----------
    what, goal, measured : str
    met : bool or None
        None where it cannot be told.
    value : float or None
    """

    what: str
    goal: str
    measured: str
    met: bool | None
    value: float | None = None


def at_least(what: str, value: float | None, bound: float, note: str = "") -> Goal:
    """A goal from below."""
    if value is None:
        return Goal(what, f">= {bound:g}", f"not measured {note}".strip(), None)
    return Goal(what, f">= {bound:g}", f"{value:.3f} {note}".strip(), value >= bound, value)


def at_most(what: str, value: float | None, bound: float, note: str = "") -> Goal:
    """A goal from above."""
    if value is None:
        return Goal(what, f"<= {bound:g}", f"not measured {note}".strip(), None)
    return Goal(what, f"<= {bound:g}", f"{value:.3f} {note}".strip(), value <= bound, value)


def _value(scores: Scores, au: str, measure: str) -> float | None:
    if au not in scores or measure not in scores[au].measures:
        return None
    return scores[au].measures[measure].value


def _interval(scores: Scores, au: str, measure: str) -> str:
    if _value(scores, au, measure) is None:
        return ""
    one = scores[au].measures[measure]
    return "" if np.isnan(one.low) else f"[{one.low:.3f}, {one.high:.3f}]"


def photo_goals(found: Evaluation) -> list[Goal]:
    """Goals of the photos."""
    scores = found.scores
    goals = [
        at_least("photos: AU12, AUC", _value(scores, "AU12", "auc"), 0.95,
                 _interval(scores, "AU12", "auc")),
        at_most("photos: AU12 on neutral faces", _value(scores, "AU12", "false_alarms"), 0.02,
                _interval(scores, "AU12", "false_alarms")),
        at_least("photos: AU12 on smiling faces", _value(scores, "AU12", "hits"), 0.65,
                 _interval(scores, "AU12", "hits")),
    ]  # fmt: skip
    others = [au for au in AU_NAMES if au != "AU12"]
    for au in others:
        goals.append(
            at_most(f"photos: {au} on neutral faces", _value(scores, au, "false_alarms"), 0.05,
                    _interval(scores, au, "false_alarms"))
        )  # fmt: skip
    for column in GROUPS:
        for value, group in found.groups.get(column, {}).items():
            rates = {au: _value(group, au, "false_alarms") for au in AU_NAMES}
            known = {au: rate for au, rate in rates.items() if rate is not None}
            if not known:
                continue
            worst = max(known, key=lambda au: known[au])
            faces = group[worst].negatives
            goal = at_most(
                f"photos: worst AU on neutral faces, {column} {value}", known[worst], 0.1,
                f"({worst}, {faces} faces)",
            )  # fmt: skip
            if faces < FEW:
                goal = Goal(goal.what, goal.goal, goal.measured, None, goal.value)
            goals.append(goal)
    return goals


def moved(photo: NDArray[np.uint8], moving: bool) -> Iterator[NDArray[np.uint8]]:
    """Yield a photo as it looks for some seconds, at an even size."""
    height, width = (side // 2 * 2 for side in photo.shape[:2])
    photo = np.ascontiguousarray(photo[:height, :width])
    for k in range(RATE * SECONDS):
        if not moving:
            yield photo
            continue
        # all begin at rest
        across, down, turn, size = (np.sin(2 * np.pi * k / RATE / p) for p in PERIODS)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), TURN * turn, 1 + SCALE * size)
        matrix[:, 2] += (SHIFT * width * across, SHIFT * height * down)
        warped = cv2.warpAffine(
            photo, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        yield np.asarray(warped, np.uint8)


def held_goals(
    photos: Path, predictions: Path, ensemble: Path, scratch: Path, count: int
) -> list[Goal]:
    """Goals of smiles that are held, of at most so many photos; 0: all."""
    smiling = []
    for path in sorted((photos / "photos").glob("*_smiling.jpg")):
        result = predictions / f"{path.stem}.parquet"
        if result.is_file() and bool(read_rows(result).active[0, SMILE]):
            smiling.append(path)
    if count and len(smiling) > count:
        smiling = [smiling[k] for k in np.linspace(0, len(smiling) - 1, count).astype(int)]
    goals = []
    for kind in ("still", "moving"):
        what = f"a smiling photo for {SECONDS} s, {kind}: photos that keep AU12 in {KEPT:.0%}"
        if not smiling:
            goals.append(Goal(what, "all", "no photo alone has AU12", None))
            continue
        folder = scratch / kind
        folder.mkdir(parents=True, exist_ok=True)
        times = np.arange(RATE * SECONDS) / RATE
        for path in smiling:
            video = folder / f"{path.stem}.mp4"
            if not video.exists():
                part = video.with_name(f"part_{video.name}")
                write_video(part, moved(read_photo(path), kind == "moving"), times, crf=20)
                part.rename(video)
        videos = [folder / f"{path.stem}.mp4" for path in smiling]
        done = predict_all(videos, ensemble, folder / "predictions", Options(device="cpu"))
        shares = [float(read_rows(one.parquet).active[:, SMILE].mean()) for one in done.results]
        kept = sum(share >= KEPT for share in shares)
        goals.append(
            Goal(what, "all", f"{kept} of {len(smiling)}, the least share {min(shares):.2f}",
                 kept == len(smiling), kept / len(smiling))
        )  # fmt: skip
    return goals


def clip_goals(found: Evaluation) -> list[Goal]:
    """Goals of the clips."""
    goals = []
    for au, bound in RANKED.items():
        one = found.ranking.get(au)
        what = f"clips: {au} within clips, AUC"
        if one is None or not one.clips:
            goals.append(at_least(what, None, bound, "(no clip shows it)"))
            continue
        least = min(one.clips, key=lambda name: one.clips[name])
        note = (
            f"({len(one.clips)} of {len(one.reach)} clips; least {one.clips[least]:.3f}, {least})"
        )
        goals.append(at_least(what, one.within.value, bound, note))
    return goals


def measure(shared: Path, ensemble: Path, scratch: Path, held: int) -> list[Goal]:
    """Measure all that the material beside the checkout can tell."""
    goals: list[Goal] = []
    london, clips = shared / "london", shared / "clips"
    if london.is_dir():
        photos = evaluate(london, scratch / "london", ensemble=ensemble)
        goals += photo_goals(photos)
        predictions = scratch / "london/predictions"
        goals += held_goals(london, predictions, ensemble, scratch / "held", held)
    if (clips / "blendshapes").is_dir():
        ranked = evaluate(
            clips, scratch / "clips", ensemble=ensemble, reference=clips / "blendshapes"
        )
        goals += clip_goals(ranked)
    return goals


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ensemble", type=Path, default=default_ensemble())
    parser.add_argument("--shared", type=Path, default=SHARED, help="where the material lies")
    parser.add_argument("--scratch", type=Path, help="keeps predictions and videos, to continue")
    parser.add_argument("--held", type=int, default=8, help="photos shown for 20 s; 0: all")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    if not (given.shared / "london").is_dir() and not (given.shared / "clips").is_dir():
        print(f"{given.shared} holds no london and no clips: there is nothing to measure on.")
        return
    try:
        with tempfile.TemporaryDirectory() as name:
            goals = measure(given.shared, given.ensemble, given.scratch or Path(name), given.held)
    except (DataError, SettingsError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    verdict = {True: "met", False: "missed", None: "-"}
    rows = [["", "goal", "measured", ""]]
    rows += [[one.what, one.goal, one.measured, verdict[one.met]] for one in goals]
    print(as_markdown(rows))
    judged = [one for one in goals if one.met is not None]
    print(f"{sum(bool(one.met) for one in judged)} of {len(judged)} goals met")
    if given.json is not None:
        content: dict[str, Any] = {"ensemble": str(given.ensemble), "goals": [*map(asdict, goals)]}
        given.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
