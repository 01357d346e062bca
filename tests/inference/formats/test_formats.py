"""Results in the formats of other tools, read back by readers that are not ours."""

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from stages.cli import app
from stages.core.errors import DataError, SettingsError
from stages.core.facs import AU_NAMES
from stages.inference.comparison.external_predictions import read_track
from stages.inference.formats.convert import ENDINGS, FORMATS, RECORD, convert_all
from stages.inference.results import read_parts, read_rows
from tests.inference import clips, tracks

FRAMES = 150
START = 0.4  # seconds on the file's clock that players call 0
TIMES = clips.irregular(FRAMES, START + 0.1)
GAP = range(60, 75)  # frames without a face


def about(**changes: object) -> dict[str, object]:
    return {
        "kind": "aufusion prediction", "source": {"name": "my clip.mp4"}, "ensemble": {},
        "options": {}, "warnings": [], "photo": False, "start": START,
    } | changes  # fmt: skip


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """One person, unseen in `GAP`; active in AU12 at the last frame."""
    return make(tmp_path)


def make(folder: Path, seed: int = 0, **changes: object) -> Path:
    strength = tracks.course(FRAMES, seed)
    strength[-3:, 6] = 0.9
    status = ["no_face" if k in GAP else "face" for k in range(FRAMES)]
    path = tracks.ours(folder, TIMES, strength, name="clip", status=status)
    path.with_suffix(".json").write_text(json.dumps(about(**changes)))
    return path


def expected(path: Path) -> pd.DataFrame:
    """Find the events by pandas alone, from the CSV."""
    table = pd.read_csv(path)
    times = [*table["timestamp"], 2 * table["timestamp"].iloc[-1] - table["timestamp"].iloc[-2]]
    found = []
    for au in AU_NAMES:
        on = (table[f"{au}_c"] == 1) & (table["status"] != "no_face")
        for _, part in table[on].groupby((~on).cumsum()[on]):
            strong = part[f"{au}_r"]
            first, last = int(part["frame"].iloc[0]), int(part["frame"].iloc[-1])
            found.append({
                "au": au, "onset": times[first - 1], "offset": times[last],
                "apex": times[int(part["frame"][strong.idxmax()]) - 1], "peak": strong.max(),
                "mean": strong.mean(), "first_frame": first, "last_frame": last,
            })  # fmt: skip
    table = pd.DataFrame(found)
    table["order"] = table["au"].map(AU_NAMES.index)
    return table.sort_values(["onset", "order"]).drop(columns="order").reset_index(drop=True)


def same(found: NDArray[np.float64] | pd.Series, wanted: pd.Series, within: float) -> None:
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(wanted, float), atol=within)


def test_events_are_those_that_pandas_finds(result: Path) -> None:
    convert_all([result], ["events"], None)
    found, wanted = pd.read_csv(result.with_name("clip.events.csv")), expected(result)
    assert len(found) > 30
    assert found["au"].tolist() == wanted["au"].tolist()
    for name in ("onset", "offset", "apex", "peak", "mean", "first_frame", "last_frame"):
        same(found[name], wanted[name], 1e-3)
    same(found["duration"], wanted["offset"] - wanted["onset"], 1e-5)
    assert (found["last_frame"] == FRAMES).any(), "one lasts to the end"
    inside = (found["first_frame"] <= 60) & (found["last_frame"] > 60)
    assert not inside.any(), "none goes on where no face is seen"


def test_openface_is_read_by_pandas_and_as_openface(result: Path) -> None:
    convert_all([result.with_suffix(".parquet")], ["openface"], None)
    path = result.with_name("clip.openface.csv")
    table, ours = pd.read_csv(path), pd.read_csv(result)
    named = ["frame", "face_id", "timestamp", "confidence", "success", "AU01_r", "AU26_c"]
    assert set(named) <= set(table.columns)
    assert table.columns[:5].tolist() == named[:5]
    seen = ours["status"] != "no_face"
    assert (table["success"] == seen.astype(int)).all()
    assert (table["face_id"] == 0).all()
    same(table["timestamp"], ours["timestamp"], 1e-6)
    for au in AU_NAMES:
        same(table[f"{au}_r"][seen], ours[f"{au}_r"][seen], 1e-3)
        assert (table[f"{au}_c"][seen] == ours[f"{au}_c"][seen]).all()
        assert (table.loc[~seen, [f"{au}_r", f"{au}_c"]] == 0).all(axis=None)
    assert read_track(path).tool == "OpenFace"


