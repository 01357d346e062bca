"""Join runs to ensembles, calibrate and export the main one (`dvc repro ensemble`).

In: the runs' networks and what they say of the videos that they were not trained on (models/runs),
labels (data/inputs.h5), the encoders' weights and a store of their features. Out: data/ensembles,
the joined predictions of each of the five submissions for which enough runs are trained;
metrics/ensembles.json, F1 on validation and test and the ladder of calibration (numbers only,
tracked by git); and models/ensemble, the folder from which anyone can predict.

An ensemble's probability of a video comes from those members alone that were not trained on it: for
seven folds from one of them on a train or validation video, from all on a test video.
"""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.errors import DataError, SettingsError
from stages.core.facs import AU_NAMES, NOT_ANNOTATED
from stages.core.feature_store import FeatureReader
from stages.core.files import write_json
from stages.core.hashing import file_hash
from stages.core.intensity import intensity_of
from stages.ensembles.calibration import Calibration, Judged, decide, f1_of
from stages.ensembles.calibration_fit import Limits, alarms_at_rest, cross_fit, fit_calibration
from stages.ensembles.ensemble import Ensemble, Member, Weights, combine, write_ensemble
from stages.ensembles.members import SUBMISSIONS, Chosen, choose_members, held_out_f1
from stages.learning.metrics import by_au, f1_per_au, icc_per_au
from stages.sequence.dataset import Video, load_videos
from stages.sequence.features import visual_paths
from stages.sequence.predictions import FILE as PREDICTIONS
from stages.sequence.predictions import PredictionWriter, RunPredictions, read_predictions
from stages.sequence.protocol import resolve_choices
from stages.sequence.run import network_path
from stages.sequence.runs import all_rows, result_folder
from stages.sequence.splits import LABELLED, assign_parts, label_counts
from stages.settings.licences import root_data, weights_terms
from stages.settings.params import Params, load_params
from stages.settings.run_settings import AUTO, FRAME_HEAD
from stages.settings.sources import weights_path

SCORED = ("validation", "test")
LADDER = ("raw", "thresholds", "smoothing")
Probabilities = dict[str, NDArray[np.float32]]


def join(chosen: Sequence[Chosen], runs: Mapping[str, RunPredictions], rule: Any) -> Probabilities:
    """Probabilities of every video that some member was not trained on for each AU.

    Every network of a run, one a seed, has its say.

    Parameters
    ----------
    chosen : sequence of Chosen
    runs : mapping of str to RunPredictions
    rule : {"mean", "vote"}

    Returns
    -------
    dict of str to (frames, 12) np.ndarray
        By video.
    """
    found: Probabilities = {}
    for video in sorted({name for member in chosen for name in runs[member.run].videos}):
        columns = []
        for au in AU_NAMES:
            said = [
                seed[video][:, AU_NAMES.index(au)]
                for member in chosen
                if au in member.aus
                for seed in runs[member.run].seeds
                if video in seed
            ]
            if not said:
                break
            columns.append(combine(np.stack(said), rule))
        else:
            found[video] = np.stack(columns, axis=1)
    return found


def judged(
    probabilities: Probabilities, videos: Mapping[str, Video], *splits: str
) -> dict[str, Judged]:
    """Bring together labels and probabilities of the videos of some splits."""
    return {
        name: Judged(videos[name].labels, rows, videos[name].group)
        for name, rows in probabilities.items()
        if videos[name].split in splits and not videos[name].masked
    }


@dataclass(frozen=True)
class Fit:
    """What calibration made of an ensemble.

    Attributes
    ----------
    calibration : Calibration
        Fitted on all train and validation videos that no member was trained on.
    f1 : dict of str to dict of str to (12,) np.ndarray
        By step and split: on validation cross-fitted, on test by what was fitted elsewhere.
    icc : dict of str to (12,) np.ndarray
        ICC(3,1) of the intensities by split: on validation without smoothing, for nothing is fitted
        then, on test with it. Only where the intensities are known.
    validation : dict of str to (frames, 12) bool np.ndarray
        Cross-fitted decisions on the validation videos.
    """

    calibration: Calibration
    f1: dict[str, dict[str, NDArray[np.float64]]]
    icc: dict[str, NDArray[np.float64]]
    validation: dict[str, NDArray[np.bool_]]


