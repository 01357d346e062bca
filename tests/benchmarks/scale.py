"""The tables of docs/scale.md: hours and disk at Aff-Wild2's size and at 100 times that.

``python -m tests.benchmarks.scale`` prints them. Rates that were measured are named with where;
those that nobody measured carry an ``(e)``, for estimate, wherever they enter.
"""

from dataclasses import dataclass
from typing import Final

FRAMES: Final = 2_600_000
EPOCH: Final = 26_250  # windows of the training videos
EPOCHS: Final = 50  # of the paper
VALUES: Final = 6_160  # features of a frame
CROP_BYTES: Final = 4_800  # of a frame, as the corpus has them
COPIES: Final = 0.5  # frames of masked copies for each frame; estimated
RUNS: Final = 6  # the folds of one ensemble

CROP: Final = 145  # frames a second a core, 256 pixels; measured
# frames a second of the stages at full scale on one H100, 16 cores; measured
VISUAL: Final = {"ires100": 6915, "mobilenet": 13751, "mae": 6428, "densenet": 5730, "vit": 6668}
AUDIO: Final = {"fbank": 27968, "wav2vec": 13896, "hubert": 12452, "ecapatdnn": 7722}
WINDOWS: Final = 466  # a second of the full transformer on one H100, batch 8, bf16; measured
SHARE: Final = 0.943  # of that when the windows are read from files; measured
VALIDATION: Final = 1.1  # training with validation beside training alone; estimated


@dataclass(frozen=True)
class Machines:
    """What a lab has."""

    name: str
    boxes: int
    cores: int  # a box
    gpus: int  # a box


SETUPS: Final = (
    Machines("1 box, 16 cores, 1 GPU", 1, 16, 1),
    Machines("1 box, 128 cores, 8 GPUs", 1, 128, 8),
    Machines("4 boxes, 16 cores and 1 GPU each", 4, 16, 1),
)


def hours(machines: Machines, frames: int) -> dict[str, float]:
    """Hours of each stage, as if work over videos were shared without a loss (e)."""
    cores, gpus = machines.boxes * machines.cores, machines.boxes * machines.gpus
    seen = sum(1 / rate for rate in VISUAL.values()) * frames * (1 + COPIES)
    heard = sum(1 / rate for rate in AUDIO.values()) * frames
    run = EPOCH * frames / FRAMES * EPOCHS / (WINDOWS * SHARE) * VALIDATION
    at_once = min(RUNS, machines.gpus)  # trainings stay on the box where `dvc repro` runs
    return {
        "`crop`": frames / (CROP * cores) / 3600,
        "`visual`, 5 encoders": seen / gpus / 3600,
        "`audio`, 4 encoders": heard / gpus / 3600,
        f"`train`, {RUNS} folds": run * -(-RUNS // at_once) / 3600,
    }


def table(frames: int) -> str:
    """Hours a stage for each of the machines, in Markdown."""
    columns = [hours(machines, frames) for machines in SETUPS]
    lines = [
        f"| hours for {frames / 1e6:,.1f} million frames | "
        + " | ".join(machines.name for machines in SETUPS)
        + " |",
        "| --- |" + " ---: |" * len(SETUPS),
    ]
    lines += [
        f"| {stage} | " + " | ".join(f"{column[stage]:,.1f}" for column in columns) + " |"
        for stage in columns[0]
    ]
    lines.append(
        "| together | " + " | ".join(f"{sum(column.values()):,.1f}" for column in columns) + " |"
    )
    return "\n".join(lines)


def sizes(frames: int) -> str:
    """What lies on the disk and what a disk must give, in a sentence."""
    crops, features = frames * CROP_BYTES / 1e9, frames * VALUES * 2 / 1e9
    reading = WINDOWS * 128 * VALUES * 2 / 1e9
    return (
        f"{frames / 1e6:,.1f} million frames: {crops:,.0f} GB of crops, {features:,.0f} GB of "
        f"features and {features * COPIES * sum((512, 768, 1280, 1024, 768)) / VALUES:,.0f} GB of "
        f"masked copies' (e), three times that with DVC's cache and `.partial`. A "
        f"GPU in training reads {reading:.2f} GB a second."
    )


def document() -> str:
    """All of it."""
    parts = [part for frames in (FRAMES, 100 * FRAMES) for part in (table(frames), sizes(frames))]
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(document())
