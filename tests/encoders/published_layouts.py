"""The published files as they are: every tensor's name and shape, and the size of the file.

The layouts are those of the libraries' own networks under the names of the time. The sizes were
read in public records of the files; beside each is where, and what of the size can be checked.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stages.encoders.registry import ENCODERS

Layout = dict[str, Tensor]  # on the device meta: shapes without content
TYPES = {torch.float32: "F32", torch.int64: "I64"}


@dataclass(frozen=True)
class Published:
    """One published file.

    `size` is in bytes, None where no record of it was found. `padded`: newer safetensors fill the
    header up to a multiple of 8 bytes.
    """

    layout: Callable[[], Layout]
    size: int | None
    seen: str
    padded: bool = True


def _weight_norm_of_old(state: Layout) -> Layout:
    names = {"parametrizations.weight.original0": "weight_g",
             "parametrizations.weight.original1": "weight_v"}  # fmt: skip
    return {
        re.sub(r"parametrizations\.weight\.original[01]", lambda found: names[found[0]], key): t
        for key, t in state.items()
    }


def _vit_of_old(state: Layout) -> Layout:
    parts = {
        "attention.q_proj": "attention.attention.query",
        "attention.k_proj": "attention.attention.key",
        "attention.v_proj": "attention.attention.value",
        "attention.o_proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    renamed = {}
    for key, tensor in state.items():
        key = re.sub(r"(?<![a-z_])layers\.(\d+)\.", r"encoder.layer.\1.", key)
        for new, old in parts.items():
            key = key.replace(new, old)
        renamed[key] = tensor
    return renamed


def _wav2vec() -> Layout:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    # the published file has no vector for masked steps; the library makes one at random
    return _weight_norm_of_old(Wav2Vec2ForCTC(Wav2Vec2Config(mask_time_prob=0.0)).state_dict())


def _hubert() -> Layout:
    from transformers import HubertConfig, HubertModel

    return _weight_norm_of_old(HubertModel(HubertConfig()).state_dict())


def _vit() -> Layout:
    from transformers import ViTConfig, ViTModel

    return _vit_of_old(ViTModel(ViTConfig()).state_dict())  # with its pooler


def _mae() -> Layout:
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    return _vit_of_old(ViTMAEForPreTraining(ViTMAEConfig()).state_dict())  # with its decoder


def _dinov2() -> Layout:
    from transformers import Dinov2Config, Dinov2Model

    state = Dinov2Model(Dinov2Config(image_size=518)).state_dict()
    parts = {"q_proj": "attention.query", "k_proj": "attention.key", "v_proj": "attention.value",
             "o_proj": "output.dense"}  # fmt: skip
    return {
        re.sub(r"attention\.(\w_proj)", lambda found: f"attention.{parts[found[1]]}", name): tensor
        for name, tensor in state.items()
    }


def _wavlm() -> Layout:
    from transformers import WavLMConfig, WavLMModel

    return _weight_norm_of_old(WavLMModel(WavLMConfig()).state_dict())


def _hsemotion() -> Layout:
    from timm import create_model

    return folded(create_model("tf_efficientnet_b0", num_classes=8).state_dict())


def _ecapatdnn() -> Layout:
    encoder = ENCODERS["ecapatdnn"]
    return {
        name.removeprefix("ecapa."): tensor
        for name, tensor in encoder.build(encoder.scales["full"]).state_dict().items()
    }


def _mobilenet() -> Layout:
    from torchvision.models import mobilenet_v3_large

    return dict(mobilenet_v3_large().state_dict())


def _densenet() -> Layout:
    from torchvision.models import densenet121

    return {  # of 2017: other names within a layer, and no counters of training steps
        re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", name): tensor
        for name, tensor in densenet121().state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def _glintr100() -> Layout:
    encoder = ENCODERS["ires100"]
    state = encoder.build(encoder.scales["full"]).state_dict()
    return folded_iresnet(state)


def folded_iresnet(state: Layout) -> Layout:
    """Tensors of an IResNet in ONNX."""
    return folded(state, r"bn1|.*\.(?:bn2|bn3|downsample\.1)")


def folded(state: Layout, norms: str = r".*bn\d") -> Layout:
    """Tensors in ONNX: a norm behind a convolution has become the latter's bias."""
    kept = {}
    for name, tensor in state.items():
        behind = re.fullmatch(rf"({norms})\.(\w+)", name)
        if name.endswith("num_batches_tracked") or (behind and behind[2] != "bias"):
            continue
        kept[name] = tensor
    return kept


SAFETENSORS = {
    "wav2vec": Published(
        _wav2vec, 377_607_901, "pinned by that size and the entry's SHA-256 in several projects",
        padded=False,
    ),
    "mae": Published(
        _mae, 447_670_680, "pinned by that size and the entry's SHA-256 in two projects",
    ),
    "dinov2": Published(_dinov2, None, "346 MB by several projects that pin the entry's revision"),
    "vit": Published(_vit, None, "its SHA-256 was seen, of its size 346 MB: 345,579,424 bytes fit"),
}  # fmt: skip
# beside the tensors' bytes these hold names and places in a form that depends on torch's version
TORCH = {
    "hubert": Published(_hubert, 377_569_754, "with the entry's SHA-256 in several projects"),
    "wavlm": Published(_wavlm, 377_617_425, "with the entry's SHA-256 in several projects"),
    "ecapatdnn": Published(_ecapatdnn, 83_316_686, "with the entry's SHA-256; 231 tensors"),
    "mobilenet": Published(_mobilenet, 22_132_113, "with the entry's SHA-256 in two projects"),
    "densenet": Published(_densenet, 32_342_954, "with the entry's SHA-256 in a project's records"),
}
ONNX = {
    "ires100": Published(
        _glintr100, 260_665_334, "glintr100.onnx, with the entry's SHA-256 in several projects"
    ),
}
# of whose size no record was found but in whole megabytes
OF_UNKNOWN_SIZE = {"hsemotion": Published(_hsemotion, None, "with the entry's SHA-256")}
ALL = {**SAFETENSORS, **TORCH, **ONNX, **OF_UNKNOWN_SIZE}


def layout(name: str) -> Layout:
    """Return the layout of an encoder's published file, its tensors on the device meta."""
    encoder = ENCODERS[name]
    encoder.build(encoder.scales["small"])  # imports libraries, whose constants shall be real
    with torch.device("meta"):
        return ALL[name].layout()


def tensor_bytes(tensors: Layout) -> int:
    """Bytes of all tensors' content."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def safetensors_header(tensors: Layout, *, padded: bool) -> bytes:
    """What precedes the content in a file of the transformers library."""
    content: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(tensors):
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        content[name] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8 if padded else 0)
    return len(text).to_bytes(8, "little") + text


def write_safetensors(path: Path, tensors: Layout, *, padded: bool) -> None:
    """Write a file of zeros, which takes no room on a disk that knows holes."""
    header = safetensors_header(tensors, padded=padded)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + tensor_bytes(tensors))


def write_torch(path: Path, tensors: Layout) -> None:
    """Write a state of zeros as torch does today."""
    torch.save({n: torch.zeros(t.shape, dtype=t.dtype) for n, t in tensors.items()}, path)
