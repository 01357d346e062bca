"""A published network in ONNX, run by onnxruntime in place of torch."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.core.errors import DataError


class OnnxNetwork(nn.Module):
    """Maps (n, 3, side, side) to (n, width), as the encoders of pictures do.

    Parameters
    ----------
    model : bytes
        The ONNX file.
    device : str
        ``cpu``, ``cuda`` or ``auto``: a GPU where onnxruntime has one.

    Attributes
    ----------
    width, side : int
        Length of a feature vector; side of the input in pixels.

    Raises
    ------
    DataError
        When the file is damaged, or is no network from a square picture to a vector.
    """

    def __init__(self, model: bytes, device: str) -> None:
        super().__init__()
        from onnxruntime.capi import onnxruntime_pybind11_state as states

        from stages.core.onnx import open_session

        wrong = (states.Fail, states.InvalidProtobuf, states.InvalidGraph, states.InvalidArgument,
                 states.NotImplemented, states.RuntimeException)  # fmt: skip
        try:
            self._session: Any = open_session(model, device)
        except wrong as error:
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"no ONNX network, or damaged ({reason})") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        into, out = inputs[0].shape, outputs[0].shape
        if len(inputs) != 1 or len(into) != 4 or into[1] != 3 or into[2] != into[3]:
            raise DataError(f"its input is {into}, expected (n, 3, side, side)")
        if len(outputs) != 1 or len(out) != 2 or not isinstance(out[1], int):
            raise DataError(f"its output is {out}, expected (n, width)")
        self.side, self.width = int(into[2]), int(out[1])
        self._input = inputs[0].name
        self._at_once = into[0] if isinstance(into[0], int) else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3, side, side) to (n, width)."""
        batch = np.ascontiguousarray(x.float().cpu().numpy())
        step = self._at_once or len(batch)
        rows = [
            self._session.run(None, {self._input: batch[first : first + step]})[0]
            for first in range(0, len(batch), step)
        ]
        return torch.from_numpy(np.concatenate(rows)).to(x.device)
