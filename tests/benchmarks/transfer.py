"""How well a small frame network that learns from generated stills ranks real faces.

    python -m tests.benchmarks.transfer --render 200 3000 --epochs 9 --augmentation 1

renders 3,000 stills of 200 people with the code as it is (or takes a file, ``--faces FILE``),
trains the project's `ires100` with a linear head for 12 AUs, and measures it on the photos and
clips beside the checkout: the AUC of AU12 on photos, smiling against neutral; in each clip, the AUC
of the quarter of its frames that an independent judge gives most against the quarter that it gives
least. One seed: differences of 0.02 are noise. To choose what varies in the corpus, not to report.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from stages.check_settings import load_params
from stages.core.console import run_stage
from stages.core.facs import AU_NAMES
from stages.core.parallel import map_videos
from stages.encoders.registry import visual_encoder
from stages.pretraining.examples import load_examples
from stages.pretraining.training import WithHead, pretrain
from stages.synthesis.settings import Corpus
from tests.benchmarks.real_crops import BLENDSHAPES, clips, photos

SPREAD = 0.1  # between a clip's highest and lowest quarter, else it does not show the AU

Floats = NDArray[np.float64]


def render(people: int, count: int, folder: Path, seed: int) -> Path:
    """Render stills with the code as it is; return the file."""
    from stages.synthesis.pieces import complete, make_piece, one_thread, still_people
    from stages.synthesis.render.portrait import head_bank
    from stages.synthesis.stills import join_stills

    head_bank()
    base = load_params().corpus.model_dump()
    work = still_people(Corpus(**{**base, "seed": seed, "faces": count, "face_people": people}))
    pieces = folder / "pieces"
    pieces.mkdir(parents=True, exist_ok=True)
    outcome = map_videos(
        make_piece, work, pieces, suffix="", workers=None, description="stills",
        initializer=one_thread,
    )  # fmt: skip
    path = folder / "faces.h5"
    join_stills(path, list(complete(outcome, "", "people's faces").values()))
    return path


def logits(network: WithHead, name: str, crops: NDArray[np.uint8]) -> Floats:
    """(n, 12) mean of a picture's logits and its mirror image's."""
    encoder = visual_encoder(name)
    side = encoder.side_of(network.encoder)
    network.eval()
    both = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for images in (crops, crops[:, :, ::-1]):
            x = encoder.prepare(torch.from_numpy(images.copy()), side)
            both.append(network(x)[:, : len(AU_NAMES)].float().numpy())
    return np.asarray(np.mean(both, axis=0), np.float64)


def measure(network: WithHead, name: str) -> dict[str, float]:
    """Figures on the real photos and clips."""
    crops, smiling, _ = photos()
    scores = logits(network, name, crops)
    au12 = AU_NAMES.index("AU12")
    neutral = scores[~smiling]
    figures = {
        "photos, AU12 AUC": float(roc_auc_score(smiling, scores[:, au12])),
        "photos, AU12 hits at 2 % false alarms": float(
            (scores[smiling, au12] > np.quantile(neutral[:, au12], 0.98)).mean()
        ),
        "photos, AU12 on smiling": float((scores[smiling, au12] > 0).mean()),
    }
    for k, au in enumerate(AU_NAMES):
        figures[f"photos, {au} on neutral"] = float((neutral[:, k] > 0).mean())
    within: dict[str, list[float]] = {au: [] for au in BLENDSHAPES}
    pooled: dict[str, list[tuple[Floats, Floats]]] = {au: [] for au in BLENDSHAPES}
    for clip in clips():
        scores = logits(network, name, clip.crops)
        for au, shape in clip.shapes.items():
            column = scores[:, AU_NAMES.index(au)]
            low, high = np.quantile(shape, [0.25, 0.75])
            pooled[au].append((shape, column))
            if high - low >= SPREAD:
                ends = (shape <= low) | (shape >= high)
                within[au].append(float(roc_auc_score(shape[ends] >= high, column[ends])))
    for au, values in within.items():
        if values:
            figures[f"clips, {au} AUC within ({len(values)})"] = float(np.mean(values))
        shape, column = (np.concatenate(x) for x in zip(*pooled[au], strict=True))
        ends = (shape > 0.5) | (shape < 0.1)
        if len(set(shape[ends] > 0.5)) == 2:
            figures[f"clips, {au} AUC pooled"] = float(
                roc_auc_score(shape[ends] > 0.5, column[ends])
            )
    return figures


def main() -> None:
    """Render, train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--render", type=int, nargs=2, metavar=("PEOPLE", "COUNT"))
    parser.add_argument("--faces", type=Path, help="a file of stills instead")
    parser.add_argument("--encoder", default="ires100")
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--augmentation", type=float, default=1.0)
    parser.add_argument("--unweighted", action="store_true", help="a rare AU counts no more")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    params = load_params()
    settings = params.pretrain[options.encoder].model_copy(
        update={
            "epochs": options.epochs,
            "learning_rate": options.learning_rate,
            "augmentation": options.augmentation,
            "task": "au",
            "auxiliary": (),
            "reconstruction": None,
            "positive_weight": "none" if options.unweighted else "negatives",
        }
    )
    encoder = visual_encoder(options.encoder)
    with tempfile.TemporaryDirectory() as folder:
        faces, start = options.faces, time.perf_counter()
        if faces is None:
            people, count = options.render or (200, 3000)
            faces = render(people, count, Path(folder), options.seed)
            print(f"rendered in {time.perf_counter() - start:.0f} s")
        start = time.perf_counter()
        examples = load_examples(encoder, "small", settings, faces, options.seed)
        work = Path(folder) / "training"
        work.mkdir()
        network, _, held_out = pretrain(
            encoder, "small", settings, examples,
            seed=options.seed, compute=params.compute, folder=work,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    figures = {"training, seconds": seconds, **held_out, **measure(network, options.encoder)}
    for key, value in figures.items():
        print(f"{key:44s} {value:7.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
