"""Tasks of sound: clusters, masks, voices; against scikit-learn, torchaudio and arithmetic."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from stages.core.errors import DataError
from stages.encoders.registry import audio_encoder
from stages.pretraining import clusters, speech_tasks, voices
from stages.pretraining.settings import Pretrain
from stages.pretraining.speech import Utterance, load_speech
from tests import stand_ins


def settings(task: str, **changes: object) -> Pretrain:
    usual = {
        "kind": "audio",
        "data": "corpus/speech",
        "task": task,
        "epochs": 1,
        "batch": 4,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "validation": 0.5,
    }
    return Pretrain.model_validate({**usual, **changes})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    stand_ins.write_speech(tmp_path / "speech.h5")
    return tmp_path / "speech.h5"


def test_each_encoder_is_offered_the_tasks_it_can_do() -> None:
    assert speech_tasks.allowed(audio_encoder("wav2vec")) == ("phoneme", "speaker")
    assert speech_tasks.allowed(audio_encoder("hubert")) == ("phoneme", "cluster", "speaker")


# --- cluster


def test_cepstra_are_those_of_the_recipe() -> None:
    import torchaudio

    samples = (np.random.default_rng(0).normal(0, 3000, 8000)).astype(np.int16)
    found = clusters.mfcc(samples, 16_000)
    frames = 1 + (8000 - 400) // 160
    assert found.shape == (frames, 39)
    steady = torchaudio.compliance.kaldi.mfcc(
        torch.from_numpy(samples / 32768).float()[None], use_energy=False
    ).numpy()
    np.testing.assert_allclose(found[:, :13], steady, rtol=1e-4, atol=1e-4)
    # the difference of the recipe: sum of n (c[t + n] - c[t - n]) over n = 1, 2, by 10
    slope = (steady[3:-1] - steady[1:-3] + 2 * (steady[4:] - steady[:-4])) / 10
    np.testing.assert_allclose(found[2:-2, 13:26], slope, rtol=1e-3, atol=1e-3)
    assert clusters.mfcc(samples[:399], 16_000).shape == (0, 39)


def test_clusters_of_tones_are_their_phonemes(data: Path) -> None:
    parts = load_speech(data, 0.5, 0)
    labelled, purity = clusters.label_clusters(parts, 16_000, seed=0)
    assert [len(part) for part in labelled] == [len(part) for part in parts]
    again, _ = clusters.label_clusters(parts, 16_000, seed=0)
    for first, second in zip(labelled[0] + labelled[1], again[0] + again[1], strict=True):
        np.testing.assert_array_equal(first.labels, second.labels)
    # recount on the held-out part: every frame's cluster against its phoneme
    hits = total = 0
    pairs = [
        (int(c), int(p))
        for utterance, original in zip(labelled[1], parts[1], strict=True)
        for c, p in zip(
            utterance.labels,
            original.at((utterance.starts + utterance.ends) / 2),
            strict=True,
        )
    ]
    for cluster in {c for c, _ in pairs}:
        phonemes = [p for c, p in pairs if c == cluster]
        hits += max(phonemes.count(p) for p in set(phonemes))
        total += len(phonemes)
    assert purity == pytest.approx(hits / total)
    assert purity > 0.8  # three plain sounds: only frames across two of them are mixed
    assert len({c for c, _ in pairs}) <= clusters.CLUSTERS


def test_a_cluster_is_found_at_the_time_of_its_frame() -> None:
    silence = np.random.default_rng(1).normal(0, 5, 16_000)
    samples = silence.copy()
    samples[8000:] += 8000 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16_000)
    utterance = Utterance(
        samples.astype(np.int16), np.zeros(1), np.ones(1), np.zeros(1, np.int64), 0
    )
    (labelled, _), _ = clusters.label_clusters(([utterance], [utterance]), 16_000, seed=0)
    labels = labelled[0]
    early = set(labels.at(np.arange(0.05, 0.45, 0.01)).tolist())
    late = set(labels.at(np.arange(0.55, 0.95, 0.01)).tolist())
    assert not early & late
    assert labels.at(np.array([0.0, 0.999])).tolist() == [-1, -1]  # before and after all frames


def test_masks_are_spans_that_cover_a_known_share() -> None:
    masks = clusters.draw_masks(4000, 150, np.random.default_rng(0))
    # a step is hidden unless none of the spans that would reach it begins
    start, span = clusters.MASK_STARTS, clusters.MASK_STEPS
    assert masks.any(axis=1).all()
    assert masks[:, span:].mean() == pytest.approx(1 - (1 - start) ** span, abs=0.03)
    padded = np.pad(masks, ((0, 0), (1, 1))).astype(int)
    for row in padded[:200]:
        edges = np.flatnonzero(np.diff(row))
        lengths = edges[1::2] - edges[::2]
        inner = edges[1::2] < masks.shape[1]  # a span at the end is cut off
        assert (lengths[inner] >= span).all()
    again = clusters.draw_masks(4000, 150, np.random.default_rng(0))
    np.testing.assert_array_equal(masks, again)


def test_targets_are_split_into_masked_and_visible(data: Path) -> None:
    encoder = audio_encoder("hubert")
    examples = speech_tasks.load_examples(encoder, settings("cluster"), data, seed=0, split=0)
    samples, masks, targets = next(examples.training(0))
    assert masks.shape == (4, encoder.steps(samples.shape[1]))
    assert (targets[..., 0][~masks] == -1).all()
    assert (targets[..., 1][masks] == -1).all()
    known = targets.max(-1).values
    assert (known >= 0).float().mean() > 0.95
    for first, second in zip(next(examples.training(0)), (samples, masks, targets), strict=True):
        torch.testing.assert_close(first, second)
    assert not torch.equal(next(examples.training(1))[1], masks)
    _, fixed, _ = next(examples.validation())
    torch.testing.assert_close(next(examples.validation())[1], fixed)  # the same in every epoch
    # a perfect guess
    outputs = 50.0 * torch.nn.functional.one_hot(known.clamp(min=0), examples.task.outputs)
    figures = examples.task.figures(outputs, targets)
    assert figures["masked_accuracy"] == figures["visible_accuracy"] == 1
    assert examples.task.loss(outputs, targets) < 1e-4
    # one that is right where it sees and wrong elsewhere costs the masked half of the loss
    wrong = torch.where(masks[..., None], outputs.roll(1, -1), outputs)
    figures = examples.task.figures(wrong, targets)
    assert (figures["masked_accuracy"], figures["visible_accuracy"]) == (0, 1)
    share = clusters.MASKED * 50.0
    assert examples.task.loss(wrong, targets).item() == pytest.approx(share, rel=1e-3)


# --- speaker


def test_equal_error_rate_of_known_cases() -> None:
    same = np.array([True, True, True, False, False, False])
    assert voices.equal_error_rate(np.array([3.0, 2, 1, 0, -1, -2]), same) == 0
    assert voices.equal_error_rate(np.array([-3.0, -2, -1, 0, 1, 2]), same) == 1
    # one pair of three on the wrong side of each
    crossed = np.array([3.0, 2.0, 0.5, 1.0, 0.0, -1.0])
    assert voices.equal_error_rate(crossed, same) == pytest.approx(1 / 3)


def test_equal_error_rate_is_that_of_two_normal_distributions() -> None:
    random = np.random.default_rng(0)
    same = random.random(200_000) < 0.1
    scores = random.normal(np.where(same, 1.5, 0.0))
    expected = 0.5 * math.erfc(0.75 / math.sqrt(2))  # both tails beyond the middle
    assert voices.equal_error_rate(scores, same) == pytest.approx(expected, abs=0.005)


def test_pairs_of_one_utterance_are_no_trials() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2]]
    utterances = np.array([0, 0, 1, 2, 3, 4])
    assert voices.verification_error(vectors, np.array([7, 7, 7, 8, 8, 9]), utterances) == 0
    alone = voices.verification_error(vectors[:3], np.array([7, 7, 7]), utterances[:3])
    assert math.isnan(alone)
    # without the pair inside utterance 0 nothing of one voice is left
    few = voices.verification_error(vectors[[0, 1, 3]], np.array([7, 7, 8]), utterances[[0, 1, 3]])
    assert math.isnan(few)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([10, 10, 1], [10, 11]),
        ([10, 9], [10, 9]),
        ([3, 3, 3, 3], [12]),
        ([9, 3, 9], [12, 9]),
        ([2], [2]),
        ([], []),
    ],
)
def test_no_batch_is_too_small_for_its_norm(sizes: list[int], expected: list[int]) -> None:
    rows = torch.arange(sum(sizes))
    batches = [(part, -part) for part in rows.split(sizes)]
    found = list(voices.without_scraps(iter(batches)))
    assert [len(samples) for samples, _ in found] == expected
    for column, sign in ((0, 1), (1, -1)):
        joined = torch.cat([batch[column] for batch in found]) if found else rows
        assert torch.equal(joined, sign * rows)


def test_known_voices_are_scored_on_utterances_set_aside(data: Path) -> None:
    encoder = audio_encoder("ecapatdnn")
    examples = speech_tasks.load_examples(encoder, settings("speaker"), data, seed=0, split=0)
    heard, unheard = load_speech(data, 0.5, 0)
    assert examples.count == len(heard) - 2  # the last utterance of both known voices
    assert examples.task.outputs == 2
    trained = torch.cat([labels for _, labels in examples.training(0)])
    assert set(trained.ravel().tolist()) <= set(range(examples.count))
    shapes = {samples.shape[1] for samples, _ in examples.training(0)}
    assert shapes == {round(1.0 * encoder.sampling_rate)}
    asked = torch.cat([labels for _, labels in examples.validation()])
    expected = set(range(examples.count, len(heard) + len(unheard)))
    assert set(asked[asked >= 0].tolist()) == expected


def test_the_figures_of_voices_told_apart_and_of_voices_mixed_up(data: Path) -> None:
    encoder = audio_encoder("ecapatdnn")
    examples = speech_tasks.load_examples(encoder, settings("speaker"), data, seed=0, split=0)
    heard, unheard = load_speech(data, 0.5, 0)
    everyone = [*heard, *unheard]  # two of `heard` move behind the others
    asked = torch.cat([labels for _, labels in examples.validation()])
    known = sorted({u.speaker for u in heard})
    last = {u.speaker: u for u in heard}
    aside = [u for u in heard if last[u.speaker] is u]
    order = [*[u for u in heard if last[u.speaker] is not u], *aside, *unheard]
    assert len(order) == len(everyone)
    speaker = torch.tensor([order[max(number, 0)].speaker for number in asked[:, 0].tolist()])
    vectors = torch.nn.functional.one_hot(speaker, 4).float()
    cosines = torch.stack([speaker == voice for voice in known], dim=1).float()
    figures = examples.task.figures(torch.cat([cosines, vectors], dim=1), asked)
    assert figures["voice_accuracy"] == 1
    assert figures["voice_accuracy_chance"] == 0.5
    assert figures["verification_eer"] == 0
    figures = examples.task.figures(torch.cat([-cosines, vectors.roll(1, 0)], dim=1), asked)
    assert figures["voice_accuracy"] == 0
    assert figures["verification_eer"] > 0.2


def test_the_loss_is_a_softmax_over_angles_with_a_margin(data: Path) -> None:
    examples = speech_tasks.load_examples(
        audio_encoder("ecapatdnn"), settings("speaker"), data, seed=0, split=0
    )
    head = examples.task.head(8)
    x = torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(0))
    outputs = head(x)
    assert outputs.shape == (2, 2 + 8)
    torch.testing.assert_close(outputs[:, 2:], torch.nn.functional.normalize(x[:, 0], dim=1))
    cosines = torch.nn.functional.cosine_similarity(x, head.weight[None], dim=-1)
    torch.testing.assert_close(outputs[:, :2], cosines)
    truth = torch.tensor([[0], [0]])  # an utterance of the training part
    number = sorted({u.speaker for u in load_speech(data, 0.5, 0)[0]}).index(
        load_speech(data, 0.5, 0)[0][0].speaker
    )
    logits = 30 * cosines
    logits[:, number] = 30 * torch.cos(torch.arccos(cosines[:, number]) + 0.2)
    expected = torch.nn.functional.cross_entropy(logits, torch.tensor([number, number]))
    torch.testing.assert_close(examples.task.loss(outputs, truth), expected)


def test_a_single_held_out_voice_has_no_error_rate(data: Path) -> None:
    encoder = audio_encoder("ecapatdnn")
    one = settings("speaker", validation=0.1)
    examples = speech_tasks.load_examples(encoder, one, data, seed=0, split=0)
    asked = torch.cat([labels for _, labels in examples.validation()])
    figures = examples.task.figures(torch.rand(len(asked), 3 + 8), asked)
    assert set(figures) == {"voice_accuracy", "voice_accuracy_chance"}
    with h5py.File(data, "a") as file:
        del file["speaker"]
        file["speaker"] = np.arange(16, dtype=np.int32)  # an utterance a voice
    with pytest.raises(DataError, match="two utterances of a voice"):
        speech_tasks.load_examples(encoder, settings("speaker"), data, seed=0, split=0)
