"""What an independent judge sees in generated faces, beside real ones.

    python -m tests.benchmarks.judge PYTHON MODEL [--people 60]

renders people with the code as it is and has MediaPipe's face landmarker name their blendshapes:
PYTHON is an interpreter that has mediapipe, MODEL its file ``face_landmarker.task``. Prints the
judge's mean for faces without and with each AU, as the stills show them, and how well it ranks
them; draws its response over the intensity of each AU alone. Real faces are the tables of
blendshapes that lie beside the checkout; without them, the generated faces stand alone.
"""

import argparse
import csv
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from stages.core.console import run_stage, say
from stages.core.errors import DataError
from stages.core.facs import AU_NUMBERS, N_AUS
from stages.synthesis.audio.phonemes import MOUTHS
from stages.synthesis.people.people import sample_person
from stages.synthesis.performance.articulation import FEATURES
from stages.synthesis.performance.motion import Motion
from stages.synthesis.randomness import generator
from stages.synthesis.render.portrait import Portrait, head_of
from stages.synthesis.render.scene import Scene, sample_scene
from stages.synthesis.still_labels import sample_still

Floats = NDArray[np.float64]

SHARED = Path(__file__).resolve().parents[3] / "shared"
SIDE = 256  # pixels
STILLS = 6  # of a person, as the corpus draws them
STEPS = (0.2, 0.4, 0.6, 0.8, 1.0)  # intensities of each AU alone
PART = AU_NUMBERS.index(25)

# What the judge knows of each AU; it has no blendshape that moves with AU6 on real faces either.
SHAPES: dict[int, tuple[str, ...]] = {
    1: ("browInnerUp",), 2: ("browOuterUp",), 4: ("browDown",), 7: ("eyeSquint",),
    10: ("mouthUpperUp",), 12: ("mouthSmile",), 15: ("mouthFrown",),
    23: ("mouthRollLower", "mouthRollUpper"), 24: ("mouthPress", "mouthShrugLower"),
    25: ("mouthLowerDown", "jawOpen"), 26: ("jawOpen",),
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """Blendshapes of faces: the mean of both sides, (n,) each."""

    shapes: dict[str, Floats]

    @staticmethod
    def of(names: Sequence[str], values: Floats) -> "Judged":
        """From (n, names) values; left and right are one."""
        sides: dict[str, list[Floats]] = {}
        for name, column in zip(names, values.T, strict=True):
            sides.setdefault(name.removesuffix("Left").removesuffix("Right"), []).append(column)
        return Judged({name: np.asarray(np.mean(both, axis=0)) for name, both in sides.items()})

    @staticmethod
    def read(path: Path, kept: Callable[[dict[str, str]], bool] = bool) -> "Judged":
        """From a table of blendshapes: the rows to keep of which every value is known."""
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["browInnerUp"] and kept(row)]
        names = [name for name in rows[0] if name not in ("image", "frame", "face", "_neutral")]
        return Judged.of(names, np.array([[float(row[name]) for name in names] for row in rows]))


@dataclass(frozen=True)
class Rendered:
    """Pictures (n, side, side, 3) and the AU intensities (n, 12) that they show."""

    pictures: NDArray[np.uint8]
    intensity: Floats


def close(scene: Scene, rng: np.random.Generator) -> Scene:
    """The same light, close up, turned a little: what the judge should not have to look past."""
    turn = (float(rng.normal(0, 6)), float(rng.normal(0, 4)), 0.0)
    return replace(scene, rotation=turn, face_share=0.62, centre=(0.0, -0.02), noise=2.0, blur=0.0)


def _rest(frames: int) -> Motion:
    return Motion(np.zeros((frames, 3)), np.zeros((frames, 2)), np.zeros(frames),
                  np.zeros((frames, 2)))  # fmt: skip


