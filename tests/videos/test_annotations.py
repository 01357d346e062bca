import numpy as np
import pytest

from stages.core.errors import DataError
from stages.core.facs import ANNOTATION_HEADER
from stages.videos.annotations import length_warning, on_frame_grid, read_annotation


@pytest.fixture
def rows():
    return np.random.default_rng(0).integers(-1, 2, (50, 12))


def text_of(rows, end="\n"):
    return end.join([ANNOTATION_HEADER, *(",".join(map(str, row)) for row in rows)]) + end


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "video.txt"
    path.write_bytes(text.encode(encoding))
    return path


def test_values_are_those_that_numpy_reads(tmp_path, rows):
    path = write(tmp_path, text_of(rows))
    labels = read_annotation(path)
    assert labels.dtype == np.int8
    np.testing.assert_array_equal(labels, np.loadtxt(path, delimiter=",", skiprows=1))


@pytest.mark.parametrize(
    ("end", "encoding"), [("\r\n", "utf-8"), ("\n", "utf-8-sig"), ("\r\n", "utf-8-sig")]
)
def test_windows_line_ends_and_byte_order_marks_are_accepted(tmp_path, rows, end, encoding):
    path = write(tmp_path, text_of(rows, end), encoding)
    np.testing.assert_array_equal(read_annotation(path), rows)


def test_blanks_at_the_end_and_between_values_are_accepted(tmp_path, rows):
    path = write(tmp_path, text_of(rows).replace(",", ", ") + "\n  \n")
    np.testing.assert_array_equal(read_annotation(path), rows)


def test_a_header_alone_is_an_annotation_of_no_frame(tmp_path):
    assert read_annotation(write(tmp_path, ANNOTATION_HEADER + "\n")).shape == (0, 12)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.replace("AU26", "AU27"), "first line must be AU1"),
        (lambda t: t.replace("AU6,", "AU5,AU6,"), "first line must be AU1"),
        (lambda t: t.split("\n", 1)[1], "first line must be AU1"),
        (lambda t: "", "is empty"),
        (lambda t: t.replace("\n", "\n\n", 3), "line 2 has 1 columns instead of 12"),
        (lambda t: t.rstrip() + ",0\n", "line 51 has 13 columns"),
        (lambda t: t.rstrip()[: t.rstrip().rindex(",")] + ",x\n", "line 51 holds 'x'"),
        (lambda t: t.rstrip()[: t.rstrip().rindex(",")] + ",2\n", "line 51 holds '2'"),
        (lambda t: t.rstrip()[: t.rstrip().rindex(",")] + ",0.5\n", "line 51 holds '0.5'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, rows, change, said):
    path = write(tmp_path, change(text_of(rows)))
    with pytest.raises(DataError, match=said) as error:
        read_annotation(path)
    assert str(path) in str(error.value)


def test_another_encoding_is_a_sentence(tmp_path, rows):
    with pytest.raises(DataError, match="UTF-8"):
        read_annotation(write(tmp_path, text_of(rows), "utf-16"))


def test_the_frame_grid_of_the_video_rules(rows):
    labels = rows.astype(np.int8)
    np.testing.assert_array_equal(on_frame_grid(labels, 50), labels)
    np.testing.assert_array_equal(on_frame_grid(labels, 48), labels[:48])
    longer = on_frame_grid(labels, 53)
    np.testing.assert_array_equal(longer[:50], labels)
    assert (longer[50:] == -1).all()


def test_lengths_that_differ_are_a_sentence():
    assert length_warning(50, 50) is None
    assert "2 frames" in str(length_warning(48, 50))
    assert "3 annotation lines" in str(length_warning(53, 50))
