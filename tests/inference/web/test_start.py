"""The server starts without the libraries that predict: those load in the process of each video."""

import subprocess
import sys
from pathlib import Path

from stages.core.hashing import ROOT

CODE = """
import sys
import uvicorn
from stages import cli

heavy = ("torch", "onnxruntime", "transformers", "pandas", "matplotlib")
uvicorn.Server.run = lambda self, sockets: print("loaded:", [m for m in heavy if m in sys.modules])
cli.app(["serve", *sys.argv[1:], "--port", "0"])
"""


def test_the_server_starts_without_torch(ensemble: Path, tmp_path: Path) -> None:
    words = ["--ensemble", str(ensemble), "--folder", str(tmp_path / "videos")]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "loaded: []"
