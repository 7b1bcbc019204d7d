from collections.abc import Callable
from pathlib import Path

import pytest

from worker.datasets.rows import Declared, Limits, declared_rows, list_folder

LIMITS = Limits(pixels=10_000, files=100, file_bytes=100_000, total_bytes=1_000_000, ratio=100)
Read = Callable[..., Declared]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a manifest given as text or bytes."""

    def read(manifest: str | bytes, patient_column: str | None = "patient_id") -> Declared:
        data = manifest.encode() if isinstance(manifest, str) else manifest
        (tmp_path / "manifest.csv").write_bytes(data)
        return declared_rows(tmp_path, list_folder(tmp_path), LIMITS, patient_column)

    return read


def only_message(declared: Declared) -> str:
    assert len(declared.problems) == 1
    assert not declared.rows
    return declared.problems[0].message


def test_a_row_carries_attributes_patient_and_mask(read: Read) -> None:
    declared = read(
        "path,label,split,marker,patient_id,spurious_mask\n"
        "images/a.jpg,healthy,train,present,7,masks/a.png\n"
        "./images//b.jpg , healthy,test,,,\n"
    )
    first, second = declared.rows
    assert declared.problems == []
    assert declared.attributes == ["marker"]
    assert (first.number, first.path, first.label, first.split) == (2, "images/a.jpg", "healthy", "train")
    assert (first.attributes, first.patient, first.mask) == ({"marker": "present"}, "7", "masks/a.png")
    assert (second.number, second.path, second.label, second.patient, second.mask) == (
        3,
        "images/b.jpg",
        "healthy",
        None,
        None,
    )


def test_the_patient_column_is_chosen(read: Read) -> None:
    declared = read("path,label,split,lesion_id,patient_id\na.jpg,x,train,5,6\n", "lesion_id")
    assert declared.rows[0].patient == "5"
    assert declared.attributes == ["patient_id"]
    assert read("path,label,split,patient_id\na.jpg,x,train,6\n", None).rows[0].patient is None


def test_a_chosen_patient_column_that_is_missing_is_told(read: Read) -> None:
    assert "no column lesion_id" in only_message(read("path,label,split\na.jpg,x,train\n", "lesion_id"))


def test_quoted_cells_and_a_byte_order_mark_are_read(read: Read) -> None:
    declared = read(b'\xef\xbb\xbfpath,label,split\r\n"a,1.jpg","an ""x""",train\r\n\r\n')
    assert [(row.path, row.label) for row in declared.rows] == [("a,1.jpg", 'an "x"')]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("", "empty"),
        ("path,label\na.jpg,x\n", "no column split"),
        ("a.jpg,x,train\n", "no column path, label, split"),
        ("path;label;split\na.jpg;x;train\n", "separated by commas"),
        ("path,label,split,split\n", "split stands more than once"),
        ("path,label,split,,\n", "more than one column without a name"),
        ("path,label,split,\n", "column without a name"),
        ("path\tlabel\tsplit\n", "with commas"),
        ("path,label,split,x\x1b[2J\n", "control characters"),
        ("path,label,split\n".encode("utf-16"), "not UTF-8"),
        ("path,label,split\nä.jpg,x,train\n".encode("latin-1"), "not UTF-8"),
        ('path,label,split\n"a.jpg,x,train\n', "no CSV"),
        ('path,"label"s,split\n', "no CSV"),
    ],
)
def test_a_bad_header_or_file_is_one_clear_sentence(read: Read, manifest: str | bytes, words: str) -> None:
    assert words in only_message(read(manifest))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.jpg,x", "2 cells; the header has 3"),
        ("a.jpg,x,train,more", "4 cells"),
        (",x,train", "path is empty"),
        ("a.jpg,,train", "label is empty"),
        ("a.jpg,x,", "split is empty"),
        ("a.jpg,x,val", "Unknown split 'val'"),
        ("../a.jpg,x,train", "outside the folder"),
        ("images/../../a.jpg,x,train", "outside the folder"),
        ("/etc/passwd,x,train", "absolute"),
        ("C:/a.jpg,x,train", "absolute"),
        ("images\\a.jpg,x,train", "backslash"),
        ("a.jpg,x\x07,train", "control characters"),
        ("a\x00.jpg,x,train", "control characters"),
        (f"a.jpg,{'x' * 201},train", "201 characters"),
        (f"{'x' * 1001},x,train", "1,001 characters"),
    ],
)
def test_a_bad_row_is_told_by_its_number_and_the_others_are_read(read: Read, row: str, words: str) -> None:
    declared = read(f"path,label,split\nfine.jpg,x,train\n{row}\nalso.jpg,x,test\n")
    assert [row.path for row in declared.rows] == ["fine.jpg", "also.jpg"]
    (problem,) = declared.problems
    assert problem.row == 3
    assert words in problem.message


