import numpy as np
import pytest

from stages.core.errors import SettingsError
from stages.core.onnx import providers_for
from stages.faces.detections import (
    Detections,
    detect_within,
    intersection_over_union,
    suppress_overlaps,
)
from stages.faces.detector import load_detector


class Brightest:
    """Sees a face of 8 pixels around the brightest pixel, and keeps what it was shown."""

    has_contours = False

    def detect(self, image):
        self.shown = image
        y, x = np.unravel_index(image.sum(axis=-1).argmax(), image.shape[:2])
        centre = np.array([x, y], np.float32) + 0.5
        box = np.concatenate([centre - 4, centre + 4])[None]
        return Detections(box, np.tile(centre, (1, 5, 1)), np.ones(1, np.float32))


@pytest.fixture
def image():
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[120:124, 180:184] = 255  # centre at x 182, y 122
    return picture


@pytest.mark.parametrize("region", [None, (100, 64, 250, 180), (-50, -20, 400, 150)])
@pytest.mark.parametrize("side", [None, 1000, 75])
def test_places_are_those_of_the_whole_picture(image, region, side):
    found = detect_within(Brightest(), image, region, side)
    np.testing.assert_allclose(found.landmarks[0], np.tile((182, 122), (5, 1)), atol=4)
    np.testing.assert_allclose((found.boxes[0, :2] + found.boxes[0, 2:]) / 2, (182, 122), atol=4)


def test_a_picture_is_reduced_but_never_enlarged(image):
    detector = Brightest()
    detect_within(detector, image, None, 75)
    assert detector.shown.shape == (50, 75, 3)
    detect_within(detector, image, (10, 20, 30, 60), 75)
    assert detector.shown.shape == (40, 20, 3)


def test_a_region_outside_of_the_picture_holds_nobody(image):
    assert len(detect_within(Brightest(), image, (400, 10, 500, 90), None)) == 0


def test_overlap_is_shared_area_over_covered_area():
    box = np.array([0, 0, 4, 4], np.float32)
    others = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [4, 4, 8, 8], [1, 1, 2, 2]], np.float32)
    np.testing.assert_allclose(intersection_over_union(box, others), [1, 8 / 24, 0, 1 / 16])


def test_suppression_is_that_of_torchvision():
    from torch import from_numpy
    from torchvision.ops import nms

    random = np.random.default_rng(0)
    corner = random.uniform(0, 60, (200, 2))
    boxes = np.hstack([corner, corner + random.uniform(5, 30, (200, 2))]).astype(np.float32)
    scores = random.uniform(0, 1, 200).astype(np.float32)
    expected = nms(from_numpy(boxes), from_numpy(scores), 0.3).numpy()
    np.testing.assert_array_equal(suppress_overlaps(boxes, scores, 0.3), expected)


def test_a_missing_pack_says_what_is_missing_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SettingsError, match=r"antelopev2\.zip .*non-commercial.*centerface"):
        load_detector("insightface", "antelopev2", 0.5, "cpu")


@pytest.fixture
def machine(monkeypatch):
    """Make a machine of so many GPUs, on which onnxruntime has CUDA or has not."""
    import onnxruntime
    import torch

    def made(gpus, onnx):
        providers = ["CUDAExecutionProvider"] * onnx + ["CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.delenv("AUFUSION_SAID_OF_ONNX", raising=False)
        monkeypatch.delenv("AUFUSION_WORKER", raising=False)

    return made


def test_a_gpu_that_is_not_there_is_a_sentence(machine):
    machine(0, onnx=False)
    assert providers_for("auto") == ["CPUExecutionProvider"]
    for device in ("cuda", "cuda:0"):
        with pytest.raises(SettingsError, match=f"'{device}', but torch sees no CUDA device"):
            providers_for(device)
    machine(2, onnx=True)
    with pytest.raises(SettingsError, match=r"'cuda:2', but torch sees 2 .*cuda, cuda:0, cuda:1"):
        providers_for("cuda:2")


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1"])
def test_workers_take_a_gpu_each_and_who_names_one_gets_it(machine, device, monkeypatch):
    machine(2, onnx=True)
    numbers = []
    for worker in range(3):
        monkeypatch.setenv("AUFUSION_WORKER", str(worker))
        (name, options), cpu = providers_for(device)
        assert (name, cpu) == ("CUDAExecutionProvider", "CPUExecutionProvider")
        numbers.append(options["device_id"])
    assert numbers == (["1", "1", "1"] if device == "cuda:1" else ["0", "1", "0"])
    assert providers_for("cpu") == ["CPUExecutionProvider"]


def test_where_onnxruntime_has_no_cuda_detection_runs_on_the_cpu_and_that_is_said_once(
    machine, capsys
):
    machine(1, onnx=False)
    load_detector.cache_clear()
    detector = load_detector("centerface", "", 0.5, "cuda")
    assert len(detector.detect(np.zeros((64, 64, 3), np.uint8))) == 0
    assert providers_for("cuda") == ["CPUExecutionProvider"]
    load_detector.cache_clear()
    (line,) = capsys.readouterr().out.splitlines()
    assert "compute.device is cuda, and this onnxruntime has no CUDA: face detection" in line
    assert "run on the CPU" in line
    assert "`make gpu`" in line


def test_a_cuda_that_cannot_be_loaded_is_said(machine, capsys, monkeypatch):
    import onnxruntime

    machine(1, onnx=True)
    session = onnxruntime.InferenceSession

    def falls_back(model, options, providers):
        return session(model, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", falls_back)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    load_detector.cache_clear()
    load_detector("centerface", "", 0.5, "auto")
    load_detector.cache_clear()
    assert "onnxruntime's CUDA cannot be loaded" in capsys.readouterr().out
