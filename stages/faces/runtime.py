"""Opening ONNX networks: one thread each, since the videos already fill the cores."""

from __future__ import annotations

from typing import Any

import onnxruntime

from stages.core.errors import SettingsError

_ERRORS_ONLY = 3


def providers_for(device: str) -> list[str]:
    """Onnxruntime's execution providers for a device.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda`` or ``auto``: a GPU where onnxruntime has one.

    Raises
    ------
    SettingsError
        If a GPU is asked for and onnxruntime has none.
    """
    has_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if device == "cuda" and not has_gpu:
        raise SettingsError(
            "compute.device is cuda, but this onnxruntime has no CUDA: "
            "install onnxruntime-gpu or set compute.device to cpu."
        )
    if device != "cpu" and has_gpu:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


def open_session(model: bytes, device: str) -> Any:
    """Open a network, given as the bytes of an ONNX file, on a device."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(model, options, providers=providers_for(device))