def test_elan_is_read_by_pympi_and_as_xml(result: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    convert_all([result], ["elan"], None)
    path = result.with_name("clip.eaf")
    document, wanted = elan.Eaf(str(path)), expected(result)
    assert sorted(document.get_tier_names()) == sorted(AU_NAMES)
    for au in AU_NAMES:
        mine = wanted[wanted["au"] == au]
        found = sorted(document.get_annotation_data_for_tier(au))
        same([one[0] for one in found], 1000 * (mine["onset"] - START), 0.51)
        same([one[1] for one in found], 1000 * (mine["offset"] - START), 0.51)
        same([float(one[2]) for one in found], mine["peak"], 0.051)
    media = ElementTree.parse(path).getroot().find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None
    assert media.get("MEDIA_URL") == "./my%20clip.mp4"
    assert media.get("MIME_TYPE") == "video/mp4"


def test_textgrid_is_read_by_praatio_and_pympi(result: Path) -> None:
    praat = pytest.importorskip("praatio.textgrid")
    from pympi.Praat import TextGrid

    convert_all([result], ["textgrid"], None)
    path, wanted = result.with_name("clip.TextGrid"), expected(result)
    grid = praat.openTextgrid(str(path), includeEmptyIntervals=False)
    assert grid.tierNames == AU_NAMES
    other = TextGrid(str(path))
    for au in AU_NAMES:
        mine = wanted[wanted["au"] == au]
        entries = grid.getTier(au).entries
        same([one.start for one in entries], mine["onset"] - START, 1e-5)
        same([one.end for one in entries], mine["offset"] - START, 1e-5)
        again = [one for one in other.get_tier(au).get_all_intervals() if one[2]]
        same([one[0] for one in again], mine["onset"] - START, 1e-5)
    assert other.xmax == pytest.approx(2 * TIMES[-1] - TIMES[-2] - START, abs=1e-6)


def test_bids_and_boris_are_read_by_pandas(result: Path) -> None:
    convert_all([result], ["bids", "boris"], None)
    wanted = expected(result)
    events = pd.read_csv(result.with_name("clip_events.tsv"), sep="\t")
    assert events.columns[:3].tolist() == ["onset", "duration", "trial_type"]
    same(events["onset"], wanted["onset"], 1e-6)
    same(events["duration"], wanted["offset"] - wanted["onset"], 1e-5)
    sidecar = json.loads(result.with_name("clip_events.json").read_text())
    assert set(sidecar) == set(events.columns)
    assert set(events["trial_type"]) <= set(sidecar["trial_type"]["Levels"])
    boris = pd.read_csv(result.with_name("clip.boris.csv"))
    assert boris["Behavior"].tolist() == wanted["au"].tolist()
    assert set(boris["Behavior type"]) == {"STATE"}
    same(boris["Start (s)"], wanted["onset"] - START, 6e-4)
    same(boris["Stop (s)"] - boris["Start (s)"], boris["Duration (s)"], 2e-3)


def test_a_summary_says_how_often_how_long_and_how_strong(result: Path) -> None:
    convert_all([result], ["summary"], None)
    table = pd.read_csv(result.with_name("clip.summary.csv")).set_index("au")
    ours, wanted = pd.read_csv(result), expected(result)
    seen = ours[ours["status"] != "no_face"]
    assert (table["frames"] == FRAMES).all()
    assert (table["frames_with_face"] == len(seen)).all()
    for au in AU_NAMES:
        row, mine = table.loc[au], wanted[wanted["au"] == au]
        assert row["share_present"] == pytest.approx(seen[f"{au}_c"].mean(), abs=1e-6)
        assert row["events"] == len(mine)
        total = (mine["offset"] - mine["onset"]).sum()
        assert row["seconds_present"] == pytest.approx(total, abs=1e-4)
        assert row["mean_intensity"] == pytest.approx(seen[f"{au}_r"].mean(), abs=1e-3)
        assert row["peak"] == pytest.approx(seen[f"{au}_r"].max(), abs=1e-3)
        best = seen["timestamp"][seen[f"{au}_r"].idxmax()]
        assert row["peak_at"] == pytest.approx(best, abs=1e-6)


def test_of_several_people_each_has_tiers(tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    first = read_rows(make(tmp_path).with_suffix(".parquet"))
    strong = dict.fromkeys(AU_NAMES, 0.9) | {f"{au}_r": 2.8 for au in AU_NAMES}
    more = [
        {"frame": k + 1, "timestamp": float(first.timestamp[k]), "face_id": 2, "status": "face",
         "confidence": 0.5, **strong, **{f"{au}_c": 1 for au in AU_NAMES}}
        for k in range(20, 50)
    ]  # fmt: skip
    for row in more:
        row |= {name: 1.0 for name in tracks.COLUMNS if name not in row}
    path = tracks.ours(tmp_path, TIMES, tracks.course(FRAMES), name="clip", more=more)
    convert_all([path], ["elan", "events"], None)
    document = elan.Eaf(str(tmp_path / "clip.eaf"))
    assert len(document.get_tier_names()) == 24
    (one,) = document.get_annotation_data_for_tier("AU12 face 2")
    assert one[0] == round(1000 * (TIMES[20] - START))
    assert one[1] == round(1000 * (TIMES[50] - START))
    events = pd.read_csv(tmp_path / "clip.events.csv")
    assert (events["face_id"] == 2).sum() == 12


def test_text_and_parquet_give_the_same_and_again_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    made = make(tmp_path / "a")
    for ending in (".csv", ".parquet", ".json"):
        shutil.copy(made.with_suffix(ending), tmp_path / "b")
    convert_all([tmp_path / "a/clip.csv"], list(FORMATS), tmp_path / "text")
    convert_all([tmp_path / "a/clip.json"], list(FORMATS), tmp_path / "first")
    convert_all([tmp_path / "b"], list(FORMATS), tmp_path / "second")
    for ending in ENDINGS:
        name = f"clip{ending}"
        first = (tmp_path / "first" / name).read_bytes()
        assert first == (tmp_path / "second" / name).read_bytes(), ending
        assert first == (tmp_path / "text" / name).read_bytes(), ending
    assert not list(tmp_path.rglob(".aufusion*"))
    parts = [len(rows) for rows in read_parts(tmp_path / "a/clip.csv")]
    assert sum(parts) == FRAMES


def test_files_of_others_stay_and_ours_are_replaced(result: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "clip.events.csv").write_text("my own")
    with pytest.raises(DataError, match=r"clip\.events\.csv is there and not as AUFusion wrote it"):
        convert_all([result], ["summary", "events"], folder)
    assert (folder / "clip.events.csv").read_text() == "my own"
    assert (folder / "clip.summary.csv").is_file()
    (folder / "clip.events.csv").unlink()
    convert_all([result], ["events"], folder)
    before = (folder / "clip.summary.csv").stat().st_mtime_ns
    convert_all([result], ["events", "summary"], folder)
    assert (folder / "clip.summary.csv").stat().st_mtime_ns == before, "what is done stays"
    make(tmp_path, seed=5)  # predicted anew: what was of the old one goes
    convert_all([result], ["events"], folder)
    assert not (folder / "clip.summary.csv").exists()
    same(pd.read_csv(folder / "clip.events.csv")["onset"], expected(result)["onset"], 1e-6)
    with (folder / "clip.events.csv").open("a") as file:
        file.write("a note of mine\n")
    make(tmp_path, seed=6)
    with pytest.raises(DataError, match="not as AUFusion wrote it"):
        convert_all([result], ["events"], folder)
    assert (folder / "clip.events.csv").read_text().endswith("a note of mine\n")
    assert (folder / f"clip{RECORD}").is_file() is False


def test_what_cannot_be_converted_is_said(tmp_path: Path) -> None:
    path = make(tmp_path, photo=True)
    with pytest.raises(
        DataError, match=r"is a photo .* for elan: openface, table, summary are possible"
    ):
        convert_all([path], ["elan"], None)
    convert_all([path], ["openface", "summary"], None)
    with pytest.raises(SettingsError, match="no format 'matlab'; allowed: openface, table, events"):
        convert_all([path], ["matlab"], None)
    with pytest.raises(DataError, match="is no result"):
        convert_all([tmp_path / "clip.mp4"], ["events"], None)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="has no column 'frame'"):
        convert_all([tmp_path / "x.csv"], ["events"], None)
    with pytest.raises(DataError, match="is not there"):
        convert_all([tmp_path / "y.parquet"], ["events"], None)
    (tmp_path / "e").mkdir()
    with pytest.raises(DataError, match="holds no result"):
        convert_all([tmp_path / "e"], ["events"], None)


def test_the_command(result: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["convert", str(result), "--to", "events", "--to", "summary"])
    assert run.exit_code == 0, run.output
    assert "clip.events.csv" in run.output
    assert (tmp_path / "clip.summary.csv").is_file()
    run = CliRunner().invoke(app, ["convert", str(result), "--to", "spss"])
    assert run.exit_code == 2
    assert "allowed: openface" in run.stderr