def test_a_mask_path_is_held_to_the_same_rules(read: Read) -> None:
    declared = read("path,label,split,spurious_mask\na.jpg,x,train,../m.png\n")
    assert only_message(declared) == "spurious_mask: The path leads outside the folder."


def test_a_manifest_that_is_too_large_is_not_read(read: Read) -> None:
    assert "bytes" in only_message(read("x" * 100_001))


def test_plain_folders_are_read_without_a_manifest(tmp_path: Path) -> None:
    for path in ("train/x/b.PNG", "train/x/a.jpg", "validation/y/c.jpeg", "test/x/.DS_Store", "notes.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    declared = declared_rows(tmp_path, list_folder(tmp_path), LIMITS, "patient_id")
    assert declared.problems == []
    assert [(row.number, row.path, row.label, row.split) for row in declared.rows] == [
        (1, "train/x/a.jpg", "x", "train"),
        (2, "train/x/b.PNG", "x", "train"),
        (3, "validation/y/c.jpeg", "y", "validation"),
    ]


@pytest.mark.parametrize(
    ("path", "told", "words"),
    [
        ("val/x/a.png", "val", "Unknown folder 'val'"),
        ("train/a.png", "train/a.png", "beside the class folders"),
        ("train/x/more/a.png", "train/x/more", "folder inside a class folder"),
        ("train/x/a.txt", "train/x/a.txt", "no .png"),
        ("train/x/a\n.png", "'train/x/a\\n.png'", "control characters"),
    ],
)
def test_what_plain_folders_must_not_hold_is_told(tmp_path: Path, path: str, told: str, words: str) -> None:
    (tmp_path / "train" / "x").mkdir(parents=True)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    (problem,) = declared_rows(tmp_path, list_folder(tmp_path), LIMITS, None).problems
    assert (problem.row, problem.path) == (None, told)
    assert words in problem.message


def test_links_in_plain_folders_are_told_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "train" / "x").mkdir(parents=True)
    (tmp_path / "train" / "x" / "a.png").symlink_to("/etc/passwd")
    (tmp_path / "train" / "y").symlink_to("/etc")
    declared = declared_rows(tmp_path, list_folder(tmp_path), LIMITS, None)
    assert [problem.path for problem in declared.problems] == ["train/x/a.png", "train/y"]
    assert {problem.message for problem in declared.problems} == {"It is a link; links are not followed."}


def test_a_manifest_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").symlink_to("/etc/passwd")
    assert "link" in only_message(declared_rows(tmp_path, list_folder(tmp_path), LIMITS, None))


def test_a_folder_in_neither_form_is_told(tmp_path: Path) -> None:
    declared = declared_rows(tmp_path, list_folder(tmp_path), LIMITS, None)
    assert "neither a manifest.csv nor a folder train" in only_message(declared)


def test_a_file_without_a_known_suffix_is_taken_where_it_starts_as_dicom_does(tmp_path: Path) -> None:
    for name, start in (("1.2.840.77", b"DICM"), ("IM0001", b"DICM"), ("notes", b"text")):
        path = tmp_path / "train" / "x" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(128) + start)
    declared = declared_rows(tmp_path, list_folder(tmp_path), LIMITS, None)
    assert [row.path for row in declared.rows] == ["train/x/1.2.840.77", "train/x/IM0001"]
    assert [problem.path for problem in declared.problems] == ["train/x/notes"]
