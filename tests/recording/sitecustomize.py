"""Python runs this at its start where this folder is on PYTHONPATH: see `recorded_files`."""

import os

if "AUFUSION_RECORD" in os.environ:
    import recorded_files

    recorded_files.begin()
