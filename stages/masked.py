"""Features of the masked copies of training videos, all encoders in one run (`dvc repro masked`).

In: the list of copies (data/masked.h5), the manifest (data/index), the face crops (data/crops), the
encoders' weights. Out: data/features/masked/ENCODER.h5, a feature store with one dataset a copy.

There is little to encode, and to start a process for each encoder would take longer than that. What
is encoded stays in `.partial` until all encoders are done: a run that was killed goes on there.
"""

from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.feature_store import FeatureWriter
from stages.core.parallel import clear_partial
from stages.crops.masked_clips import read_copies
from stages.encoders.face_extraction import list_work, make_visual_store, of_copies
from stages.settings.params import load_params


def main() -> None:
    """Encode the masked copies with every visual encoder."""
    params = load_params()
    copies = read_copies(paths.MASKED)
    paths.MASKED_FEATURES.mkdir(parents=True, exist_ok=True)
    for name in params.visual:
        path = paths.MASKED_FEATURES / f"{name}.h5"
        items = of_copies(list_work(name, params), copies)
        if items:
            make_visual_store(path, name, items, params, stage=f"masked@{name}", keep=True)
            continue
        say(f"masked: no masked copies for {name}")
        FeatureWriter(path, encoder=name, weights_hash="", width=0, settings={}).close()
    for name in params.visual:
        clear_partial(f"masked@{name}")


if __name__ == "__main__":
    run_stage(main)
