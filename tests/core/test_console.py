"""How a stage ends: a sentence and an exit code, and a traceback for defects of ours alone."""

import errno

import pytest
import torch

from stages.core.console import run_stage
from stages.core.errors import DataError, SettingsError, UnfinishedError


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (DataError("a.mp4 holds no picture."), 1, "DataError: a.mp4 holds no picture."),
        (SettingsError("No such encoder."), 1, "SettingsError: No such encoder."),
        (UnfinishedError("1 of 8 is not done."), 1, "UnfinishedError: 1 of 8 is not done."),
        (OSError(errno.ENOSPC, "No space left"), 1, "No space left. What is finished is kept"),
        (MemoryError(), 1, "Memory ran out. What is finished is kept: free memory, or set lower"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), 1, "Memory ran out."),
        (KeyboardInterrupt(), 130, "What is finished is kept"),
    ],
)
def test_what_ends_a_stage_is_a_sentence_and_no_success(
    error: BaseException, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run_stage(main)
    assert end.value.code == code
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_memory_that_torch_does_not_get_is_told_as_a_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run_stage(lambda: torch.empty(10**15) and None)
    assert "`compute.workers`" in capsys.readouterr().err


@pytest.mark.parametrize("defect", [ZeroDivisionError, FileNotFoundError, RuntimeError])
def test_a_defect_keeps_its_traceback(defect: type[Exception]) -> None:
    def main() -> None:
        raise defect

    with pytest.raises(defect):
        run_stage(main)
