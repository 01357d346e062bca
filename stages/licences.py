"""List the data and weights behind the networks, with their licences (`dvc repro licences`).

In: the face crops (data/crops) and the feature stores that the runs read, which say what they
were made with. Out: metrics/licences.md. With `licences.noncommercial: refuse` it stops where any
of them is not for commercial use, or of an unknown licence.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.feature_store import FeatureReader
from stages.core.files import write_text
from stages.core.licences import Use, as_table, data_use, enforce, root_data
from stages.crops.crop_file import CropReader
from stages.encoders.licences import store_use
from stages.faces.detector import detector_use
from stages.sequence.features import audio_paths, visual_paths
from stages.sequence.runs import Run, read_runs


def crop_uses(folder: Path) -> list[Use]:
    """Terms of the detectors that crops were made with; published crops need none."""
    found: set[Use] = set()
    for path in sorted(folder.glob("*.h5")):
        with CropReader(path) as crops:
            about: dict[str, Any] = crops.attributes
        if "detector" in about:
            found.add(detector_use(about["detector"], about.get("pack", "")))
    return sorted(found, key=lambda use: use.source)


def feature_uses(runs: Sequence[Run]) -> list[Use]:
    """Terms of the weights of all encoders that some runs read."""
    uses = []
    for kind, stores in (("visual", visual_paths), ("audio", audio_paths)):
        names = sorted({name for run in runs for name in getattr(run, kind)})
        for path in stores(names):
            with FeatureReader(path) as store:
                uses.append(store_use(f"{kind}.{path.name}", store.attributes))
    return uses


def main() -> None:
    """Write the list."""
    params = load_params()
    videos = data_use("data.root", root_data(params.data.root, params.data.licence))
    runs = read_runs("runs")
    uses = [videos, *crop_uses(paths.CROPS), *feature_uses(runs)]
    enforce(params.licences.noncommercial, uses)
    head = "# Weights and data of this run, and their licences\n\nWritten by the stage `licences`, "
    head += "from the settings and from what the crops and the feature stores say of themselves. "
    head += "The sequence networks are trained on data.root.\n\n"
    write_text(paths.LICENCES, head + as_table(uses))
    say(f"{paths.LICENCES}: {len(uses)} entries")


if __name__ == "__main__":
    run_stage(main)
