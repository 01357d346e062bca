"""The folder from which anyone can predict: members, encoders, calibration."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.core import paths
from stages.core.feature_store import FeatureReader
from stages.core.hashing import file_hash
from stages.core.licences import root_data
from stages.encoders.licences import weights_terms
from stages.encoders.settings import LAST
from stages.encoders.source import weights_path
from stages.ensembles.calibration import Calibration
from stages.ensembles.ensemble import Ensemble, Member, write_ensemble
from stages.ensembles.members import Chosen
from stages.ensembles.settings import ExportSettings
from stages.ensembles.weights import Weights
from stages.sequence.features import visual_paths
from stages.sequence.predictions import RunPredictions
from stages.sequence.protocol import resolve_choices
from stages.sequence.run import network_path


def export(
    params: ExportSettings,
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
            sources[file] = network_path(paths.RUN_RESULTS / member.run, number)
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
            terms, layer = weights_terms(weights), getattr(settings, "layer", LAST)
            if weights is not None:
                sources[f"encoders/{encoder}.safetensors"] = weights
            found[encoder] = Weights(
                file=f"encoders/{encoder}.safetensors" if weights is not None else None,
                sha256=file_hash(weights) if weights is not None else "",
                batch=getattr(settings, "batch", 1),
                source=str(terms.get("source", "")),
                licence=str(terms.get("licence", "")),
                data=tuple(terms.get("data", ())),
                layer=layer if isinstance(layer, int) else None,
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
