"""The settings in ``params.yaml``, typed and checked before any work starts.

Every section is a frozen model that refuses keys it does not know.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from stages.core import paths
from stages.core.errors import SettingsError
from stages.core.refusals import sentence
from stages.core.setting_types import (
    Fraction,
    Number,
    Positive,
    Rate,
    Section,
    Share,
    Span,
)
from stages.core.settings import Compute
from stages.settings.choices import ChoiceSettings, Preset
from stages.settings.expressions import FaceExpressions
from stages.settings.network_settings import Model, Models
from stages.settings.run_settings import EnsembleSettings, RunRow, Splits
from stages.settings.sources import check_weights
from stages.settings.training_presets import fill_training

Weight = Annotated[float, Field(ge=0), Number]
Weights = Annotated[str, AfterValidator(check_weights)]
# it ends up in a cell of a Markdown table
LicenceText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^|\r\n]+$")]

PretrainTask = Literal["au", "va", "expression", "mae", "phoneme", "cluster", "speaker"]
PretrainData = Literal["faces", "faces+train", "corpus/speech"]
Scale = Literal["small", "full"]


class Data(Section):
    """The data root in the layout of Aff-Wild2, and the labelled faces for pre-training.

    `licence` and `faces_licence` are those of a user's own `root` and `faces`; the generated ones
    have theirs. `faces_expressions` says in whose order a CSV counts expressions; `frame_step` is
    in frames, `frame_rate` in Hz and that of videos of which there are published crops alone.
    """

    root: Path
    licence: LicenceText | None
    faces: Path
    faces_licence: LicenceText | None
    faces_expressions: FaceExpressions
    frame_step: Positive
    frame_rate: Rate | None


class Corpus(Section):
    """The generated corpus; lengths in seconds, rates in Hz, resolution in pixels."""

    seed: int = Field(ge=0)
    clips: Positive
    people: Positive | None
    seconds: Span
    test_clips: Positive
    test_seconds: Span
    frame_rate: Rate
    resolution: Positive
    faces: Positive
    face_people: Positive
    utterances: Positive
    speakers: Positive


class Crop(Section):
    """How faces are found and cut out; sides in pixels."""

    source: Literal["detect", "cropped_aligned"]
    detector: Literal["centerface", "insightface"]
    pack: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    detect_every: Positive
    detection_side: int = Field(ge=32)
    score_threshold: Share
    jpeg_quality: int = Field(ge=1, le=100)


class Mask(Section):
    """Masked copies of training videos; lengths in frames, `share` of the training frames."""

    enabled: bool
    hidden_label: Literal["zero", "ignore"]
    gap: int = Field(ge=0)
    minimum: Positive
    context: int = Field(ge=0)
    share: Annotated[float, Field(ge=0), Number]


class Visual(Section):
    """One encoder of face crops: where its weights come from, faces encoded at once."""

    weights: Weights
    batch: Positive


class Audio(Section):
    """One encoder of sound; `weights` is left out where it has none."""

    weights: Weights | None = None


class Reconstruction(Section):
    """First part of the task `mae`: share of the patches that are hidden, how long, how fast."""

    hidden: Annotated[float, Field(gt=0, lt=1), Number]
    epochs: Positive
    learning_rate: Rate


class Pretrain(Section):
    """How one encoder is pre-trained: its task, and those that are trained along with it.

    `kind` is the section that the encoder has its `weights` in, `data` the file below data/ that it
    learns from; `dvc.yaml` needs both. Task `mae` needs `reconstruction`, and `auxiliary` tasks
    for the supervised run that follows. `intensity_weight` is that of the loss of the AUs'
    intensity, where it is known, beside that of their presence. `augmentation` is how far and how
    often faces are varied, as a share of what `stages/pretraining/augmentation.py` says; sound is
    not varied.
    """

    kind: Literal["visual", "audio"]
    data: PretrainData
    augmentation: Share = 1.0
    task: PretrainTask
    auxiliary: tuple[PretrainTask, ...] = ()
    reconstruction: Reconstruction | None = None
    epochs: Positive
    batch: Positive
    learning_rate: Rate
    weight_decay: float = Field(ge=0)
    validation: Annotated[float, Field(gt=0, lt=1)]
    intensity_weight: Weight = 0.5
    positive_weight: Literal["negatives", "none"] = "negatives"

    @property
    def supervised(self) -> tuple[PretrainTask, ...]:
        """The tasks with labels; the first picks the best epoch."""
        tasks = (self.task, *self.auxiliary)
        return tasks[1:] if self.task == "mae" else tasks

    @model_validator(mode="after")
    def _tasks_fit(self) -> Self:
        if "mae" in self.auxiliary:
            raise ValueError("mae is no auxiliary task: make it the task")
        if (self.task == "mae") != (self.reconstruction is not None):
            raise ValueError("reconstruction belongs to the task mae, and to no other")
        if not self.supervised:
            raise ValueError("the task mae needs auxiliary tasks, for the supervised run after it")
        if len(set(self.supervised)) < len(self.supervised):
            raise ValueError("task and auxiliary name a task twice")
        return self


class Licences(Section):
    """What to do about weights that are not for commercial use."""

    noncommercial: Literal["warn", "refuse", "allow"]


class Features(Section):
    """Which feature stores the networks read."""

    visual: tuple[str, ...] = Field(min_length=1)
    audio: tuple[str, ...]


class Train(Section):
    """How the sequence networks are trained; lengths in frames.

    In ``params.yaml`` null takes the value of the preset (:mod:`stages.settings.training_presets`).

    `feature_noise` and `shift` are standard deviations, in those of the training part, of what is
    added to each embedding: anew in every frame, and once a window. `feature_dropout` is the share
    of the windows that lose the pictures' embeddings. None of them touches AU logits.
    """

    window: Positive
    batch: Positive
    epochs: Positive
    learning_rate: Rate
    weight_decay: float = Field(ge=0)
    step_epochs: Positive
    step_factor: Rate
    validations: Positive
    patience: Positive
    sound_dropout: Share
    feature_noise: Weight
    feature_dropout: Fraction
    shift: Weight
    intensity_weight: Weight
    seeds: Positive


class Single(Section):
    """How long a network is trained on each encoder alone; the rest is as in ``train``."""

    epochs: Positive
    step_epochs: Positive


class Params(Section):
    """All of ``params.yaml``."""

    seed: int = Field(ge=0)
    scale: Scale
    model: Model
    protocol: Preset
    choices: ChoiceSettings
    compute: Compute
    licences: Licences
    data: Data
    corpus: Corpus
    crop: Crop
    mask: Mask
    pretrain: dict[str, Pretrain]
    visual: dict[str, Visual]
    audio: dict[str, Audio]
    features: Features
    train: Train
    single: Single
    splits: Splits
    runs: dict[str, RunRow]
    tables: dict[str, RunRow]
    ensemble: EnsembleSettings
    models: Models

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

    @property
    def data_label(self) -> str:
        """What every figure is labelled with: ``synthetic``, or ``own_data`` of a user."""
        return "synthetic" if self.data.root == paths.CORPUS_VIDEOS else "own_data"

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
