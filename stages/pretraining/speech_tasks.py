"""What an encoder of sound is pre-trained for: its examples, its loss, and its figures.

``phoneme`` names the phoneme of each step. ``cluster`` is HuBERT's: of steps that the encoder does
not see, tell to which cluster of sounds they belong. ``speaker`` tells voices apart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from stages.encoders.base import AudioEncoder
from stages.fitting import epoch_seed
from stages.params import Pretrain
from stages.pretraining.speech import (
    PCM_SCALE,
    Utterance,
    load_speech,
    training_batches,
    validation_batches,
)
from stages.pretraining.tasks import UNKNOWN, Task, make_task

Batch = tuple[Tensor, ...]  # what the network takes, and the targets
Parts = tuple[list[Utterance], list[Utterance]]

# of HuBERT's first iteration
CLUSTERS = 50
MFCC_FRAME, MFCC_HOP = 0.025, 0.010  # seconds
MASK_STARTS = 0.065  # share of the steps at which a masked span begins
MASK_STEPS = 5  # length of a span
MASKED = 0.5  # HuBERT's alpha

VOICE_SECONDS = 1.0  # of a sample at least

# of speechbrain's recipe for ECAPA-TDNN
MARGIN = 0.2  # radians
SCALE = 30.0


@dataclass(frozen=True)
class SpeechExamples:
    """What to train on: ``training(epoch)`` and ``validation()`` yield batches."""

    training: Callable[[int], Iterator[Batch]]
    validation: Callable[[], Iterator[Batch]]
    task: Task
    count: int


def _phoneme(
    heard: list[Utterance],
    unheard: list[Utterance],
    encoder: AudioEncoder,
    batch: int,
    seed: int,
) -> SpeechExamples:
    labels = torch.cat([torch.from_numpy(u.labels) for u in (*heard, *unheard)])
    return SpeechExamples(
        lambda epoch: training_batches(heard, encoder, batch, seed, epoch),
        lambda: validation_batches(unheard, encoder, batch),
        make_task("phoneme", labels),
        len(heard),
    )


def mfcc(samples: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """Cepstral coefficients with their first and second differences, as HuBERT clusters them.

    Returns
    -------
    (frames, 39) np.ndarray
        A frame of 25 ms every 10 ms, from the first sample on.
    """
    from torchaudio.compliance import kaldi
    from torchaudio.functional import compute_deltas

    signal = torch.from_numpy(samples.astype(np.float32))[None] / PCM_SCALE
    if signal.shape[1] < round(MFCC_FRAME * rate):
        return np.zeros((0, 39), np.float32)
    coefficients = kaldi.mfcc(signal, sample_frequency=float(rate), use_energy=False).T
    first = compute_deltas(coefficients)
    joined = torch.cat([coefficients, first, compute_deltas(first)])
    return np.ascontiguousarray(joined.T.numpy())


def label_clusters(parts: Parts, rate: int, seed: int) -> tuple[Parts, float]:
    """Put clusters of short sounds, found in the training part, in the place of the phonemes.

    Parameters
    ----------
    parts : pair of list of Utterance
        Training and validation part.
    rate : int
        Sampling rate in Hz.
    seed : int
        Of k-means.

    Returns
    -------
    pair of list of Utterance
        Those that are long enough for a frame; a label is that of the 10 ms around a frame's
        middle.
    float
        Phone purity of the clusters in the validation part: the share of frames that have the
        phoneme which is the commonest in their cluster.

    References
    ----------
    W.-N. Hsu et al. HuBERT. IEEE/ACM TASLP 2021, sections IV.B and V.C.
    """
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    vectors = [[mfcc(u.samples, rate) for u in part] for part in parts]
    known = np.concatenate(vectors[0])
    with threadpool_limits(1):  # sums depend on the number of threads
        means = MiniBatchKMeans(
            min(CLUSTERS, len(known)), batch_size=10_000, n_init=5, random_state=seed
        ).fit(known)
        found = [[means.predict(v) if len(v) else [] for v in part] for part in vectors]
    labelled: Parts = ([], [])
    counts: dict[tuple[int, int], int] = {}
    for target, part, clusters_of in zip(labelled, parts, found, strict=True):
        for utterance, clusters in zip(part, clusters_of, strict=True):
            if not len(clusters):
                continue
            middles = MFCC_FRAME / 2 + MFCC_HOP * np.arange(len(clusters))
            if part is parts[1]:
                for pair in zip(clusters, utterance.at(middles), strict=True):
                    counts[pair] = counts.get(pair, 0) + 1
            target.append(
                replace(
                    utterance,
                    starts=middles - MFCC_HOP / 2,
                    ends=middles + MFCC_HOP / 2,
                    labels=np.asarray(clusters, np.int64),
                )
            )
    commonest: dict[int, int] = {}
    for (cluster, _), count in counts.items():
        commonest[cluster] = max(count, commonest.get(cluster, 0))
    return labelled, sum(commonest.values()) / max(1, sum(counts.values()))


def draw_masks(rows: int, steps: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Choose spans of steps to mask; they may overlap.

    Returns
    -------
    (rows, steps) np.ndarray
        bool, True for what is masked; about half.
    """
    starts = generator.random((rows, steps)) < MASK_STARTS
    starts[np.arange(rows), generator.integers(0, steps, rows)] = True  # a span at least
    started = np.cumsum(starts, axis=1)
    before = np.pad(started, ((0, 0), (MASK_STEPS, 0)))[:, :steps]
    return np.asarray(started > before)


