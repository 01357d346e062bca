"""How a stage speaks: progress lines, and one sentence instead of a traceback."""

import sys
from collections.abc import Callable
from typing import Final

from stages.core.errors import (
    FREE_MEMORY,
    DataError,
    SettingsError,
    UnfinishedError,
    is_of_the_machine,
    is_out_of_memory,
)
from stages.core.torchrun import process_rank

INTERRUPTED: Final = 130  # exit code of what Ctrl-C ended


def say(text: str) -> None:
    """Print a line at once, also when DVC or a pipe holds the output back.

    Of the processes of ``torchrun`` the first one speaks for all.
    """
    if process_rank() == 0:
        print(text, flush=True)


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's ``main`` and leave with an exit code.

    Parameters
    ----------
    main : callable
        The stage. A ``DataError``, ``SettingsError`` or ``UnfinishedError`` it raises is printed
        as its one sentence (exit code 1), as is a full disk, memory that ran out or what else is
        of the machine; Ctrl-C says that finished pieces are kept (exit code 130). Anything else is
        a defect of ours and keeps its traceback.
    """
    try:
        main()
    except (DataError, SettingsError, UnfinishedError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except Exception as error:
        if not is_of_the_machine(error):
            raise
        what, remedy = str(error) or type(error).__name__, "run it again"
        if is_out_of_memory(error):
            what, remedy = "Memory ran out", f"{FREE_MEMORY}; then {remedy}"
        sentence = f"{what}. What is finished is kept: {remedy}."
        print(f"UnfinishedError: {sentence}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped. What is finished is kept: run it again to continue.", file=sys.stderr)
        sys.exit(INTERRUPTED)
