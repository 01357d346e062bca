"""The task `cluster`: of steps that the encoder does not see, tell the cluster of sounds.

The targets are those of HuBERT's first iteration: k-means over cepstra. Two things are smaller than
there, for the corpus has minutes of speech where HuBERT had 960 hours: the clusters, and the spans
that are hidden. The loss also counts steps that the encoder does see (HuBERT's alpha is one half),
without which nothing is learnt in so short a time.

References
----------
W.-N. Hsu et al. HuBERT: self-supervised speech representation learning by masked prediction of
hidden units. IEEE/ACM TASLP 2021.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.encoders.base import AudioEncoder
from stages.learning.fit import epoch_seed
from stages.pretraining.speech import (
    PCM_SCALE,
    Parts,
    SpeechExamples,
    Utterance,
    training_batches,
    validation_batches,
)
from stages.pretraining.tasks import UNKNOWN, make_task

CLUSTERS = 50  # HuBERT: 100
MFCC_FRAME, MFCC_HOP = 0.025, 0.010  # seconds
MASK_STARTS = 0.065  # share of the steps at which a hidden span begins; HuBERT: 0.08
MASK_STEPS = 5  # length of a span, 100 ms; HuBERT: 10
MASKED = 0.5  # share of the loss that hidden steps have


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
            middles = np.arange(len(clusters), dtype=np.float64) * MFCC_HOP + MFCC_FRAME / 2
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
) -> Iterator[tuple[Tensor, ...]]:
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
        masks = torch.from_numpy(draw_masks(labels.shape[0], labels.shape[1], generator))
        columns = torch.where(masks, labels, UNKNOWN), torch.where(masks, UNKNOWN, labels)
        yield samples, masks, torch.stack(columns, dim=-1)


def cluster_examples(
    heard: list[Utterance], unheard: list[Utterance], encoder: AudioEncoder, batch: int, seed: int
) -> SpeechExamples:
    """Make examples of the task `cluster`."""
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