def single_aus() -> Floats:
    """(1 + 12 * steps, 12) a neutral face, then each AU alone; AU26 parts the lips."""
    rows = [np.zeros(N_AUS)]
    for column, number in enumerate(AU_NUMBERS):
        for step in STEPS:
            row = np.zeros(N_AUS)
            row[column] = step
            row[PART] = max(row[PART], 0.4 * (number == 26))
            rows.append(row)
    return np.array(rows)


def render(people: int, seed: int) -> tuple[Rendered, Rendered]:
    """Faces as the stills show them, and every AU alone at every step."""
    stills: list[tuple[NDArray[np.uint8], Floats]] = []
    singles: list[tuple[NDArray[np.uint8], Floats]] = []
    alone = single_aus()
    for number in tqdm(range(people), "people"):
        rng = generator(seed, "judged person", number)
        portrait = Portrait([head_of(sample_person(rng))], close(sample_scene(rng), rng), SIDE)
        for place in range(STILLS):
            still = sample_still(rng)
            mouth = np.array([[getattr(MOUTHS[still.phoneme], name) for name in FEATURES]])
            shown = portrait.states(0, still.intensity[None], mouth, _rest(1), still.asymmetry)
            stills.append((portrait.picture([next(shown)], place), still.intensity))
        silent = np.zeros((len(alone), len(FEATURES)))
        states = portrait.states(0, alone, silent, _rest(len(alone)))
        singles += [
            (portrait.picture([state], place), row)
            for place, (state, row) in enumerate(zip(states, alone, strict=True))
        ]
    both = [Rendered(*map(np.array, zip(*rows, strict=True))) for rows in (stills, singles)]
    return both[0], both[1]


