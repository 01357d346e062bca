"""What an encoder of sound can be pre-trained for.

``phoneme`` names the phoneme of each step; ``cluster`` tells the cluster of sounds that hidden
steps belong to (:mod:`stages.pretraining.clusters`); ``speaker`` tells voices apart
(:mod:`stages.pretraining.voices`).
"""

from pathlib import Path

import torch

from stages.encoders.base import AudioEncoder
from stages.pretraining.clusters import cluster_examples
from stages.pretraining.settings import Pretrain
from stages.pretraining.speech import (
    SpeechExamples,
    Utterance,
    load_speech,
    training_batches,
    validation_batches,
)
from stages.pretraining.tasks import make_task
from stages.pretraining.voices import voice_examples


def phoneme_examples(
    heard: list[Utterance], unheard: list[Utterance], encoder: AudioEncoder, batch: int, seed: int
) -> SpeechExamples:
    """Make examples of the task `phoneme`."""
    labels = torch.cat([torch.from_numpy(u.labels) for u in (*heard, *unheard)])
    return SpeechExamples(
        lambda epoch: training_batches(heard, encoder, batch, seed, epoch),
        lambda: validation_batches(unheard, encoder, batch),
        make_task("phoneme", labels),
        len(heard),
    )


_EXAMPLES = {
    "phoneme": phoneme_examples,
    "cluster": cluster_examples,
    "speaker": voice_examples,
}


def allowed(encoder: AudioEncoder) -> tuple[str, ...]:
    """Names of the tasks that an encoder can be pre-trained for."""
    return tuple(name for name in _EXAMPLES if name != "cluster" or encoder.masks)


def load_examples(
    encoder: AudioEncoder, settings: Pretrain, data: Path, seed: int, split: int
) -> SpeechExamples:
    """Read labelled speech for one encoder and its task.

    Parameters
    ----------
    encoder : AudioEncoder
    settings : Pretrain
    data : Path
        See ``stages.synthesis.speech_data``.
    seed, split : int
        Seed of all that is random in training; seed of the choice of held-out speakers.

    Returns
    -------
    SpeechExamples
    """
    heard, unheard = load_speech(data, settings.validation, split)
    return _EXAMPLES[settings.task](heard, unheard, encoder, settings.batch, seed)
