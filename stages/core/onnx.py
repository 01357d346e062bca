"""Opening ONNX networks: one thread each, since the videos already fill the cores.

What torch does on a GPU, onnxruntime can do there only in its build for CUDA (`make gpu`). Without
it the ONNX networks, face detection above all, run on the CPU, and one sentence says so.
"""

from __future__ import annotations

import os
from typing import Any, Final

import onnxruntime

from stages.core.console import say
from stages.core.workers import worker_number

CUDA: Final = "CUDAExecutionProvider"
CPU: Final = "CPUExecutionProvider"
_ERRORS_ONLY = 3
_SAID: Final = "AUFUSION_SAID_OF_ONNX"  # in the environment, which workers inherit

Provider = str | tuple[str, dict[str, str]]


def _say_once(reason: str) -> None:
    """Say that a GPU is not used: once, by one of the processes."""
    if worker_number() == 0 and _SAID not in os.environ:
        os.environ[_SAID] = "1"
        say(
            f"{reason}: face detection, and encoders that are ONNX files, run on the CPU. "
            "`make gpu` installs onnxruntime for CUDA."
        )


def providers_for(device: str) -> list[Provider]:
    """Onnxruntime's execution providers for a device, best first.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:N`` or ``auto``, see :func:`stages.core.devices.find_device`.
        Where torch has a GPU and onnxruntime has not, it is the CPU; for ``cuda`` that is said.

    Raises
    ------
    SettingsError
        If a GPU is asked for and there is none.
    """
    has_cuda = CUDA in onnxruntime.get_available_providers()
    if device == "cpu" or (device == "auto" and not has_cuda):
        return [CPU]
    from stages.core.devices import (
        find_device,  # imports torch, which brings CUDA's libraries along
    )

    found = find_device(device)
    if found.type == "cpu":
        return [CPU]
    if not has_cuda:
        _say_once(f"compute.device is {device}, and this onnxruntime has no CUDA")
        return [CPU]
    return [
        (
            CUDA,
            {
                "device_id": str(found.index),
                # pictures of many sizes come along: no search for the best kernel for each
                "cudnn_conv_algo_search": "HEURISTIC",
                "use_tf32": "0",
            },
        ),
        CPU,
    ]


def open_session(model: bytes, device: str) -> Any:
    """Open a network, given as the bytes of an ONNX file; device as in :func:`providers_for`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    providers = providers_for(device)
    if len(providers) > 1:
        onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(model, options, providers=providers)
    if len(providers) > 1 and CUDA not in session.get_providers():
        _say_once("onnxruntime's CUDA cannot be loaded (its CUDA is not the one that is installed)")
    return session
