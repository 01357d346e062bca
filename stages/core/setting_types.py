"""What the sections of ``params.yaml`` are made of: a strict model, and numbers within bounds.

PyYAML reads ``1e-4`` as a string and ``on`` as a bool; the types here mend the first and refuse
the second.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


def _no_bool(value: object) -> object:
    if isinstance(value, bool):  # YAML's `on` and `yes`; Python would count them as 1
        raise ValueError("a number is needed")
    return value


Number = BeforeValidator(_no_bool)
Positive = Annotated[int, Field(gt=0), Number]
Rate = Annotated[float, Field(gt=0), Number]
Share = Annotated[float, Field(ge=0, le=1), Number]
Fraction = Annotated[float, Field(ge=0, lt=1), Number]


def check_device(name: str) -> str:
    """Return the name of a device if it is one; else ValueError names what is allowed."""
    if re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", name):
        return name
    raise ValueError("allowed: auto, cpu, cuda (all GPUs), cuda:0, cuda:1, ... (that one)")


DeviceName = Annotated[str, AfterValidator(check_device)]


def _check_address(address: str) -> str:
    if re.fullmatch(r"auto|[\w.-]{1,253}:\d{1,5}|\[[0-9a-fA-F:]{2,39}\]:\d{1,5}", address):
        return address
    raise ValueError("allowed: auto (the Ray that runs on this machine), HOST:PORT of its head")


RayAddress = Annotated[str, AfterValidator(_check_address)]


def _check_share(share: float) -> float:
    if share <= 1 or share == int(share):
        return share
    raise ValueError("allowed: a share of one GPU, as 0.5, or a whole number of them")


GpuShare = Annotated[float, Field(gt=0), Number, AfterValidator(_check_share)]


def _both_ends(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return value
    return (value, value)  # one number: no range


def _rising(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("the smaller number comes first")
    return value


# One number, or the smallest and the largest.
Span = Annotated[tuple[Rate, Rate], BeforeValidator(_both_ends), AfterValidator(_rising)]


class Section(BaseModel):
    """A section of ``params.yaml``: immutable, and no key but the ones declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")
