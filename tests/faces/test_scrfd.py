"""The packs cannot be had offline: tiny networks of the same inputs and outputs stand in."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stages.core.errors import SettingsError
from stages.faces.detections import detect_within
from stages.faces.detector import load_detector
from stages.faces.scrfd import MODELS, InsightFace

STRIDES = (8, 16, 32)
POINTS = np.array([[-1, -1], [1, -1], [0, 0], [-0.5, 1], [0.5, 1]], np.float32)


def tensor(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def scrfd(points: bool = True) -> onnx.ModelProto:
    """A detector with SCRFD's nine outputs: the red in a cell of the finest grid is its score.

    Every box reaches two cells to each side, and the points lie at fixed places in it.
    """
    nodes, weights, outputs = [], [], []
    weights.append(tensor("column", np.array([-1, 1], np.int64)))
    weights.append(tensor("zero", np.float32(0)))
    values = {"box": np.full((1, 4), 2), "points": POINTS.reshape(1, 10)}
    for stride in STRIDES:
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["picture"], [f"mean{stride}"], **pool))
        # one input channel of three, once for each of the two anchors
        choice = np.zeros((2, 3, 1, 1), np.float32)
        choice[:, 0] = 0.5 if stride == 8 else 0.0
        weights += [tensor(f"red{stride}", choice)]
        nodes.append(helper.make_node("Conv", [f"mean{stride}", f"red{stride}"], [f"map{stride}"]))
        nodes.append(
            helper.make_node("Transpose", [f"map{stride}"], [f"last{stride}"], perm=[0, 2, 3, 1])
        )
        nodes.append(helper.make_node("Reshape", [f"last{stride}", "column"], [f"raw{stride}"]))
        nodes.append(helper.make_node("Relu", [f"raw{stride}"], [f"score{stride}"]))
        for name, value in values.items():
            weights.append(tensor(f"{name}value{stride}", value.astype(np.float32)))
            nodes.append(helper.make_node("Mul", [f"raw{stride}", "zero"], [f"{name}nil{stride}"]))
            inputs = [f"{name}nil{stride}", f"{name}value{stride}"]
            nodes.append(helper.make_node("Add", inputs, [f"{name}{stride}"]))
    for name, width in (("score", 1), ("box", 4), ("points", 10))[: 3 if points else 2]:
        for stride in STRIDES:
            outputs.append(
                helper.make_tensor_value_info(f"{name}{stride}", TensorProto.FLOAT, [None, width])
            )
    shape = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, None, None])
    graph = helper.make_graph(nodes, "scrfd", [shape], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def contour() -> onnx.ModelProto:
    """A network of 106 points that are all in the middle of its input."""
    weights = [tensor("zero", np.float32(0)), tensor("axes", np.array([1, 2, 3], np.int64))]
    weights.append(tensor("middle", np.zeros((1, 212), np.float32)))
    weights.append(tensor("shape", np.array([1, 1], np.int64)))
    nodes = [
        helper.make_node("Mul", ["data", "zero"], ["nil"]),
        helper.make_node("ReduceSum", ["nil", "axes"], ["sum"], keepdims=0),
        helper.make_node("Reshape", ["sum", "shape"], ["one"]),
        helper.make_node("Add", ["one", "middle"], ["fc1"]),
    ]
    entry = helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 192, 192])
    result = helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 212])
    graph = helper.make_graph(nodes, "contour", [entry], [result], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def pack(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / MODELS / "tiny"
    folder.mkdir(parents=True)
    onnx.save(scrfd(), folder / "det_tiny.onnx")
    return folder


@pytest.fixture
def image():
    picture = np.zeros((100, 150, 3), np.uint8)
    picture[48:56, 64:72] = (255, 0, 0)  # one cell of the finest grid, in red
    return picture


def test_boxes_and_points_are_in_pixels_of_the_picture(pack, image):
    found = InsightFace("tiny", 0.4, "cpu").detect(image)
    assert len(found) == 1
    # SCRFD's anchor is the cell's upper left corner; sides and points are counted in cells of 8
    np.testing.assert_allclose(found.boxes[0], [48, 32, 80, 64])
    np.testing.assert_allclose(found.landmarks[0], POINTS * 8 + (64, 48))
    assert 0.4 < found.scores[0] < 0.6
    assert found.contours is None


def test_the_channels_are_red_green_blue(pack, image):
    assert len(InsightFace("tiny", 0.4, "cpu").detect(image[:, :, ::-1])) == 0


def test_106_points_are_kept_where_the_pack_has_them(pack, image):
    onnx.save(contour(), pack / "2d106det.onnx")
    detector = InsightFace("tiny", 0.4, "cpu")
    assert detector.has_contours
    found = detect_within(detector, image, (32, 0, 150, 100), None)
    assert found.contours is not None
    assert found.contours.shape == (1, 106, 2)
    np.testing.assert_allclose(found.contours[0], np.tile((64, 48), (106, 1)), atol=1)


# what the published packs hold; of antelopev2 the archive has a folder of its own name inside
PACKS = {
    "buffalo_l": "det_10g.onnx",
    "buffalo_m": "det_2.5g.onnx",
    "buffalo_s": "det_500m.onnx",
    "buffalo_sc": "det_500m.onnx",
    "antelopev2": "scrfd_10g_bnkps.onnx",
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", PACKS)
def test_every_pack_of_insightface_has_its_detector(name, nested, tmp_path, monkeypatch, image):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / MODELS / name / (name if nested else "")
    folder.mkdir(parents=True)
    for other in ("genderage.onnx", "1k3d68.onnx", "glintr100.onnx", "w600k_mbf.onnx"):
        (folder / other).write_bytes(b"not looked at")
    onnx.save(scrfd(), folder / PACKS[name])
    onnx.save(contour(), folder / "2d106det.onnx")
    detector = load_detector("insightface", name, 0.4, "cpu")
    assert detector.has_contours
    assert len(detector.detect(image)) == 1
    load_detector.cache_clear()


def test_a_pack_without_a_detector_says_what_it_holds(pack):
    (pack / "det_tiny.onnx").rename(pack / "w600k_r50.onnx")
    with pytest.raises(SettingsError, match=r"holds no detector .*scrfd_.* but w600k_r50\.onnx"):
        load_detector("insightface", "tiny", 0.4, "cpu")


def test_a_detector_without_the_five_points_is_refused(pack):
    onnx.save(scrfd(points=False), pack / "det_tiny.onnx")
    with pytest.raises(SettingsError, match="without the five points"):
        load_detector("insightface", "tiny", 0.3, "cpu")


def test_damaged_weights_are_a_sentence(pack):
    (pack / "det_tiny.onnx").write_bytes(b"half a download")
    with pytest.raises(SettingsError, match=r"cannot be loaded .* download it again"):
        load_detector("insightface", "tiny", 0.4, "cpu")
