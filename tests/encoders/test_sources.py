"""The setting `weights`: what is allowed, what it means, and the file that the stages read."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stages.core.errors import DataError
from stages.encoders.registry import ENCODERS
from stages.encoders.source import Source, at_scale, check_weights, made_path, weights_path
from stages.encoders.weights import save_weights, take_weights
from tests.encoders import published_files as files
from tests.hub import COMMIT

HASH = "ab" * 32


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("pretrain", Source(kind="pretrain")),
        ("published", Source(kind="published")),
        (f"hub:a/b@{COMMIT}", Source(kind="huggingface", name="a/b", revision=COMMIT)),
        (
            f"hub:a/b/sub/w.bin@{COMMIT}+sha256:{HASH}",
            Source(kind="huggingface", name="a/b", file="sub/w.bin", revision=COMMIT, sha256=HASH),
        ),
        (
            f"hub:insightface:antelopev2/glintr100.onnx@sha256:{HASH}",
            Source(kind="insightface", name="antelopev2", file="glintr100.onnx", sha256=HASH),
        ),
        (
            f"hub:https://h.org/x/w-1.pth@sha256:{HASH}",
            Source(kind="address", name="https://h.org/x/w-1.pth", file="w-1.pth", sha256=HASH),
        ),
        ("file:w@home.pth", Source(kind="file", name="w@home.pth")),
        (f"file:w.pth@sha256:{HASH}", Source(kind="file", name="w.pth", sha256=HASH)),
    ],
)
def test_settings_that_are_allowed(setting: str, expected: Source) -> None:
    assert check_weights(setting) == setting
    source = at_scale(setting, "small")
    assert source == expected
    assert source.text == setting


@pytest.mark.parametrize(
    "setting",
    [
        "", "file:", "random", "hub:", "hub:a/b", "hub:a/b@main", "hub:a/b@v1.0", "hub:a@" + COMMIT,
        f"hub:a/b@{COMMIT[:39]}", f"hub:a/b@sha256:{HASH}", f"hub:a/b@{COMMIT}+sha256:{HASH[:8]}",
        "hub:https://h.org/w.pth", f"hub:https://h.org/w.pth@{COMMIT}",
        f"hub:insightface:antelopev2@sha256:{HASH}", f"hub:insightface:a/../b.onnx@sha256:{HASH}",
        f"hub:ftp://h.org/w.pth@sha256:{HASH}",
    ],
)  # fmt: skip
def test_settings_that_pin_nothing_are_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"allowed are default .*hub:OWNER/.*file:PATH"):
        check_weights(setting)


def test_the_default_depends_on_the_scale() -> None:
    assert at_scale("default", "small").kind == "pretrain"
    assert at_scale("default", "full").kind == "published"


UNPINNED = ("maeface",)  # no record of its file's hash was found


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_published_source_is_pinned_and_has_a_licence(name: str) -> None:
    encoder = ENCODERS[name]
    if name in UNPINNED or not list(encoder.build(encoder.scales["small"]).parameters()):
        assert encoder.origin is None
        return
    assert encoder.origin is not None, f"{name} pins no published weights"
    # the hub's commit pins the file as well
    assert len(encoder.origin.sha256) == 64 or len(encoder.origin.revision) == 40
    said = replace(encoder.origin, megabytes=None, noncommercial=False)
    assert Source.parse(encoder.origin.text) == said
    assert encoder.origin.noncommercial == ("non-commercial" in encoder.licence)


def test_the_file_must_hold_what_the_setting_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert weights_path("fbank", None, "small") is None
    with pytest.raises(DataError, match="dvc repro pretrain@ires100"):
        weights_path("ires100", "pretrain", "small")
    encoder, network = files.small("ires100")
    path = made_path("ires100")
    save_weights(path, encoder, "small", "au", network.state_dict(), {})
    assert weights_path("ires100", "default", "small") == path
    with pytest.raises(DataError, match=r"holds weights of pretrain, the setting says default"):
        weights_path("ires100", "default", "full")
    torch.save(network.state_dict(), "w.pth")
    origin = {"source": "file:w.pth", "published": False}
    take_weights(encoder, "small", Path("w.pth"), origin, path)
    assert weights_path("ires100", "file:/elsewhere/w.pth", "small") == path
    for other in ("pretrain", "published", f"hub:a/b@{COMMIT}", "file:v.pth"):
        with pytest.raises(DataError, match=r"holds weights of file:w\.pth"):
            weights_path("ires100", other, "small")
    take_weights(encoder, "small", Path("w.pth"), {**origin, "published": True}, path)
    assert weights_path("ires100", "default", "full") == path
