"""The encoders by name."""

from stages.core.errors import SettingsError
from stages.encoders import (
    densenet,
    ecapatdnn,
    fbank,
    hubert,
    iresnet,
    mae,
    mobilenet,
    vit,
    wav2vec,
)
from stages.encoders.base import AudioEncoder, Encoder, VisualEncoder

ENCODERS: dict[str, Encoder] = {
    encoder.name: encoder
    for encoder in (
        iresnet.ENCODER,
        mobilenet.ENCODER,
        mae.ENCODER,
        densenet.ENCODER,
        vit.ENCODER,
        fbank.ENCODER,
        wav2vec.ENCODER,
        hubert.ENCODER,
        ecapatdnn.ENCODER,
    )
}


def _named(name: str, kind: type[Encoder]) -> Encoder:
    encoder = ENCODERS.get(name)
    if not isinstance(encoder, kind):
        allowed = ", ".join(n for n, e in ENCODERS.items() if isinstance(e, kind))
        raise SettingsError(f"{name!r} is no encoder for this; allowed: {allowed}.")
    return encoder


def any_encoder(name: str) -> Encoder:
    """Return an encoder of either kind; SettingsError names those there are."""
    return _named(name, Encoder)


def visual_encoder(name: str) -> VisualEncoder:
    """Return an encoder of pictures; SettingsError names those there are."""
    encoder = _named(name, VisualEncoder)
    assert isinstance(encoder, VisualEncoder)
    return encoder


def audio_encoder(name: str) -> AudioEncoder:
    """Return an encoder of sound; SettingsError names those there are."""
    encoder = _named(name, AudioEncoder)
    assert isinstance(encoder, AudioEncoder)
    return encoder
