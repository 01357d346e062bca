"""Which videos are one group: those that share a person or a file, whatever they are called."""

from pathlib import Path

import numpy as np
import pytest

from stages.check_settings import load_params
from stages.core import paths
from stages.core.hashing import ROOT
from stages.crops.crop_file import CropWriter
from stages.sequence.joining import join_all
from tests import stand_ins

FRAMES = 4


def test_videos_of_one_person_are_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = load_params(ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    entries = [
        stand_ins.entry(name, f"{video}.mp4", FRAMES, person=person)
        for name, video, person in (
            ("dinner", "dinner", "ann"), ("walk_left", "walk", "ann"),
            ("walk_right", "walk", "ben"), ("at_home", "at_home", "ben"),
            ("alone_left", "alone_left", "eve"), ("alone", "alone", "zoe"),
        )
    ]  # fmt: skip
    stand_ins.write_index(tmp_path, entries, {e.name: np.arange(FRAMES) / 25 for e in entries})
    paths.CROPS.mkdir(parents=True)
    for one in entries:
        with CropWriter(paths.CROPS / f"{one.name}.h5", {}) as crops:
            for frame in range(FRAMES):
                crops.append(np.zeros((112, 112, 3), np.uint8), timestamp=frame / 25)
    groups = {video.name: video.group for video in join_all(params, {})}
    assert len(groups) == len(entries)
    together = {"dinner", "walk_left", "walk_right", "at_home"}
    assert len({groups[name] for name in together}) == 1
    assert len(set(groups.values())) == 3