def masked_batches(
    batches: Iterator[tuple[Tensor, Tensor]], generator: np.random.Generator
) -> Iterator[Batch]:
    """Add masks to batches of crops.

    Yields
    ------
    (batch, samples) torch.Tensor
    (batch, steps) torch.Tensor
        bool, the steps that the encoder does not see.
    (batch, steps, 2) torch.Tensor
        int64, the targets: labels of masked steps, and labels of those that the encoder sees;
        unknown for the others.
    """
    for samples, labels in batches:
        masks = torch.from_numpy(draw_masks(*labels.shape, generator))
        columns = torch.where(masks, labels, UNKNOWN), torch.where(masks, UNKNOWN, labels)
        yield samples, masks, torch.stack(columns, dim=-1)


def _cluster(
    heard: list[Utterance],
    unheard: list[Utterance],
    encoder: AudioEncoder,
    batch: int,
    seed: int,
) -> SpeechExamples:
    kmeans_seed = epoch_seed(seed, 0, "clusters") % 2**32
    (heard, unheard), purity = label_clusters((heard, unheard), encoder.sampling_rate, kmeans_seed)
    frames = make_task("phoneme", torch.cat([torch.from_numpy(u.labels) for u in heard]))

    def generator(epoch: int, purpose: str) -> np.random.Generator:
        return np.random.default_rng(epoch_seed(seed, epoch, purpose))

    def figures(outputs: Tensor, truth: Tensor) -> dict[str, float]:
        found = {
            f"{kind}_{key.removeprefix('frame_')}": value
            for kind, part in zip(("masked", "visible"), truth.unbind(-1), strict=True)
            for key, value in frames.figures(outputs, part).items()
            if key != "frame_error"
        }
        return {**found, "cluster_phone_purity": purity}

    def loss(outputs: Tensor, truth: Tensor) -> Tensor:
        masked, visible = (frames.loss(outputs, part) for part in truth.unbind(-1))
        return MASKED * masked + (1 - MASKED) * visible

    return SpeechExamples(
        lambda epoch: masked_batches(
            training_batches(heard, encoder, batch, seed, epoch), generator(epoch, "masks")
        ),
        lambda: masked_batches(
            validation_batches(unheard, encoder, batch), generator(0, "validation masks")
        ),
        replace(frames, name="cluster", loss=loss, figures=figures, monitor="masked_accuracy"),
        len(heard),
    )


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


def _speaker(
    heard: list[Utterance],
    unheard: list[Utterance],
    encoder: AudioEncoder,
    batch: int,
    seed: int,
) -> SpeechExamples:
    voices = sorted({u.speaker for u in heard})
    training, known = [], []
    last = {u.speaker: number for number, u in enumerate(heard)}
    several = {v for v in voices if sum(u.speaker == v for u in heard) > 1}
    for number, utterance in enumerate(heard):
        aside = last[utterance.speaker] == number and utterance.speaker in several
        (known if aside else training).append(utterance)
    everyone = [*training, *known, *unheard]
    speaker = np.array([u.speaker for u in everyone])
    number_of = torch.tensor([voices.index(s) if s in voices else UNKNOWN for s in speaker])

    def labelled(first: int, part: list[Utterance]) -> list[Utterance]:
        # a step's label is the number of its utterance, all the way through
        return [
            replace(
                utterance,
                starts=np.zeros(1),
                ends=np.array([len(utterance.samples) / encoder.sampling_rate]),
                labels=np.array([number]),
            )
            for number, utterance in enumerate(part, first)
        ]

    length = max(encoder.window, round(VOICE_SECONDS * encoder.sampling_rate))
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
        cosines, vectors = outputs.split([len(voices), outputs.shape[1] - len(voices)], dim=1)
        numbers = number_of[utterances]
        familiar = numbers != UNKNOWN
        hits = cosines[familiar].argmax(1) == numbers[familiar]
        return {
            "voice_accuracy": float(hits.double().mean()),
            "voice_accuracy_chance": 1 / len(voices),
            "verification_eer": verification_error(
                vectors[~familiar].numpy(),
                speaker[utterances[~familiar].numpy()],
                utterances[~familiar].numpy(),
            ),
            "verification_eer_chance": 0.5,
        }

    return SpeechExamples(
        lambda epoch: training_batches(taught, encoder, batch, seed, epoch, length),
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


_EXAMPLES = {"phoneme": _phoneme, "cluster": _cluster, "speaker": _speaker}


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
