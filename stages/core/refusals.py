"""What is said of settings that are refused: which, and what is allowed in their place."""

from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError


def sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """Put the problems that pydantic found in settings of a model into one sentence."""
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(top level)"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            lines.append(f"{key} is no setting; allowed here: {_siblings(problem['loc'], model)}")
        elif problem["type"] == "missing":
            lines.append(f"{key} is missing")
        elif problem["type"] == "value_error" and not problem["loc"]:
            lines.append(message)
        elif problem["type"] == "value_error" and isinstance(problem["input"], dict):
            lines.append(f"{key}: {message}")  # of the section as a whole
        else:
            lines.append(f"{key} = {problem['input']!r}: {message}")
    return "; ".join(lines)


def _siblings(location: tuple[int | str, ...], model: Any) -> str:
    for part in location[:-1]:
        fields = getattr(model, "model_fields", None)
        if fields is not None:
            model = fields[part].annotation
        elif get_origin(model) is dict:  # a section an encoder: any name, then the same keys
            model = get_args(model)[1]
        if get_origin(model) is UnionType:  # a section that may be left out
            model = next(one for one in get_args(model) if hasattr(one, "model_fields"))
    return ", ".join(getattr(model, "model_fields", {})) or "none"
