"""The settings in ``params.yaml``, typed and checked before any work starts.

Every section is a frozen model that refuses keys it does not know, and lies in the room that reads
it. Commands alone import this file; it decides whether they begin, and never what comes out.
"""

from pathlib import Path
from typing import Self

import yaml
from pydantic import ValidationError, model_validator

from stages.core import paths
from stages.core.errors import SettingsError
from stages.core.refusals import sentence
from stages.encoders.source import at_scale
from stages.ensembles.settings import ExportSettings
from stages.pretraining.settings import Pretrain
from stages.sequence.settings import RunRow
from stages.sequence.training_presets import fill_training
from stages.synthesis.settings import Corpus


class Params(ExportSettings):
    """All of ``params.yaml``: what each room reads, and what must fit across the rooms."""

    corpus: Corpus
    pretrain: dict[str, Pretrain]

    @model_validator(mode="before")
    @classmethod
    def _training_of_the_preset(cls, content: object) -> object:
        return fill_training(content)

    @model_validator(mode="after")
    def _features_are_encoders(self) -> Self:
        for kind in ("visual", "audio"):
            known, asked = getattr(self, kind), getattr(self.features, kind)
            for name in asked:
                if name not in known:
                    raise ValueError(f"features.{kind} names {name!r}; allowed: {', '.join(known)}")
            if len(set(asked)) < len(asked):
                raise ValueError(f"features.{kind} names an encoder twice")
        for section in ("runs", "tables"):
            for name, row in getattr(self, section).items():
                self._run_fits(f"{section}.{name}", row)
        for name, settings in self.pretrain.items():
            if name not in getattr(self, settings.kind):
                raise ValueError(f"pretrain.{name}.kind is {settings.kind}, which has no {name}")
        return self

    @model_validator(mode="after")
    def _faces_are_learnt_from(self) -> Self:
        learning = (
            name
            for name, settings in self.pretrain.items()
            if settings.kind == "visual"
            and at_scale(self.visual[name].weights, self.scale).kind == "pretrain"
        )
        if self.data.faces != paths.CORPUS_FACES and not any(learning):
            raise ValueError(
                f"data.faces is {self.data.faces}, which no encoder would learn from: set "
                "visual.NAME.weights to pretrain for those that shall (at scale full their default "
                "are published weights, which pretrain.NAME.start: published begins with); "
                f"allowed without: {paths.CORPUS_FACES}"
            )
        return self

    def _run_fits(self, where: str, row: RunRow) -> None:
        for kind in ("visual", "audio"):
            known = getattr(self, kind)
            for name in getattr(row, kind) or ():
                if name not in known:
                    raise ValueError(f"{where}.{kind} names {name!r}; allowed: {', '.join(known)}")
        if row.visual == () or (row.visual is None and not self.features.visual):
            raise ValueError(f"{where}.visual is empty: a run reads one visual encoder at least")
        folds = self.splits.train_folds + self.splits.validation_folds
        if row.split.startswith("fold") and int(row.split[4:]) > folds:
            allowed = f"official, fold1 ... fold{folds}, mix1, mix2, ..."
            raise ValueError(f"{where}.split is {row.split!r}; allowed: {allowed}")


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the settings.

    Parameters
    ----------
    path : Path
        The YAML file.

    Returns
    -------
    Params

    Raises
    ------
    SettingsError
        When the file is missing, is no YAML, or holds a key or a value that is not allowed: the
        message names each such setting and what is allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is not here: run the command in the project's top folder."
        ) from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds no settings: restore it with `git checkout {path}`.")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{path}: {sentence(error, Params)}") from None