def intensity_icc(
    found: Probabilities, videos: Mapping[str, Video], split: str, calibration: Calibration
) -> NDArray[np.float64] | None:
    """ICC(3,1) of each AU's intensity on a split, (12,); None where no intensity is known."""
    pairs = [
        (video.intensity, intensity_of(calibration.smooth(found[name])))
        for name, video in sorted(videos.items())
        if video.split == split
        and not video.masked
        and video.intensity is not None
        and name in found
    ]
    if not pairs:
        return None
    truth, said = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return icc_per_au(truth, said)


def unbeaten(
    fits: Mapping[str, Fit], videos: Mapping[str, Video]
) -> tuple[str, dict[str, tuple[float, float]]]:
    """Choose the best ensemble on validation that beats the baseline; else the baseline.

    Parameters
    ----------
    fits : mapping of str to Fit
        With ``frame_head`` or without.
    videos : mapping of str to Video

    Returns
    -------
    str
        The chosen one.
    dict of str to (float, float)
        By ensemble, how much higher its validation F1 is than the baseline's, and the standard
        error of that: jackknife over people, who are left out one by one.
    """
    others = [name for name in fits if name != FRAME_HEAD]

    def f1(name: str, left_out: str = "") -> float:
        said = {
            video: rows
            for video, rows in fits[name].validation.items()
            if videos[video].group != left_out
        }
        if not said:
            return 0.0
        labels = np.concatenate([videos[video].labels for video in said])
        return float(f1_per_au(labels, np.concatenate(list(said.values()))).mean())

    best = max(others, key=f1) if others else FRAME_HEAD
    if FRAME_HEAD not in fits:
        return best, {}
    groups = sorted({videos[name].group for name in fits[FRAME_HEAD].validation})
    without = {name: np.array([f1(name, group) for group in groups]) for name in fits}
    margins = {}
    for name in others:
        spread = without[name] - without[FRAME_HEAD]
        error = np.sqrt(max(len(groups) - 1, 0) * spread.var()) if len(groups) else 0.0
        margins[name] = (f1(name) - f1(FRAME_HEAD), float(error))
    beaten = [name for name, (gain, error) in margins.items() if gain > error]
    return (max(beaten, key=f1) if beaten else FRAME_HEAD), margins


def ladder(params: Params, probabilities: Probabilities, videos: Mapping[str, Video]) -> Fit:
    """Fit the calibration, and say what each step of it is worth.

    Returns
    -------
    Fit
    """
    settings = params.ensemble
    fitting = judged(probabilities, videos, *LABELLED)
    test = judged(probabilities, videos, "test")
    if all((video.labels == NOT_ANNOTATED).all() for video in test.values()):
        test = {}  # a user's test videos may have no labels
    names = sorted(fitting)
    parts = assign_parts(label_counts([videos[name] for name in names]), settings.parts)
    limits = Limits(*settings.thresholds, false_alarms=settings.false_alarms)
    validation = [name for name in names if videos[name].split == "validation"]
    f1: dict[str, dict[str, NDArray[np.float64]]] = {}
    calibration = Calibration()
    for step in LADDER:
        if step == "raw":
            decisions = decide([fitting[name] for name in names], calibration)
        else:
            widths = settings.smoothing if step == "smoothing" else (0,)
            decisions = cross_fit([fitting[name] for name in names], parts, widths, limits)
            calibration = fit_calibration([fitting[name] for name in names], widths, limits)
        said = dict(zip(names, decisions, strict=True))
        f1[step] = {}
        if validation:
            mine = [fitting[name] for name in validation]
            f1[step]["validation"] = f1_of(mine, [said[name] for name in validation])
        if test:
            f1[step]["test"] = f1_of(list(test.values()), decide(list(test.values()), calibration))
    if settings.false_alarms is not None:
        rates = alarms_at_rest([fitting[name] for name in names], calibration)
        over = [
            f"{au} {100 * rate:.1f} %"
            for au, rate in zip(AU_NAMES, rates, strict=True)
            if rate > settings.false_alarms + 1e-9
        ]
        if over:
            say(
                f"more false alarms at rest than asked, at the highest threshold: {', '.join(over)}"
            )
    if settings.offsets:
        moved = tuple(settings.offsets.get(au, 0.0) for au in AU_NAMES)
        calibration = replace(calibration, offsets=moved)
        if test:
            decisions = decide(list(test.values()), calibration)
            f1["offsets"] = {"test": f1_of(list(test.values()), decisions)}
    icc = {
        split: values
        for split, fitted in (("validation", Calibration()), ("test", calibration))
        if (values := intensity_icc(probabilities, videos, split, fitted)) is not None
    }
    return Fit(calibration, f1, icc, {name: said[name] for name in validation})


