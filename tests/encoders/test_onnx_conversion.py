"""ONNX files become tensors: exports as they are published, by torch itself and by hand."""

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from stages.core.errors import DataError
from stages.encoders.base import VisualEncoder
from stages.encoders.registry import ENCODERS
from stages.encoders.weights import convert, load_network
from stages.pretraining.folded_norms import folded_norms, unfold
from tests.encoders import published_files as files


def turned(name: str, path: Path) -> nn.Module:
    encoder = ENCODERS[name]
    assert isinstance(encoder, VisualEncoder)
    return convert(encoder, "small", path, path.read_bytes())[0]


def pictures(encoder: Any, network: nn.Module, seed: int = 5) -> torch.Tensor:
    side = encoder.side_of(network)
    return torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(seed))


def export(network: nn.Module, x: torch.Tensor, path: Path) -> None:
    """As the published files were made: torch folds norms into the convolutions before them."""
    torch.onnx.export(
        network, (x,), path, opset_version=11, do_constant_folding=True, dynamo=False,
        input_names=["input"], output_names=["output"],
        dynamic_axes={"input": {0: "batch_size"}, "output": {0: "batch_size"}},
    )  # fmt: skip


def test_an_exported_iresnet_becomes_the_network_that_it_was(tmp_path: Path) -> None:
    network = files.iresnet_onnx(tmp_path / "w.onnx")
    found = turned("ires100", tmp_path / "w.onnx")
    x = pictures(ENCODERS["ires100"], network)
    with torch.inference_mode():
        torch.testing.assert_close(found(x), network(x), rtol=1e-4, atol=1e-4)
    assert found.state_dict().keys() == network.state_dict().keys()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_an_exported_classifier_of_expressions_gives_its_features(tmp_path: Path) -> None:
    encoder, network = files.small("hsemotion")
    x = pictures(encoder, network)
    whole = nn.Sequential(network, nn.Linear(int(network.width), 8)).eval()
    export(whole, x, tmp_path / "enet.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "enet.onnx").graph.node}
    assert "Conv" in kinds
    loaded = load_network(encoder, "small", tmp_path / "enet.onnx", "cpu")
    assert loaded.published
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), network(x), rtol=1e-3, atol=1e-4)


def test_norms_get_the_statistics_of_pictures_back(tmp_path: Path) -> None:
    network = files.iresnet_onnx(tmp_path / "w.onnx")
    found = turned("ires100", tmp_path / "w.onnx")
    encoder = ENCODERS["ires100"]
    folded = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) - 5 - 1
    assert len(folded_norms(found)) == folded  # those before a convolution stay as they are
    x = pictures(encoder, network, seed=6)
    with torch.inference_mode():
        before = found(x)
        assert unfold(found, [x[:2], x[2:]]) == folded
        torch.testing.assert_close(found(x), before, rtol=1e-3, atol=1e-3)
    assert not folded_norms(found)
    # what a norm now takes for the mean and variance of its input are those of these pictures
    first: list[torch.Tensor] = []
    found.bn1.register_forward_pre_hook(lambda _, inputs: first.append(inputs[0]))
    with torch.inference_mode():
        found(x)
    (seen,) = first
    torch.testing.assert_close(found.bn1.running_mean, seen.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    variance = seen.var((0, 2, 3), correction=0)
    torch.testing.assert_close(found.bn1.running_var, variance, rtol=1e-3, atol=1e-4)
    assert unfold(found, iter(())) == 0


def test_another_network_is_refused_with_the_reason(tmp_path: Path) -> None:
    files.onnx_network(tmp_path / "other.onnx")
    with pytest.raises(
        DataError, match=r"other.onnx is not ires100 \(at scale small: it has no Conv of"
    ):
        turned("ires100", tmp_path / "other.onnx")
    network = files.iresnet_onnx(tmp_path / "w.onnx")
    model = onnx.load(tmp_path / "w.onnx")
    adds = [node for node in model.graph.node if node.op_type == "Add"]
    adds[0].op_type = "Sub"  # the same tensors, another network
    onnx.save(model, tmp_path / "changed.onnx")
    with pytest.raises(DataError, match="it computes something else"):
        turned("ires100", tmp_path / "changed.onnx")
    (tmp_path / "cut.onnx").write_bytes((tmp_path / "w.onnx").read_bytes()[:1000])
    with pytest.raises(DataError, match="no ONNX network, or damaged"):
        turned("ires100", tmp_path / "cut.onnx")
    del network
    with pytest.raises(DataError, match="is not hsemotion"):
        load_network(ENCODERS["hsemotion"], "small", tmp_path / "w.onnx", "cpu")
