"""The task `speaker`: tell voices apart.

Trained as speechbrain's recipe for ECAPA-TDNN trains: a softmax over the voices, by the angle
between an embedding and each voice's direction, with a margin for the right one. Of every known
voice one utterance is set aside, by whose accuracy the epoch is chosen. Voices that were held out
altogether give the equal error rate of verification, the field's measure, which has thus had no
part in the choice.

References
----------
B. Desplanques, J. Thienpondt, K. Demuynck. ECAPA-TDNN. Interspeech 2020.
J. Deng et al. ArcFace: additive angular margin loss for deep face recognition. CVPR 2019.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from stages.core.errors import DataError
from stages.encoders.base import AudioEncoder
from stages.pretraining.speech import (
    SpeechExamples,
    Utterance,
    training_batches,
    validation_batches,
)
from stages.pretraining.tasks import UNKNOWN, Task

LEAST = 8  # crops in a batch
SECONDS = 1.0  # of a sample at least
MARGIN = 0.2  # radians
SCALE = 30.0  # of the cosines before the softmax


class VoiceHead(nn.Module):
    """Cosines between an embedding and a direction a voice, and the embedding itself."""

    def __init__(self, width: int, voices: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(voices, width))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, steps, width) to (n, voices + width); steps are averaged."""
        direction = functional.normalize(x.float().mean(1), dim=-1)
        cosines = direction @ functional.normalize(self.weight, dim=-1).T
        return torch.cat([cosines, direction], dim=-1)


def equal_error_rate(scores: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Rate at which as many pairs of one voice are refused as pairs of two are accepted.

    Parameters
    ----------
    scores : (pairs,) np.ndarray
        Higher for a pair that is more alike.
    same : (pairs,) np.ndarray
        bool, whether it is one voice.
    """
    from sklearn.metrics import roc_curve

    accepted, hit, _ = roc_curve(same, scores, drop_intermediate=False)
    return float(np.interp(0.0, accepted + hit - 1, accepted))  # the sum never falls


def verification_error(
    vectors: NDArray[np.float32], voices: NDArray[np.int64], utterances: NDArray[np.int64]
) -> float:
    """Equal error rate over all pairs of windows that are not of one utterance; NaN for none.

    Parameters
    ----------
    vectors : (n, width) np.ndarray
        Of length 1: their product is the cosine.
    voices, utterances : (n,) np.ndarray
    """
    first, second = np.triu_indices(len(vectors), 1)
    pairs = utterances[first] != utterances[second]
    first, second = first[pairs], second[pairs]
    same = voices[first] == voices[second]
    if same.all() or not same.any():
        return float("nan")
    return equal_error_rate(np.einsum("ij,ij->i", vectors[first], vectors[second]), same)


def without_scraps(batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Join what is too small for batch norm, such as an epoch's last batch, to its neighbour."""
    held: tuple[Tensor, Tensor] | None = None
    for samples, labels in batches:
        if held is None:
            held = samples, labels
        elif min(len(samples), len(held[0])) < LEAST:
            held = torch.cat([held[0], samples]), torch.cat([held[1], labels])
        else:
            yield held
            held = samples, labels
    if held is not None:
        yield held


def voice_examples(
    heard: list[Utterance], unheard: list[Utterance], encoder: AudioEncoder, batch: int, seed: int
) -> SpeechExamples:
    """Make examples of the task `speaker`; DataError where no utterance can be set aside."""
    voices = sorted({u.speaker for u in heard})
    last = {u.speaker: number for number, u in enumerate(heard)}
    first = {u.speaker: number for number, u in reversed(list(enumerate(heard)))}
    aside = {last[voice] for voice in voices if first[voice] < last[voice]}
    if not aside:
        raise DataError("The task `speaker` needs two utterances of a voice: one is set aside.")
    training = [u for number, u in enumerate(heard) if number not in aside]
    known = [heard[number] for number in sorted(aside)]
    everyone = [*training, *known, *unheard]
    speaker = np.array([u.speaker for u in everyone])
    number_of = torch.tensor([voices.index(s) if s in voices else UNKNOWN for s in speaker])

    length = max(encoder.window, round(SECONDS * encoder.sampling_rate))

    def labelled(begin: int, part: list[Utterance]) -> list[Utterance]:
        # a step's label is the number of its utterance, all the way through
        return [
            replace(
                utterance,
                starts=np.zeros(1),
                ends=np.array([max(len(utterance.samples), length) / encoder.sampling_rate]),
                labels=np.array([number]),
            )
            for number, utterance in enumerate(part, begin)
        ]

    taught = labelled(0, training)
    asked = labelled(len(training), [*known, *unheard])

    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        from speechbrain.nnet.losses import AdditiveAngularMargin, LogSoftmaxWrapper

        numbers = number_of.to(truth.device)[truth]
        margin = LogSoftmaxWrapper(AdditiveAngularMargin(MARGIN, SCALE))
        value: Tensor = margin(outputs[:, None, : len(voices)], numbers)
        return value

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        inside = truth[:, 0] != UNKNOWN
        outputs, utterances = outputs[inside], truth[inside, 0]
        cosines, vectors = outputs[:, : len(voices)], outputs[:, len(voices) :]
        numbers = number_of[utterances]
        familiar = numbers != UNKNOWN
        hits = cosines[familiar].argmax(1) == numbers[familiar]
        found = {
            "voice_accuracy": float(hits.double().mean()),
            "voice_accuracy_chance": 1 / len(voices),
        }
        new = utterances[~familiar].numpy()
        error = verification_error(vectors[~familiar].numpy(), speaker[new], new)
        if not np.isnan(error):
            found.update({"verification_eer": error, "verification_eer_chance": 0.5})
        return found

    return SpeechExamples(
        lambda epoch: without_scraps(training_batches(taught, encoder, batch, seed, epoch, length)),
        lambda: validation_batches(asked, encoder, batch, length),
        Task(
            "speaker",
            len(voices),
            loss,
            figures,
            "voice_accuracy",
            head=lambda width: VoiceHead(width, len(voices)),
        ),
        len(training),
    )
