"""Prints the table of F1 that ends `make repro` (`python -m stages.table`)."""

from stages.core import paths
from stages.core.console import run_stage, say
from stages.reporting.score_table import as_markdown, describe, read_scores, table_rows


def main() -> None:
    """Print the test table and say where the report is."""
    label, scores = read_scores()
    split = "test" if "test" in scores else "validation"
    say(describe(label, split))
    say(as_markdown(table_rows(scores[split])))
    say(f"\nReport: {paths.PAGE}   Figures: {paths.SCORES}")


if __name__ == "__main__":
    run_stage(main)