def export(
    params: Params,
    name: str,
    chosen: Sequence[Chosen],
    runs: Mapping[str, RunPredictions],
    calibration: Calibration,
    scores: Mapping[str, Any],
) -> None:
    """Write models/ensemble."""
    sources: dict[str, Path] = {}
    members = []
    for member in chosen:
        run, seeds = runs[member.run].run, len(runs[member.run].seeds)
        for number in range(seeds):
            stem = f"{member.run}-seed{number}" if seeds > 1 else member.run
            file = f"members/{stem}.safetensors"
            sources[file] = network_path(result_folder(params, member.run), number)
            members.append(
                Member(
                    run=member.run,
                    file=file,
                    sha256=file_hash(sources[file]),
                    visual=tuple(run["visual"]),
                    audio=tuple(run["audio"]),
                    aus=member.aus,
                )
            )
    encoders: dict[str, dict[str, Weights]] = {"visual": {}, "audio": {}}
    for kind, found in encoders.items():
        for encoder in sorted({name for member in members for name in getattr(member, kind)}):
            settings = getattr(params, kind)[encoder]
            weights = weights_path(encoder, settings.weights, params.scale)
            terms = weights_terms(weights)
            if weights is not None:
                sources[f"encoders/{encoder}.safetensors"] = weights
            found[encoder] = Weights(
                file=f"encoders/{encoder}.safetensors" if weights is not None else None,
                sha256=file_hash(weights) if weights is not None else "",
                batch=getattr(settings, "batch", 1),
                source=str(terms.get("source", "")),
                licence=str(terms.get("licence", "")),
                data=tuple(terms.get("data", ())),
            )
    with FeatureReader(visual_paths(members[0].visual)[0]) as store:
        precision = json.loads(store.attributes["settings"]).get("precision", "32-true")
    ensemble = Ensemble(
        name=name,
        rule=params.ensemble.rule,
        window=params.train.window,
        scale=params.scale,
        precision=precision,
        members=tuple(members),
        visual=encoders["visual"],
        audio=encoders["audio"],
        crop=params.crop,
        calibration=calibration,
        scores=scores,
        versions={package: version(package) for package in ("torch", "torchaudio", "onnxruntime")},
        folder=paths.ENSEMBLE,
        choices=resolve_choices(params),
        data=(asdict(root_data(params.data.root, params.data.licence)),),
    )
    write_ensemble(ensemble, sources)


def write_predictions(
    path: Path, chosen: Sequence[Chosen], found: Probabilities, rule: str
) -> None:
    """Write an ensemble's probabilities as the logits of a run."""
    about = {
        "name": path.stem,
        "members": [member.run for member in chosen],
        "aus": {member.run: list(member.aus) for member in chosen},
        "rule": rule,
    }
    safe = {
        video: np.clip(rows.astype(np.float64), 1e-6, 1 - 1e-6) for video, rows in found.items()
    }
    with PredictionWriter(path, about) as writer:
        writer.write(0, ((video, np.log(rows / (1 - rows))) for video, rows in safe.items()))