def judge(python: Path, model: Path, pictures: NDArray[np.uint8]) -> Judged:
    """Have the pictures judged in the other environment.

    Raises
    ------
    DataError
        If the interpreter or the model is missing, or the judge fails.
    """
    for path, what in ((python, "interpreter with mediapipe"), (model, "model of the judge")):
        if not path.is_file():
            raise DataError(f"{path} is missing: give the path of the {what}.")
    script = Path(__file__).with_name("judge_pictures.py")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "pictures.npz", Path(folder) / "shapes.npz"
        np.savez(source, pictures=pictures)
        command = [str(python), str(script), str(model), str(source), str(target)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0 or not target.is_file():
            last = (run.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise DataError(f"The judge failed: {last}. Does {python} have mediapipe?")
        with np.load(target, allow_pickle=False) as file:
            return Judged.of(file["names"].tolist(), file["shapes"])


def _auc(absent: Floats, present: Floats) -> float:
    absent, present = absent[~np.isnan(absent)], present[~np.isnan(present)]
    if not len(absent) or not len(present):
        return float("nan")
    truth = np.repeat([0, 1], [len(absent), len(present)])
    return float(roc_auc_score(truth, np.concatenate([absent, present])))


def table(
    seen: Judged, stills: Rendered, rest: Judged, real: tuple[Judged, Judged] | None
) -> list[str]:
    """Lines of Markdown: absent, present and AUC in the stills, beside real faces."""
    lines = [
        "| AU: blendshape | generated, absent | present | AUC | faces at rest, mean; upper tenth |"
        " real: neutral, mean; upper tenth | smiling |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for number, names in SHAPES.items():
        column = stills.intensity[:, AU_NUMBERS.index(number)]
        for name in names:
            values = seen.shapes[name]
            absent, present = values[column < 0.35], values[column >= 0.35]
            cells = [f"AU{number}: {name}", f"{np.nanmean(absent):.2f}",
                     f"{np.nanmean(present):.2f}", f"{_auc(absent, present):.2f}",
                     _rest_of(rest.shapes[name])]  # fmt: skip
            for faces, say_of in zip(real or (), (_rest_of, _mean_of), strict=False):
                cells.append(say_of(faces.shapes[name]))
            lines.append("| " + " | ".join(cells + ["-"] * (7 - len(cells))) + " |")
    return lines


def _mean_of(values: Floats) -> str:
    return f"{np.nanmean(values):.2f}"


def _rest_of(values: Floats) -> str:
    return f"{np.nanmean(values):.2f}; {np.nanquantile(values, 0.9):.2f}"


def draw(seen: Judged, real: tuple[Judged, Judged] | None, clips: list[Judged], path: Path) -> None:
    """Draw the response over intensity: generated faces' median and spread, real ones' level."""
    mpl.use("Agg")
    per_person = 1 + len(STEPS) * N_AUS
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    panes = figure.subplots(3, 4, sharex=True, sharey=True).ravel()
    for pane, (number, names) in zip(panes, SHAPES.items(), strict=False):
        name = names[0]
        values = seen.shapes[name].reshape(-1, per_person)
        first = 1 + len(STEPS) * AU_NUMBERS.index(number)
        curve = np.concatenate([values[:, :1], values[:, first : first + len(STEPS)]], axis=1)
        low, middle, high = np.nanquantile(curve, (0.1, 0.5, 0.9), axis=0)
        steps = (0.0, *STEPS)
        pane.fill_between(steps, low, high, color="#4477aa", alpha=0.25, linewidth=0)
        pane.plot(steps, middle, color="#4477aa", label="generated: median, middle 80 %")
        if real is not None:
            neutral, smiling = (faces.shapes[name] for faces in real)
            pane.axhspan(*np.nanquantile(neutral, (0.1, 0.9)), color="#999999", alpha=0.3,
                         linewidth=0, label="real, neutral: middle 80 %")  # fmt: skip
            pane.axhline(np.mean(smiling), color="#cc6677", linestyle="--",
                         label="real, smiling: mean")  # fmt: skip
        if clips:
            most = max(float(np.nanquantile(clip.shapes[name], 0.98)) for clip in clips)
            pane.axhline(most, color="#ddaa33", linestyle=":", label="real clips: highest frames")
        pane.set_title(f"AU{number}: {name}", fontsize=9)
        pane.set_ylim(-0.02, 1.0)
    for pane in panes[len(SHAPES) :]:
        pane.axis("off")
    handles, labels = panes[0].get_legend_handles_labels()
    panes[-1].legend(handles, labels, loc="center", fontsize=8, frameon=False)
    figure.supxlabel("intensity of the AU (0 to 1), alone")
    figure.supylabel("the judge's blendshape")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})


def real_faces() -> tuple[tuple[Judged, Judged] | None, list[Judged]]:
    """Neutral and smiling photos, and clips, of which tables lie beside the checkout."""
    photos = SHARED / "london" / "blendshapes.csv"
    clips = [Judged.read(path) for path in sorted((SHARED / "clips/blendshapes").glob("*.csv"))]
    if not photos.is_file():
        return None, clips
    neutral = Judged.read(photos, lambda row: "neutral" in row["image"])
    return (neutral, Judged.read(photos, lambda row: "smiling" in row["image"])), clips


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path, help="interpreter that has mediapipe")
    parser.add_argument("model", type=Path, help="the judge's face_landmarker.task")
    parser.add_argument("--people", type=int, default=60, help="generated people")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="where to draw the response (PNG)")
    options = parser.parse_args()
    stills, singles = render(options.people, options.seed)
    pictures = np.concatenate([stills.pictures, singles.pictures])
    seen = judge(options.python, options.model, pictures).shapes
    first = len(stills.pictures)
    found = 1.0 - np.isnan(seen["browInnerUp"]).mean()
    real, clips = real_faces()
    say(f"{len(pictures)} pictures of {options.people} people; a face is found in {found:.1%}")
    of_stills = Judged({name: values[:first] for name, values in seen.items()})
    alone = Judged({name: values[first:] for name, values in seen.items()})
    rest = Judged({n: values[:: 1 + len(STEPS) * N_AUS] for n, values in alone.shapes.items()})
    for line in table(of_stills, stills, rest, real):
        say(line)
    if options.picture is not None:
        draw(alone, real, clips, options.picture)


if __name__ == "__main__":
    run_stage(main)
