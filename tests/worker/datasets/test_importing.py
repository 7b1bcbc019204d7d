import hashlib
import io
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dicoms import KNEE_16, PATIENT, dicom
from worker.datasets.importing import Checked, Limits, check, kept

BRIGHT = {"WindowCenter": 2000, "WindowWidth": 5000}  # so that each stays a picture of its own
LIMITS = Limits(pixels=10_000, files=1_000, file_bytes=100_000, total_bytes=10_000_000, ratio=100)
REAL = Path(os.environ.get("RIGHTREASONS_REAL_DATA") or Path(__file__).parents[4] / "shared" / "data")
SETTINGS_LIMITS = Limits(40_000_000, 100_000, 64 * 2**20, 4 * 2**30, 200)


def picture(seed: int, size: tuple[int, int] = (12, 8)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    return Image.fromarray(pixels)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, rows: Sequence[str], header: str = "path,label,split") -> None:
    """A manifest and, for every row whose image is not there yet, a picture of its own."""
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    for number, row in enumerate(rows):
        path = folder / row.split(",")[0]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(picture(number)))


def only_message(checked: Checked, row: int | None) -> str:
    assert len(checked.problems) == 1
    assert checked.problems[0].row == row
    return checked.problems[0].message


def test_a_sound_folder_is_told_whole(tmp_path: Path) -> None:
    write(tmp_path, ["i/a.png,x,train,m", "i/b.png,y,test,n"], "path,label,split,marker")
    checked = check(tmp_path, LIMITS)
    assert checked.problems == []
    assert checked.classes == ["x", "y"]
    assert checked.attributes == ["marker"]
    first = checked.images[0]
    assert (first.row.path, first.width, first.height, first.mask_digest) == ("i/a.png", 12, 8, None)
    assert len(first.digest) == 64


def test_a_manifest_may_name_dicom_files_whatever_they_are_called(tmp_path: Path) -> None:
    for name, values in (("a.dcm", KNEE_16), ("b", KNEE_16.T.copy()), ("m.png", np.full((16, 16), 255, np.uint8))):
        (tmp_path / name).write_bytes(dicom(values))
    write(tmp_path, ["a.dcm,x,train,m.png", "b,y,train,"], "path,label,split,spurious_mask")
    checked = check(tmp_path, LIMITS)
    assert checked.problems == []
    for image in checked.images:
        assert image.digest == hashlib.sha256(kept(tmp_path / image.row.path, LIMITS.pixels)).hexdigest()
    assert [(image.width, image.height, image.is_dicom) for image in checked.images] == [(16, 16, True)] * 2
    assert checked.images[0].mask_digest == hashlib.sha256(kept(tmp_path / "m.png", LIMITS.pixels)).hexdigest()


def test_a_file_that_is_dicom_by_its_name_alone_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"no letters")
    write(tmp_path, ["a.dcm,x,train"])
    assert "the letters DICM are missing" in only_message(check(tmp_path, LIMITS), 2)


def test_a_patient_in_two_splits_is_found_by_the_dicom_headers_and_not_named(tmp_path: Path) -> None:
    for number, patient in enumerate((PATIENT, PATIENT, "other", "")):
        (tmp_path / f"{number}.dcm").write_bytes(dicom(KNEE_16 + np.uint16(number), patient=patient, **BRIGHT))
    rows = ["0.dcm,x,train", "1.dcm,y,test", "2.dcm,y,test", "3.dcm,x,validation"]
    write(tmp_path, rows)
    message = only_message(check(tmp_path, LIMITS), 3)
    assert message.startswith(
        "The patient, by the ID in the DICOM header, is in two splits: test here, train with 0.dcm."
    )
    assert PATIENT not in message
    assert check(tmp_path, LIMITS, patient_column=None).problems == []
    write(tmp_path, [f"{row},{number}" for number, row in enumerate(rows)], "path,label,split,patient_id")
    checked = check(tmp_path, LIMITS)
    assert ([image.patient for image in checked.images], checked.problems) == ([*"0123"], [])


def test_numbered_classes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, [f"{label}.png,{label},train" for label in ("10", "9", "none", "0")])
    assert check(tmp_path, LIMITS).classes == ["0", "9", "10", "none"]


