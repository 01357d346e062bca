"""The encoders by name: those of the files in `backbones`."""

import pkgutil
from importlib import import_module

from stages.core.errors import SettingsError
from stages.encoders import backbones
from stages.encoders.base import AudioEncoder, Encoder, VisualEncoder

ENCODERS: dict[str, Encoder] = {
    module.name: import_module(f"{backbones.__name__}.{module.name}").ENCODER
    for module in pkgutil.iter_modules(backbones.__path__)
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
