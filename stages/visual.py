"""Features of the faces, one run per encoder (`dvc repro visual@ires100`).

In: the manifest (data/index), the face crops (data/crops), the list of masked copies of training
videos (data/masked.h5), the encoder's weights. Out: data/features/visual/ENCODER, a feature store
with one row per decoded frame; rows of frames without a face are NaN. And
data/features/masked/ENCODER, the same of the copies. What is as it was is not encoded again: other
copies cost no video.
"""

import sys

from stages.check_settings import load_params
from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import SettingsError
from stages.core.feature_store import FeatureWriter
from stages.core.files import replacing_folder
from stages.crops.masked_clips import read_copies
from stages.encoders.face_extraction import list_work, make_visual_store, of_copies


def main() -> None:
    """Encode the crops of every entry, and the masked copies, with one encoder."""
    params = load_params()
    name = " ".join(sys.argv[1:])
    if name not in params.visual:
        allowed = ", ".join(params.visual)
        raise SettingsError(f"{name!r} is no encoder of `visual`; allowed: {allowed}.")
    items = list_work(name, params)
    make_visual_store(paths.VISUAL_FEATURES / name, name, items, params, stage=f"visual@{name}")
    path = paths.MASKED_FEATURES / name
    items = of_copies(items, read_copies(paths.MASKED))
    if items:
        make_visual_store(path, name, items, params, stage=f"visual@{name}-masked")
        return
    say(f"masked: no masked copies for {name}")
    with replacing_folder(path) as fresh:
        FeatureWriter(fresh, encoder=name, weights_hash="", width=0, settings={}).close()


if __name__ == "__main__":
    run_stage(main)
