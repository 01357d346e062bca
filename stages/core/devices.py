"""Devices and precision, from the ``compute`` section of the settings, by lightning-fabric."""

import os
from typing import TYPE_CHECKING, Any

import torch

from stages.core.errors import SettingsError
from stages.core.settings import Compute
from stages.core.torchrun import process_count
from stages.core.workers import worker_number

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


def find_device(name: str) -> torch.device:
    """Find a device by its name; a GPU always has its number.

    Parameters
    ----------
    name : str
        ``cpu``; ``cuda:N``, that GPU; ``cuda`` or ``auto``, each worker process another GPU, for as
        many as there are; ``auto`` is the CPU where there is none.

    Raises
    ------
    SettingsError
        When a GPU is asked for that is not there.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise SettingsError(
            f"compute.device = {name!r}, but torch sees no CUDA device here; allowed: auto, cpu."
        )
    count = torch.cuda.device_count()
    number = int(name.partition(":")[2] or worker_number() % count)
    if number >= count:
        there = ", ".join(f"cuda:{k}" for k in range(count))
        raise SettingsError(
            f"compute.device = {name!r}, but torch sees {count} CUDA devices here; "
            f"allowed: auto, cpu, cuda, {there}."
        )
    # float32 shall be float32 in convolutions, too, as on the CPU
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda", number)


def workers_on(compute: Compute) -> int | None:
    """Processes for work that networks do: as set; else two a GPU, or None where there is no GPU.

    Of two processes one has the GPU while the other opens or ends its video.
    """
    if compute.workers is not None or compute.device == "cpu" or not torch.cuda.is_available():
        return compute.workers
    return 2 if ":" in compute.device else 2 * torch.cuda.device_count()


def pick_device(compute: Compute) -> torch.device:
    """Device that the settings ask for, see :func:`find_device`."""
    return find_device(compute.device)


def pick_precision(compute: Compute) -> str:
    """Fabric's name of the precision: ``32-true`` or ``bf16-mixed``."""
    if compute.precision != "auto":
        return compute.precision
    return "bf16-mixed" if gains_from_bfloat16(pick_device(compute)) else "32-true"


def make_fabric(
    compute: Compute, precision: str | None = None, *, all_used: bool = True
) -> "Fabric":
    """Fabric with deterministic kernels, on one device, or on as many as ``torchrun`` started.

    Parameters
    ----------
    compute : Compute
        The settings.
    precision : str, optional
        Overrides the settings' precision, for work that is too small to gain from bfloat16.
    all_used : bool
        Whether every step uses every parameter; several processes else look for those that one
        leaves out.

    Returns
    -------
    Fabric
    """
    from lightning_fabric import Fabric  # over a second: the workers of the encoders do without

    torch.use_deterministic_algorithms(True, warn_only=True)
    name: Any = precision or pick_precision(compute)
    device = pick_device(compute)
    if process_count() == 1:
        devices: Any = [device.index] if device.type == "cuda" else 1
        return Fabric(accelerator=device.type, devices=devices, precision=name)
    per_machine = int(os.environ["LOCAL_WORLD_SIZE"])
    fabric = Fabric(
        accelerator=device.type,
        devices=per_machine,
        num_nodes=process_count() // per_machine,
        precision=name,
        strategy="ddp" if all_used else "ddp_find_unused_parameters_true",
    )
    fabric.launch()
    return fabric