def test_given_classes_keep_their_order_and_refuse_others(tmp_path: Path) -> None:
    write(tmp_path, ["a.png,y,train", "b.png,z,train"])
    checked = check(tmp_path, LIMITS, classes=["y", "x"])
    assert checked.classes == ["y", "x"]
    assert only_message(checked, row=3) == "Unknown label 'z'; the classes are y, x."
    assert [image.row.path for image in checked.images] == ["a.png"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"no picture", "not a PNG or JPEG"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "not a PNG or JPEG"),
        (png(picture(0, (90, 90)))[:2000], "damaged or cut short"),
        (png(picture(0, (101, 100))), "101 x 100 pixels; at most 10,000"),
        (bytes(100_001), "100,001 bytes"),
    ],
)
def test_a_file_that_is_no_whole_picture_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "b.png").write_bytes(content)
    write(tmp_path, ["a.png,x,train", "b.png,y,train"])
    checked = check(tmp_path, LIMITS)
    assert words in only_message(checked, row=3)
    assert [image.row.path for image in checked.images] == ["a.png"]


def test_a_cut_jpeg_is_told(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    picture(0, (90, 90)).save(buffer, "JPEG")
    (tmp_path / "b.jpg").write_bytes(buffer.getvalue()[:-500])
    write(tmp_path, ["a.png,x,train", "b.jpg,y,train"])
    assert "damaged or cut short" in only_message(check(tmp_path, LIMITS), row=3)


def test_a_decompression_bomb_is_told_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png(Image.new("1", (20_000, 20_000))))
    write(tmp_path, ["a.png,x,train", "b.png,y,train"])
    started = time.perf_counter()
    assert "pixels" in only_message(check(tmp_path, LIMITS), row=3)
    assert time.perf_counter() - started < 1


def test_missing_files_folders_and_links_are_told(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "elsewhere").symlink_to("/")
    os.mkfifo(tmp_path / "pipe.png")
    write(tmp_path, ["a.png,x,train", "b.png,y,train", "folder.png,x,train", "link.png,x,train", "pipe.png,x,train"])
    (tmp_path / "b.png").unlink()
    with (tmp_path / "manifest.csv").open("a") as manifest:
        manifest.write("elsewhere/etc/passwd,x,train\n")
    assert [(problem.row, problem.message) for problem in check(tmp_path, LIMITS).problems] == [
        (3, "The file is missing."),
        (4, "It is no file."),
        (5, "It is a link; links are not followed."),
        (6, "It is no file."),
        (7, "It is a link; links are not followed."),
    ]


def test_the_same_path_twice_is_told_even_if_written_otherwise(tmp_path: Path) -> None:
    write(tmp_path, ["a.png,x,train", "b.png,y,train", "./a.png,y,train"])
    assert only_message(check(tmp_path, LIMITS), row=4) == "The path stands in row 2 already."


def test_the_same_picture_twice_is_told_even_if_stored_otherwise(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png(picture(0)))
    picture(0).save(tmp_path / "c.png", compress_level=0)
    write(tmp_path, ["a.png,x,train", "b.png,y,train", "c.png,x,train"])
    checked = check(tmp_path, LIMITS)
    assert [(problem.row, problem.message) for problem in checked.problems] == [
        (3, "The same image as a.png."),
        (4, "The same image as a.png."),
    ]


def test_the_same_picture_in_two_splits_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png(picture(0)))
    write(tmp_path, ["a.png,x,train", "b.png,x,test", "c.png,y,test"])
    message = only_message(check(tmp_path, LIMITS), row=3)
    assert message == "The same image as a.png, which is in split train: this one is in test."


def test_a_patient_in_two_splits_is_told_for_every_row(tmp_path: Path) -> None:
    rows = ["a.png,x,train,7", "b.png,y,train,7", "c.png,x,test,7", "d.png,x,test,8", "e.png,x,validation,7"]
    write(tmp_path, rows, "path,label,split,patient_id")
    checked = check(tmp_path, LIMITS)
    assert [(problem.row, problem.message) for problem in checked.problems] == [
        (4, "Patient 7 is in two splits: test here, train with a.png."),
        (6, "Patient 7 is in two splits: validation here, train with a.png."),
    ]
    assert check(tmp_path, LIMITS, patient_column=None).problems == []


