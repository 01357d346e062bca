"""Draw the README's pictures (`make pictures`).

In: dvc.yaml, the generator of the corpus, the report. Out, tracked by git, in metrics/pictures:
pipeline.png (which carries the graph it shows as text, so that a test can tell when it is out of
date), contact_sheet.png, and f1_per_au.png as the report has it.
"""

import shutil
from pathlib import Path

from stages.core import paths
from stages.core.console import run_stage, say
from stages.core.files import replacing
from stages.reporting.pipeline_picture import draw_pipeline, read_graph

PICTURES = Path("metrics/pictures")


def main() -> None:
    """Draw all pictures; the report's only where there is a report."""
    from stages.synthesis.contact_sheet import draw_contact_sheet

    draw_pipeline(read_graph(Path("dvc.yaml")), PICTURES / "pipeline.png")
    draw_contact_sheet(PICTURES / "contact_sheet.png")
    bars = paths.REPORT / "f1_per_au.png"
    if bars.exists():
        with replacing(PICTURES / bars.name) as temporary:
            shutil.copyfile(bars, temporary)
    say(f"drawn: {', '.join(sorted(file.name for file in PICTURES.iterdir()))} in {PICTURES}")


if __name__ == "__main__":
    run_stage(main)
