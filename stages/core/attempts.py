"""How often the stages have left a video out: numbers that ``dvc.yaml`` has in their commands.

DVC takes a stage for done when it ended well, also where a video failed and was left out. So a
stage that leaves one out raises its number: to the next `dvc repro` its command is another one, it
runs again, and tries those videos that it has no piece of, and no others.
"""

import re
from pathlib import Path
from typing import Final

from stages.core.console import say
from stages.core.files import write_text

ATTEMPTS: Final = Path("metrics/attempts.yaml")  # `vars` of dvc.yaml; tracked by git


def try_again(stage: str) -> None:
    """Have the next `dvc repro` run a stage again.

    Parameters
    ----------
    stage : str
        A key of ``attempts`` there: ``crop``, ``visual``, ``audio``. Where the file
        does not name it, nobody asks DVC, and nothing is done.
    """
    try:
        text = ATTEMPTS.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    found = re.search(rf"^  {re.escape(stage)}: (\d+)$", text, re.M)
    if found is None:
        return
    number = int(found[1]) + 1
    write_text(ATTEMPTS, f"{text[: found.start(1)]}{number}{text[found.end(1) :]}")
    say(f"{stage}: the next `dvc repro` tries again what failed ({ATTEMPTS})")
