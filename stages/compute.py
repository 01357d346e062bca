"""Devices and precision, from the ``compute`` section of the settings, by lightning-fabric."""

import os
from typing import TYPE_CHECKING, Any

import torch

from stages.core.errors import SettingsError
from stages.processes import process_count
from stages.settings.params import Compute

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def gains_from_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 arithmetic is done by the hardware, not emulated.

    References
    ----------
    Intel. Architecture Instruction Set Extensions: AVX512_BF16 and AMX_BF16.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capability = torch.cpu.get_capabilities()
    return bool(capability.get("avx512_bf16") or capability.get("amx_bf16"))


def pick_device(compute: Compute) -> torch.device:
    """Device that the settings ask for; ``auto`` takes a GPU where there is one.

    Raises
    ------
    SettingsError
        When ``cuda`` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if compute.device == "cuda" and not available:
        raise SettingsError(
            "compute.device = 'cuda', but torch sees no CUDA device here; allowed: auto, cpu."
        )
    use_cuda = available and compute.device != "cpu"
    return torch.device("cuda" if use_cuda else "cpu")


def pick_precision(compute: Compute) -> str:
    """Fabric's name of the precision: ``32-true`` or ``bf16-mixed``."""
    if compute.precision != "auto":
        return compute.precision
    return "bf16-mixed" if gains_from_bfloat16(pick_device(compute)) else "32-true"


def make_fabric(compute: Compute, precision: str | None = None) -> "Fabric":
    """Fabric with deterministic kernels, on one device, or on as many as ``torchrun`` started.

    Parameters
    ----------
    compute : Compute
        The settings.
    precision : str, optional
        Overrides the settings' precision, for work that is too small to gain from bfloat16.

    Returns
    -------
    Fabric
    """
    from lightning_fabric import Fabric  # over a second: the workers of the encoders do without

    torch.use_deterministic_algorithms(True, warn_only=True)
    name: Any = precision or pick_precision(compute)
    accelerator = pick_device(compute).type
    if process_count() == 1:
        return Fabric(accelerator=accelerator, devices=1, precision=name)
    per_machine = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=accelerator,
        devices=per_machine,
        num_nodes=process_count() // per_machine,
        precision=name,
        strategy="ddp",
    )
    fabric.launch()
    return fabric
