"""Where an encoder's weights come from: the setting `weights` of `visual` and `audio`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from stages.core import paths
from stages.core.errors import DataError

ALLOWED = (
    "default (pretrain at scale small, published at scale full), pretrain (made by the stage "
    "`pretrain`), published (the source that the encoder's entry pins), "
    "hub:OWNER/REPOSITORY[/FILE]@COMMIT of the Hugging Face hub (COMMIT of 40 digits, "
    "+sha256:HASH after it if you like), hub:insightface:PACK/FILE@sha256:HASH, "
    "hub:https://ADDRESS@sha256:HASH, file:PATH or file:PATH@sha256:HASH"
)
ORIGIN = "origin"  # key in our files' metadata: present where others made the weights
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:/([\w./-]+))?")
PACK = re.compile(r"insightface:([\w.-]+)/([\w.-]+\.onnx)")
ADDRESS = re.compile(r"https?://[^\s@]+/[\w.-]+")
REVISION = re.compile(r"([0-9a-f]{40})?(?:(?:^|\+)sha256:([0-9a-f]{64}))?")

Kind = Literal["pretrain", "published", "huggingface", "insightface", "address", "file"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where weights come from, and what they must be.

    Attributes
    ----------
    kind : str
        ``huggingface`` (the hub), ``insightface`` (one of its packs), ``address`` (a file at a
        URL, as of a release), ``file`` (a file or folder here); ``pretrain`` and ``published`` as
        the setting says.
    name : str
        OWNER/REPOSITORY, the pack, the URL, or the path.
    file : str
        File in the repository or pack; ``""`` where it is to be found.
    revision : str
        Commit of the hub's repository, 40 hexadecimal digits.
    sha256 : str
        Of the file; ``""`` only where the commit pins it, or for a file of the user's own.
    megabytes : int or None
        How large it is, where that is known.
    noncommercial : bool
        Whether its licence forbids commercial use.
    """

    kind: Kind
    name: str = ""
    file: str = ""
    revision: str = ""
    sha256: str = ""
    megabytes: int | None = None
    noncommercial: bool = False

    @property
    def text(self) -> str:
        """The setting that means this source; of a path the last part, which is no secret."""
        if self.kind in ("pretrain", "published"):
            return self.kind
        pin = "+".join(filter(None, [self.revision, self.sha256 and f"sha256:{self.sha256}"]))
        at = f"@{pin}" if pin else ""
        if self.kind == "file":
            return f"file:{Path(self.name).name}{at}"
        pack = "insightface:" if self.kind == "insightface" else ""
        inside = f"/{self.file}" if self.file and self.kind != "address" else ""
        return f"hub:{pack}{self.name}{inside}{at}"

    @classmethod
    def parse(cls, setting: str) -> Self:
        """Read a setting other than ``default``; ValueError names what is allowed."""
        if setting in ("pretrain", "published"):
            return cls(kind="pretrain" if setting == "pretrain" else "published")
        kind, _, place = setting.partition(":")
        name, at, pin = place.rpartition("@")
        if kind == "file" and place:
            # a path may hold an @ of its own
            content = at and re.fullmatch(r"sha256:([0-9a-f]{64})", pin)
            return cls(kind="file", name=name if content else place,
                       sha256=content[1] if content else "")  # fmt: skip
        pinned = REVISION.fullmatch(pin) if kind == "hub" and at and pin else None
        if pinned:
            commit, sha256 = pinned[1] or "", pinned[2] or ""
            if sha256 and not commit:
                if match := PACK.fullmatch(name):
                    return cls(kind="insightface", name=match[1], file=match[2], sha256=sha256)
                if ADDRESS.fullmatch(name):
                    file = name.rpartition("/")[2]
                    return cls(kind="address", name=name, file=file, sha256=sha256)
            elif match := REPOSITORY.fullmatch(name):
                return cls(kind="huggingface", name=match[1], file=match[2] or "",
                           revision=commit, sha256=sha256)  # fmt: skip
        raise ValueError(f"allowed are {ALLOWED}")


def check_weights(setting: str) -> str:
    """Return a ``weights`` setting if it is one; else ValueError names what is allowed."""
    if setting != "default":
        Source.parse(setting)
    return setting


def at_scale(setting: str, scale: str) -> Source:
    """Read a setting; what ``default`` means depends on the scale."""
    if setting == "default":
        setting = "pretrain" if scale == "small" else "published"
    return Source.parse(setting)


def made_path(encoder: str) -> Path:
    """Where the stage `pretrain` puts an encoder's weights, made or taken."""
    return paths.ENCODERS / f"{encoder}.safetensors"


def read_about(path: Path) -> dict[str, Any]:
    """Read what one of our weight files says of itself; empty for any other file."""
    import json

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {}).get("aufusion", "{}"))
    except (SafetensorError, OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def weights_path(encoder: str, setting: str | None, scale: str) -> Path | None:
    """Find the weights that the stage `pretrain` made or took for an encoder.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    setting : str or None
        As in ``params.yaml``; None for an encoder without weights.
    scale : str
        ``small`` or ``full``.

    Returns
    -------
    Path or None

    Raises
    ------
    DataError
        When there is no such file, or it holds weights that the setting does not mean.
    """
    if setting is None:
        return None
    path = made_path(encoder)
    again = f"run `dvc repro pretrain@{encoder}` first."
    if not path.is_file():
        raise DataError(f"{path} is missing: {again}")
    origin = read_about(path).get(ORIGIN, {})
    wanted = at_scale(setting, scale)
    found = "published" if origin.get("published") else origin.get("source", "pretrain")
    if wanted.text not in (found, origin.get("source")):
        raise DataError(f"{path} holds weights of {found}, the setting says {setting}: {again}")
    return path
