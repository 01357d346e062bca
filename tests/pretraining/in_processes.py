"""Pre-trains encoders: ``in_processes.py ENCODER ...``, as one process or as one of several.

On a processor one process trains in two copies, each with batch norm of its half of a batch. Here
it trains in one, as it does on a GPU.
"""

import sys
from dataclasses import replace

from stages import pretrain
from stages.encoders.registry import any_encoder
from stages.pretraining import run

if __name__ == "__main__":
    names = sys.argv[1:]
    run.any_encoder = lambda name: replace(any_encoder(name), replicas=1)
    for name in names:
        sys.argv = ["pretrain", name]
        pretrain.main()
