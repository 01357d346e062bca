"""Features of the faces, one run an encoder (`dvc repro visual@ires100`).

In: the manifest (data/index), the face crops (data/crops), the encoder's weights. Out:
data/features/visual/ENCODER.h5, a feature store with one row per decoded frame; rows of frames
without a face are NaN.
"""

import sys

from stages.core import paths
from stages.core.console import run_stage
from stages.core.errors import SettingsError
from stages.encoders.face_extraction import list_work, make_visual_store
from stages.settings.params import load_params


def main() -> None:
    """Encode the crops of every entry of the manifest with the encoder of the command line."""
    params = load_params()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in params.visual:
        allowed = ", ".join(params.visual)
        raise SettingsError(f"{name!r} is no encoder of `visual`; allowed: {allowed}.")
    path = paths.VISUAL_FEATURES / f"{name}.h5"
    make_visual_store(path, name, list_work(name, params), params, stage=f"visual@{name}")


if __name__ == "__main__":
    run_stage(main)
