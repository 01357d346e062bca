"""Seals of our JSON files: any change breaks them, wherever the seal stands."""

import json
from typing import Any

import pytest

from stages.inference.records import SEAL, as_text, sealed, unsealed

INNER = {"a": [1, 2], "seal": "x", "z": {"\u00e4": None}}
CONTENTS: list[dict[str, Any]] = [
    {"kind": "mine", "inner": INNER, "versions": {"x": "1"}},
    {"kind": "mine", "inner": INNER},  # the seal comes last
    {"kind": "mine", "text": 'a "seal": "x",\n  "seal": "y",\n line'},
]


@pytest.mark.parametrize("content", CONTENTS)
def test_what_was_sealed_is_known_again(content: dict[str, Any]) -> None:
    whole = sealed(content)
    assert unsealed(as_text(whole), "mine") == whole
    assert unsealed(as_text(whole), "yours") is None


@pytest.mark.parametrize("content", CONTENTS)
def test_every_change_breaks_the_seal(content: dict[str, Any]) -> None:
    text = as_text(sealed(content))
    for place in range(len(text)):
        for piece in ("", " ", "\n", "0", text[place] * 2):
            changed = text[:place] + piece + text[place + 1 :]
            assert changed == text or unsealed(changed, "mine") is None, (place, piece)


@pytest.mark.parametrize("content", CONTENTS)
def test_lines_in_another_order_are_not_as_written(content: dict[str, Any]) -> None:
    text = as_text(sealed(content))
    lines = text.splitlines(keepends=True)
    (at,) = (n for n, line in enumerate(lines) if line.startswith(f'  "{SEAL}": '))
    for place in range(len(lines)):
        moved = [*lines[:at], *lines[at + 1 :]]
        moved.insert(place, lines[at])
        assert place == at or unsealed("".join(moved), "mine") is None, place
    twice = "".join([*lines[:at], lines[at], *lines[at:]])
    assert unsealed(twice, "mine") is None


@pytest.mark.parametrize("seal", [None, 5, "", "x" * 64, ["a"]])
def test_a_seal_of_another_kind_is_none(seal: object) -> None:
    content = {"kind": "mine", "versions": 1, SEAL: seal}
    for text in (as_text(content), json.dumps(content), "", "[]", "{", as_text(CONTENTS[0])):
        assert unsealed(text, "mine") is None
