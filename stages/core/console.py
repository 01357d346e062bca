"""How a stage speaks: progress lines, and one sentence instead of a traceback."""

import sys
from collections.abc import Callable

from stages.core.errors import DataError, SettingsError


def say(text: str) -> None:
    """Print a line at once, also when DVC or a pipe holds the output back."""
    print(text, flush=True)


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's ``main`` and leave with an exit code.

    Parameters
    ----------
    main : callable
        The stage. A ``DataError`` or ``SettingsError`` it raises is printed as its one sentence
        (exit code 1); Ctrl-C says that finished pieces are kept (exit code 130). Anything else
        is a defect of ours and keeps its traceback.
    """
    try:
        main()
    except (DataError, SettingsError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped. What is finished is kept: run it again to continue.", file=sys.stderr)
        sys.exit(130)
