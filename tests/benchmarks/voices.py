"""Whether sound helps an ensemble on real voices: AU25 and AU26 of GRID clips with and without it.

    python -m tests.benchmarks.voices --ensemble models/ensemble

predicts each clip beside the checkout (real people saying a sentence) as it is, without its sound
track, and with the sound track of another clip. Each prediction is held against MediaPipe's
blendshapes of the same frames, within a clip: AU26 against jawOpen, AU25 against the larger of
jawOpen and mouthLowerDown. Two figures: Spearman's rank correlation over frames, and the AUC of the
quarter of frames with the highest values against the quarter with the lowest. Sound earns its place
where the first row is not below the second; the third says how far sound alone leads.
"""

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from stages.core import paths
from stages.core.console import run_stage
from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.inference.options import Options
from stages.inference.predict import predict_file
from stages.inference.predictor import Predictor, load_predictor
from stages.inference.results import read_rows

CLIPS: Final = Path(__file__).resolve().parents[3] / "shared" / "clips"
WAYS: Final = ("with its sound", "without sound", "with another's sound")
LEAST: Final = 8  # frames that are ranked at least

Floats = NDArray[np.float64]


def _sound(source: Path) -> tuple[NDArray[np.float32], int]:
    """Samples (1, n) of a clip's sound track and their rate in Hz."""
    with av.open(str(source)) as container:
        rate = container.streams.audio[0].rate
        turn = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        parts = [
            piece.to_ndarray()
            for frame in container.decode(audio=0)
            for piece in turn.resample(frame)
        ]
    return np.concatenate(parts, axis=1), rate


def rewritten(source: Path, path: Path, voice: Path | None) -> None:
    """Copy a clip's pictures without loss, with the sound of another clip or with none."""
    with (
        av.open(str(source)) as given,
        av.open(str(path), "w", format="matroska") as output,
    ):
        pictures = given.streams.video[0]
        stream: Any = output.add_stream("ffv1", rate=pictures.average_rate)
        stream.width, stream.height = pictures.codec_context.width, pictures.codec_context.height
        stream.pix_fmt = pictures.codec_context.pix_fmt
        track: Any = None
        if voice is not None:
            samples, rate = _sound(voice)
            track = output.add_stream("flac", rate=rate, layout="mono")
            track.codec_context.format = "s16"
        for frame in given.decode(video=0):
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if track is not None:
            for frame in _blocks(samples, rate):
                output.mux(track.encode(frame))
            output.mux(track.encode(None))


def _blocks(samples: NDArray[np.float32], rate: int) -> Iterator[av.AudioFrame]:
    whole = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    for first in range(0, whole.shape[1], 4096):
        block = np.ascontiguousarray(whole[:, first : first + 4096])
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), first
        yield frame


def blendshapes(clip: Path) -> dict[str, Floats]:
    """(frames,) what the blendshapes say of AU25 and AU26; NaN where no face was found."""
    with (clip.parent / "blendshapes" / f"{clip.stem}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    def column(name: str) -> Floats:
        return np.array([float(row[name] or "nan") for row in rows])

    jaw = column("jawOpen")
    lower = (column("mouthLowerDownLeft") + column("mouthLowerDownRight")) / 2
    return {"AU25": np.maximum(jaw, lower), "AU26": jaw}


def agreement(said: Floats, shown: Floats) -> tuple[float, float]:
    """How well one clip's predictions rank its frames: rank correlation and AUC of quarters.

    Parameters
    ----------
    said, shown : (frames,) np.ndarray
        Predicted probability and blendshape; frames in which one is NaN are left out.

    Returns
    -------
    tuple of float
        NaN where fewer than 8 frames are left.
    """
    count = min(len(said), len(shown))
    said, shown = said[:count], shown[:count]
    known = ~(np.isnan(said) | np.isnan(shown))
    if known.sum() < LEAST:
        return float("nan"), float("nan")
    said, shown = said[known], shown[known]
    low, high = np.quantile(shown, (0.25, 0.75))
    chosen = (shown <= low) | (shown >= high)
    auc = roc_auc_score(shown[chosen] >= high, said[chosen])
    return float(spearmanr(said, shown).statistic), float(auc)


def _predicted(path: Path, predictor: Predictor, out: Path) -> NDArray[np.float32]:
    return read_rows(predict_file(path, predictor, out).parquet).probabilities


def measure(clips: list[Path], predictor: Predictor) -> dict[str, dict[str, list[list[float]]]]:
    """Figures of each way and AU, clip by clip: [rank correlation, AUC]."""
    found: dict[str, dict[str, list[list[float]]]] = {
        way: {"AU25": [], "AU26": []} for way in WAYS
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, clip in enumerate(clips):
            silent, other = folder / f"{clip.stem}_silent.mkv", folder / f"{clip.stem}_other.mkv"
            rewritten(clip, silent, None)
            rewritten(clip, other, clips[(number + 1) % len(clips)])
            shown = blendshapes(clip)
            for way, path in zip(WAYS, (clip, silent, other), strict=True):
                said = _predicted(path, predictor, folder / "out").astype(np.float64)
                for au in shown:
                    column = said[:, list(AU_NAMES).index(au)]
                    found[way][au].append(list(agreement(column, shown[au])))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ensemble", type=Path, default=paths.ENSEMBLE)
    parser.add_argument("--clips", type=Path, default=CLIPS, help="folder of the clips")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args()
    clips = sorted(given.clips.glob("grid_*.mpg"))
    if not clips:
        raise DataError(f"There is no grid_*.mpg in {given.clips}: name their folder by --clips.")
    found = measure(clips, load_predictor(given.ensemble, Options(device="cpu")))
    print(f"{len(clips)} clips of real voices, {given.ensemble}; means over clips")
    print(f"{'':22}{'AU25: rank corr., AUC':>24}{'AU26: rank corr., AUC':>24}")
    for way, figures in found.items():
        cells = [np.nanmean(np.array(values), axis=0) for values in figures.values()]
        print(f"{way:22}" + "".join(f"{cell[0]:16.3f}{cell[1]:8.3f}" for cell in cells))
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps({"clips": [c.name for c in clips], **found}, indent=2))


if __name__ == "__main__":
    run_stage(main)
