"""An ensemble of sequence networks: how its members are joined, and the folder that it lives in.

``models/ensemble`` is all that predicting needs: ``ensemble.json``, the members' networks and the
encoders' weights, each file with its SHA-256. Nothing in it is unpickled, and no name in it leaves
the folder.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from stages.core.errors import DataError
from stages.core.facs import AU_NAMES
from stages.core.files import replacing_folder, write_json
from stages.core.hashing import file_hash
from stages.ensembles.calibration import Calibration
from stages.ensembles.weights import Weights
from stages.faces.settings import Crop
from stages.sequence.choices import CORRECTED, Choices

FORMAT: Final = 2  # 2: members may read AU outputs, and their logits stand for intensities
FILE: Final = "ensemble.json"
Rule = Literal["mean", "vote"]
RULES: Final = ("mean", "vote")
_FILE_NAME = re.compile(r"(members|encoders)/[A-Za-z0-9][A-Za-z0-9_.+-]*\.safetensors")


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of logits."""
    from scipy.special import expit

    return np.asarray(expit(logits.astype(np.float64)), np.float32)


def combine(logits: NDArray[np.float32], rule: Rule) -> NDArray[np.float32]:
    """Join what the members say.

    Parameters
    ----------
    logits : (members, frames, 12) np.ndarray
    rule : {"mean", "vote"}
        ``mean`` of the members' probabilities, or the share of members that say more than 0.5.

    Returns
    -------
    (frames, 12) np.ndarray
        float32 probabilities.
    """
    if rule == "vote":
        return np.asarray((logits >= 0).mean(0), np.float32)
    return np.asarray(sigmoid(logits).mean(0, dtype=np.float64), np.float32)


@dataclass(frozen=True)
class Member:
    """One network of an ensemble.

    Attributes
    ----------
    run : str
        The run that trained it.
    file : str
        Relative to the folder.
    sha256 : str
    visual, audio : tuple of str
        The encoders whose features it reads, in this order.
    aus : tuple of str
        The AUs that it is asked for; all of them but where each AU has a network of its own.
    """

    run: str
    file: str
    sha256: str
    visual: tuple[str, ...]
    audio: tuple[str, ...]
    aus: tuple[str, ...] = AU_NAMES