def choose_main(setting: str, fits: Mapping[str, Fit], videos: Mapping[str, Video]) -> str:
    """Choose what is exported, and say whether it beats the baseline.

    Raises
    ------
    DataError
        When the setting names an ensemble for which runs are missing.
    """
    if not fits or (setting not in fits and setting != AUTO):
        raise DataError(
            f"ensemble.main = {setting!r} needs runs that `runs` does not have; "
            f"with those it has there can be: {', '.join(fits) or 'none'}."
        )
    best, margins = unbeaten(fits, videos)
    for name, (gain, error) in margins.items():
        say(f"{name} against frame_head: validation F1 {gain:+.3f}, standard error {error:.3f}")
    if setting not in (AUTO, best):
        say(f"ensemble.main is {setting}; by validation F1 it would be {best}")
    return best if setting == AUTO else setting


def main() -> None:
    """Make every ensemble for which the runs are there; calibrate and export the main one."""
    params = load_params()
    if sys.argv[1:] not in ([], ["tables"]):
        raise SettingsError("Give nothing, or `tables` for the ensembles of all runs.")
    exporting = not sys.argv[1:]
    rows = params.runs if exporting else all_rows(params)
    folder = paths.ENSEMBLE_PREDICTIONS if exporting else paths.TABLE_ENSEMBLES
    videos = {video.name: video for video in load_videos()}
    runs = {name: read_predictions(result_folder(params, name) / PREDICTIONS) for name in rows}
    f1 = {name: held_out_f1(predictions, videos) for name, predictions in runs.items()}
    splits = {name: str(predictions.run["split"]) for name, predictions in runs.items()}
    unknown = [name for name, values in f1.items() if values is None]
    if unknown:
        say(
            f"{', '.join(unknown)}: nothing annotated was held out (splits.mix_held_out?), so they "
            "are in no ensemble that chooses its members: au_top, model, kfold_mix"
        )
    shutil.rmtree(folder, ignore_errors=True)
    baselines = {name for name, said in runs.items() if said.run["model"] == FRAME_HEAD}
    content: dict[str, Any] = {}
    fits: dict[str, Fit] = {}
    members: dict[str, list[Chosen]] = {}
    for name in (*SUBMISSIONS, FRAME_HEAD):
        chosen = choose_members(name, splits, f1, params.ensemble.members, baselines)
        if not chosen:
            continue
        found = join(chosen, runs, params.ensemble.rule)
        write_predictions(folder / f"{name}.h5", chosen, found, params.ensemble.rule)
        members[name], fits[name] = chosen, ladder(params, found, videos)
        steps = fits[name].f1
        content[name] = {
            step: {split: by_au(values) for split, values in by_split.items()}
            for step, by_split in steps.items()
        }
        icc = fits[name].icc
        if icc:
            content[name]["intensity_icc"] = {split: by_au(icc[split]) for split in icc}
        shown = ", ".join(
            f"{split} {' > '.join(f'{steps[step][split].mean():.3f}' for step in LADDER)}"
            for split in steps["raw"]
        )
        said = "".join(f"; ICC {split} {np.nanmean(icc[split]):.3f}" for split in icc)
        networks = sum(len(runs[member.run].seeds) for member in chosen)
        say(
            f"ensemble {name} ({len(chosen)} runs, {networks} networks): F1 {shown} "
            f"({' > '.join(LADDER)}){said}"
        )
    if exporting:
        name = choose_main(params.ensemble.main, fits, videos)
        scores = {"label": params.data_label, **content[name]}
        export(params, name, members[name], runs, fits[name].calibration, scores)
        content[name]["exported"] = 1
    target = paths.ENSEMBLE_SCORES if exporting else paths.TABLE_ENSEMBLE_SCORES
    write_json(target, {params.data_label: content})


if __name__ == "__main__":
    run_stage(main)
