"""Taking weights that others made: what the settings mean, whether they may be used, had, and fit.

The weights of all encoders are looked at before those of one are taken, so that all that is
missing is said at once.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stages.core.console import say
from stages.core.errors import DataError, SettingsError
from stages.core.licences import UNKNOWN, Use, enforce
from stages.encoders.base import Encoder
from stages.encoders.fetching import fetch, is_offline, trouble
from stages.encoders.registry import any_encoder
from stages.encoders.settings import EncoderSettings
from stages.encoders.source import ORIGIN, Source, at_scale, made_path, read_about
from stages.encoders.weights import take_weights


@dataclass(frozen=True)
class Choice:
    """An encoder and the source that its setting means.

    Attributes
    ----------
    key : str
        Name of the encoder's section: ``visual.ires100``.
    encoder : Encoder
    source : Source
    published : bool
        Whether that is the source pinned in the encoder's entry.
    """

    key: str
    encoder: Encoder
    source: Source
    published: bool

    def use(self, sha256: str = "") -> Use:
        """Terms of the source."""
        source, origin = self.source, self.encoder.origin
        same = origin and (
            self.published
            or (sha256 or source.sha256) == origin.sha256
            or (bool(source.revision) and source.revision == origin.revision)
        )
        restricted: bool | None
        if origin and same:
            licence, restricted = self.encoder.licence, origin.noncommercial
        elif source.kind == "insightface":
            licence, restricted = "non-commercial research only", True
        else:
            licence, restricted = UNKNOWN, None
        return Use(self.key, source.text, licence, restricted, sha256 or source.sha256)


def choose(encoder: Encoder, key: str, setting: str, scale: str) -> Choice:
    """Find what a ``weights`` setting means for an encoder.

    Raises
    ------
    SettingsError
        When it asks for published weights, and the encoder's entry pins none.
    """
    source = at_scale(setting, scale)
    if source.kind != "published":
        return Choice(key, encoder, source, False)
    if encoder.origin is None:
        raise SettingsError(
            f"{key}.weights = {setting!r} at scale {scale}: no published weights of "
            f"{encoder.name} are known; allowed: pretrain, hub:..., file:..."
        )
    return Choice(key, encoder, encoder.origin, True)


def choices(params: EncoderSettings) -> dict[str, Choice]:
    """What the settings mean for every encoder that has weights, by the encoder's name."""
    sections: tuple[tuple[str, Mapping[str, object]], ...] = (
        ("visual", params.visual),
        ("audio", params.audio),
    )
    found = {}
    for kind, section in sections:
        for name, settings in section.items():
            weights = getattr(settings, "weights", None)
            if weights is not None:
                found[name] = choose(any_encoder(name), f"{kind}.{name}", weights, params.scale)
    return found


def check_choices(chosen: Mapping[str, Choice], *, policy: str, offline: bool) -> None:
    """Look whether all weights may be used and can be had, before the work on one begins.

    Parameters
    ----------
    chosen : mapping of str to Choice
    policy : str
        ``licences.noncommercial``.
    offline : bool
        ``compute.offline``.

    Raises
    ------
    SettingsError
        When some may not be used.
    DataError
        When some cannot be had; one sentence for each says what to do.
    """
    others = {name: c for name, c in chosen.items() if c.source.kind != "pretrain"}
    enforce(policy, [choice.use() for choice in others.values()])
    wanted = [choice for name, choice in others.items() if not _is_made(name, choice)]
    if not wanted:
        return
    without_network = is_offline(offline)
    with ThreadPoolExecutor() as pool:
        troubles = list(pool.map(lambda c: trouble(c.source, without_network), wanted))
    sentences = [
        f"  {choice.key}.weights: {text}"
        for choice, text in zip(wanted, troubles, strict=True)
        if text
    ]
    if sentences:
        head = f"the weights of {len(sentences)} of {len(chosen)} encoders cannot be had:"
        raise DataError("\n".join([head, *sentences]))


def _is_made(name: str, choice: Choice) -> bool:
    origin = read_about(made_path(name)).get(ORIGIN, {})
    return origin.get("source") == choice.source.text and choice.source.kind != "file"


def take(choice: Choice, scale: str, offline: bool, path: Path) -> Use:
    """Fetch the weights of an encoder, check them, and write them as a file of ours.

    Parameters
    ----------
    choice : Choice
    scale : str
        ``small`` or ``full``; weights of the other scale's dimensions are taken as well.
    offline : bool
        ``compute.offline``.
    path : Path
        The file to write.

    Returns
    -------
    Use
        Terms and hash of what was taken.
    """
    say(f"{choice.key}.weights: {choice.source.text}")
    source, digest = fetch(choice.source, is_offline(offline))
    use = choice.use(digest)
    origin = {
        "source": choice.source.text,
        "published": choice.published,
        "licence": use.licence,
        "noncommercial": use.noncommercial,
        "sha256": digest,
    }
    network = take_weights(choice.encoder, scale, source, origin, path)
    say(f"{path}: {network.width} wide; licence: {use.licence}; sha256:{digest}")
    if choice.source.kind == "file" and not choice.source.sha256:
        say(f"so that DVC sees when the file changes, add @sha256:{digest} to the setting")
    return use