@dataclass(frozen=True)
class Ensemble:
    """All that ``ensemble.json`` says.

    Attributes
    ----------
    name : str
        Which of the submissions: ``kfold``.
    rule : {"mean", "vote"}
    window : int
        Frames a window; windows overlap by half.
    scale : {"small", "full"}
        Of the encoders.
    precision : str
        Of the encoders, as Fabric calls it, when the features that the members learnt were made.
    members : tuple of Member
    visual, audio : dict of str to Weights
        The encoders.
    crop : stages.check_settings.Crop
        How faces are found and cut out.
    calibration : Calibration
    scores : dict
        F1 by split, under ``label``: ``synthetic`` or ``own_data``.
    versions : dict of str to str
    folder : Path
        Where the files lie.
    choices : Choices
        The protocol that the members were trained by.
    data : tuple of mapping
        The videos that the members were trained on, with the licence: the fields of
        :class:`stages.core.licences.Dataset`. Empty in one that was exported before there was a
        record.
    """

    name: str
    rule: Rule
    window: int
    scale: str
    precision: str
    members: tuple[Member, ...]
    visual: Mapping[str, Weights]
    audio: Mapping[str, Weights]
    crop: Crop
    calibration: Calibration
    scores: Mapping[str, Any]
    versions: Mapping[str, str]
    folder: Path
    choices: Choices = CORRECTED
    data: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Content of ``ensemble.json``."""
        return {
            "format": FORMAT,
            "name": self.name,
            "rule": self.rule,
            "window": self.window,
            "scale": self.scale,
            "precision": self.precision,
            "aus": list(AU_NAMES),
            "members": [asdict(member) for member in self.members],
            "encoders": {
                "visual": {name: weights.as_dict() for name, weights in self.visual.items()},
                "audio": {name: weights.as_dict() for name, weights in self.audio.items()},
            },
            "crop": self.crop.model_dump(mode="json"),
            "choices": self.choices.model_dump(mode="json"),
            "calibration": self.calibration.as_dict(),
            "scores": dict(self.scores),
            "versions": dict(self.versions),
            "data": [dict(one) for one in self.data],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], folder: Path) -> Self:
        """Make one of the content of ``ensemble.json``; KeyError and the like for anything else."""
        if content["format"] != FORMAT or content["rule"] not in RULES:
            raise ValueError("another version of this project made it")
        members = tuple(
            Member(
                run=str(member["run"]),
                file=str(member["file"]),
                sha256=str(member["sha256"]),
                visual=tuple(member["visual"]),
                audio=tuple(member["audio"]),
                aus=tuple(member["aus"]),
            )
            for member in content["members"]
        )
        encoders = {
            kind: {
                name: Weights(**{**weights, "data": tuple(weights.get("data", ()))})
                for name, weights in content["encoders"][kind].items()
            }
            for kind in ("visual", "audio")
        }
        if not members or not all(
            set(member.visual) <= set(encoders["visual"])
            and set(member.audio) <= set(encoders["audio"])
            and set(member.aus) <= set(AU_NAMES)
            for member in members
        ):
            raise ValueError("its members read encoders that it does not have")
        if {au for member in members for au in member.aus} != set(AU_NAMES):
            raise ValueError("no member is asked for some of the AUs")
        return cls(
            name=str(content["name"]),
            rule=content["rule"],
            window=int(content["window"]),
            scale=str(content["scale"]),
            precision=str(content["precision"]),
            members=members,
            visual=encoders["visual"],
            audio=encoders["audio"],
            crop=Crop.model_validate(content["crop"]),
            calibration=Calibration.from_dict(content["calibration"]),
            scores=dict(content["scores"]),
            versions=dict(content["versions"]),
            folder=folder,
            choices=Choices.model_validate(content["choices"]),
            data=tuple(dict(one) for one in content.get("data", ())),
        )

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of each file beside ``ensemble.json``, by its path below the folder."""
        found = {member.file: member.sha256 for member in self.members}
        for weights in (*self.visual.values(), *self.audio.values()):
            if weights.file is not None:
                found[weights.file] = weights.sha256
        return found

    @property
    def hash(self) -> str:
        """SHA-256 of ``ensemble.json``, which names the hashes of all else."""
        return file_hash(self.folder / FILE)

    def combine(self, logits: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Join the members' logits, each (frames, 12), to probabilities (frames, 12)."""
        asked = [np.isin(AU_NAMES, member.aus) for member in self.members]
        joined = np.zeros_like(logits[0], np.float32)
        for au in range(joined.shape[1]):
            said = [rows[:, au] for rows, aus in zip(logits, asked, strict=True) if aus[au]]
            joined[:, au] = combine(np.stack(said), self.rule)
        return joined


def write_ensemble(ensemble: Ensemble, sources: Mapping[str, Path]) -> None:
    """Write the folder of an ensemble; it appears only when it is complete.

    Parameters
    ----------
    ensemble : Ensemble
    sources : mapping of str to Path
        What to copy to each of :attr:`Ensemble.files`.
    """
    with replacing_folder(ensemble.folder) as temporary:
        for name in ensemble.files:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(sources[name], temporary / name)
        write_json(temporary / FILE, ensemble.as_dict())


def load_ensemble(folder: Path) -> Ensemble:
    """Read and check the folder of an ensemble.

    Raises
    ------
    DataError
        When there is none, it is none, or a file of it is missing or not the one that it names.
    """
    path = folder / FILE
    try:
        ensemble = Ensemble.from_dict(json.loads(path.read_text(encoding="utf-8")), folder)
    except (FileNotFoundError, NotADirectoryError):
        remedy = "run `make repro`, or name the folder of an ensemble"
        raise DataError(f"{path} is not there: {remedy}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        section = "choices" if error.title == "Choices" else "crop"
        where = ".".join(map(str, (section, *first["loc"])))
        raise DataError(f"{path} is not an ensemble's: {where}: {first['msg']}.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not an ensemble's ({' '.join(str(error).split())}): export it again."
        ) from None
    for name, expected in ensemble.files.items():
        if not _FILE_NAME.fullmatch(name):
            raise DataError(f"{path} names {name!r}, which is no file of an ensemble.")
        try:
            found = file_hash(folder / name)
        except OSError:
            raise DataError(f"{folder / name} is missing: export the ensemble again.") from None
        if found != expected:
            raise DataError(
                f"{folder / name} is not the file that {path} was written with: copy the folder "
                "again, or export the ensemble again."
            )
    return ensemble
