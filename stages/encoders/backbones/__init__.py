"""One file per encoder, called as the encoder is and found by that name; `ENCODER` describes it.

What several of them share lies in the folder above.
"""

from stages.core.hashing import code_files, files_hash


def code_of(name: str) -> str:
    """Hash of an encoder's file and of what it imports: no import leads there, only the name."""
    return files_hash(code_files(f"{__name__}.{name}"))
