"""The command line: `aufusion`, the same as `python -m stages.cli`.

Exit codes: 0 all went well; 1 something could not be done, and the rest was; 2 the command could
not begin: a wrong option, no ensemble; 130 stopped by Ctrl-C, what is finished is kept.
"""

import typer

from stages.inference import command, label_command
from stages.inference.evaluation import command as evaluation
from stages.inference.web import command as web

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Facial action units of every frame of a video, from picture and sound.",
)
for part in (command, label_command, evaluation, web):
    part.add_to(app)

if __name__ == "__main__":
    app()
