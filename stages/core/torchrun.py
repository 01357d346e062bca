"""The processes that ``torchrun`` started for one training, without importing torch."""

import os


def process_count() -> int:
    """Return the number of processes that ``torchrun`` started for one training; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def process_rank() -> int:
    """Return which of them this is, from 0; the first one writes."""
    return int(os.environ["RANK"]) if process_count() > 1 else 0


def use_one_thread() -> None:
    """Compute with one thread a process: the workers are as many as the cores.

    Sums of floating point numbers can depend on the number of threads, so a fixed number also
    gives the same bytes with any number of workers.
    """
    import torch

    torch.set_num_threads(1)