def test_a_mask_must_be_there_and_of_the_image_s_size(tmp_path: Path) -> None:
    (tmp_path / "small.png").write_bytes(png(picture(0, (3, 3))))
    (tmp_path / "fits.png").write_bytes(png(picture(1)))
    rows = ["a.png,x,train,fits.png", "b.png,y,train,small.png", "c.png,x,train,none.png", "d.png,x,train,fits.png"]
    write(tmp_path, rows, "path,label,split,spurious_mask")
    checked = check(tmp_path, LIMITS)
    assert [(problem.row, problem.message) for problem in checked.problems] == [
        (3, "Mask small.png: It has 3 x 3 pixels, the image 12 x 8."),
        (4, "Mask none.png: The file is missing."),
    ]
    first, second = checked.images
    assert first.mask_digest is not None
    assert first.mask_digest == second.mask_digest


def test_a_turned_photograph_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    picture(0).save(tmp_path / "a.jpg", exif=exif)
    write(tmp_path, ["a.jpg,x,train", "b.png,y,train"])
    assert (check(tmp_path, LIMITS).images[0].width, check(tmp_path, LIMITS).images[0].height) == (8, 12)


def test_too_many_files_or_bytes_are_told_before_any_is_read(tmp_path: Path) -> None:
    write(tmp_path, ["a.png,x,train", "b.png,y,train"])
    assert "3 files; 2 are allowed" in only_message(check(tmp_path, replace(LIMITS, files=2)), row=None)
    assert "bytes in all" in only_message(check(tmp_path, replace(LIMITS, total_bytes=10)), row=None)


def test_an_empty_set_and_a_set_of_one_class_are_told(tmp_path: Path) -> None:
    write(tmp_path, [])
    assert only_message(check(tmp_path, LIMITS), row=None) == "There are no images."
    write(tmp_path, ["a.png,x,train"])
    assert "at least two classes" in only_message(check(tmp_path, LIMITS), row=None)
    assert "no such folder" in only_message(check(tmp_path / "nowhere", LIMITS), row=None)


def test_plain_folders_are_checked_like_a_manifest(tmp_path: Path) -> None:
    for number, path in enumerate(("train/x/a.png", "train/y/b.png", "test/x/c.png")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(png(picture(number % 2)))
    checked = check(tmp_path, LIMITS)
    assert checked.classes == ["x", "y"]
    assert [problem.path for problem in checked.problems] == ["train/x/a.png"]
    assert "test/x/c.png, which is in split test" in only_message(checked, row=None)


def test_the_digest_is_that_of_the_set_in_any_order(tmp_path: Path) -> None:
    rows = ["a.png,x,train", "b.png,y,train"]
    write(tmp_path, rows)
    digest = check(tmp_path, LIMITS).digest
    write(tmp_path, rows[::-1])
    assert check(tmp_path, LIMITS).digest == digest
    write(tmp_path, ["a.png,x,train", "b.png,y,test"])
    assert check(tmp_path, LIMITS).digest != digest
    (tmp_path / "b.png").write_bytes(png(picture(9)))
    write(tmp_path, rows)
    assert check(tmp_path, LIMITS).digest != digest


def test_checking_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, ["a.png,x,train", "b.png,y,train"])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    check(tmp_path, LIMITS)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def real(name: str) -> Path:
    folder = REAL / name
    if not folder.is_dir():
        pytest.skip(f"The real images are not at {folder}; RIGHTREASONS_REAL_DATA names their folder.")
    return folder


def test_the_real_skin_lesions_are_sound() -> None:
    checked = check(real("skin_lesions"), SETTINGS_LIMITS, patient_column="lesion_id")
    assert checked.problems == []
    assert checked.classes == ["benign", "malignant"]
    assert checked.attributes == ["patch"]
    assert len(checked.images) == 2979


def test_the_real_knees_are_sound_but_for_15_patients_with_a_knee_in_each_of_two_splits() -> None:
    checked = check(real("knees"), SETTINGS_LIMITS)
    assert checked.classes == ["healthy", "osteoarthritis"]
    assert len(checked.images) == 1524
    assert len(checked.problems) == 21
    assert all("in two splits" in problem.message for problem in checked.problems)
    assert len({problem.message.split()[1] for problem in checked.problems}) == 15
    # What is left has every patient in one split, and every test knee with and without marker.
    test = Counter(image.row.attributes["marker"] for image in checked.images if image.row.split == "test")
    assert test["present"] == test["absent"]
