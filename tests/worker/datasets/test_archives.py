import io
import random
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from worker.datasets.archives import ArchiveError, unpack
from worker.datasets.rows import Limits, shown

LIMITS = Limits(pixels=10_000, files=10, file_bytes=10_000, total_bytes=20_000, ratio=50)
Pack = Callable[..., Path]


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Makes a zip of (name or ZipInfo, content) pairs."""

    def pack(*entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / "upload.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in entries:
                archive.writestr(name, content, compression)
        return path

    return pack


def refused(archive: Path, limits: Limits = LIMITS) -> str:
    """The sentence, after making sure that nothing is left behind."""
    into = archive.parent / "unpacked"
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(ArchiveError) as error:
        unpack(archive, into, limits)
    assert sorted(archive.parent.rglob("*")) == before
    return str(error.value)


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def noise(size: int) -> bytes:
    return random.Random(0).randbytes(size)


def test_files_are_unpacked_where_they_belong(tmp_path: Path, pack: Pack) -> None:
    archive = pack(("manifest.csv", b"path"), ("images/a.png", b"a"), ("images/deep/b.png", b"b"))
    folder = unpack(archive, tmp_path / "unpacked", LIMITS)
    assert folder == tmp_path / "unpacked"
    assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == {
        "manifest.csv": b"path",
        "images/a.png": b"a",
        "images/deep/b.png": b"b",
    }


def test_a_folder_packed_as_a_whole_is_found_inside(tmp_path: Path, pack: Pack) -> None:
    archive = pack(("knees/", b""), ("knees/manifest.csv", b"path"), ("__MACOSX/knees/._manifest.csv", b"?"))
    folder = unpack(archive, tmp_path / "unpacked", LIMITS)
    assert folder == tmp_path / "unpacked" / "knees"
    assert (folder / "manifest.csv").read_bytes() == b"path"


def test_a_set_with_only_a_train_folder_keeps_it(tmp_path: Path, pack: Pack) -> None:
    folder = unpack(pack(("train/x/a.png", b"a")), tmp_path / "unpacked", LIMITS)
    assert folder == tmp_path / "unpacked"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../outside.png", "outside the folder"),
        ("images/../../outside.png", "outside the folder"),
        ("/tmp/outside.png", "absolute"),
        ("C:/outside.png", "absolute"),
        ("images\\a.png", "backslash"),
        ("images/a\n.png", "control characters"),
        ("more.zip", "archive inside the archive"),
        ("more.tar.GZ", "archive inside the archive"),
        (entry("link.png", stat.S_IFLNK | 0o777), "link"),
        (entry("pipe", stat.S_IFIFO | 0o644), "no plain file"),
    ],
)
def test_dangerous_entries_are_refused_by_name(pack: Pack, name: str | zipfile.ZipInfo, words: str) -> None:
    message = refused(pack(("fine.png", b"fine"), (name, b"/etc/passwd")))
    assert words in message
    assert message.startswith(shown(name if isinstance(name, str) else name.filename))


def test_too_many_files_are_refused(pack: Pack) -> None:
    assert "11 files; 10 are allowed" in refused(pack(*((f"{i}.png", b"x") for i in range(11))))


def test_a_file_that_is_too_large_is_refused(pack: Pack) -> None:
    assert "a.png: It has 10,001 bytes" in refused(pack(("a.png", noise(10_001))))


def test_too_much_in_all_is_refused(pack: Pack) -> None:
    assert "27,000 bytes" in refused(pack(*((f"{i}.png", noise(9_000)) for i in range(3))))


def test_a_bomb_is_refused_by_its_ratio(pack: Pack) -> None:
    assert "more than 50 times" in refused(pack(("a.png", bytes(9_000))))


def test_a_bomb_that_lies_about_its_size_is_never_unpacked_beyond_it(pack: Pack) -> None:
    archive = pack(("a.png", bytes(9_000)))
    data = archive.read_bytes()
    size = (9_000).to_bytes(4, "little")
    archive.write_bytes(data.replace(size, (100).to_bytes(4, "little")))
    assert "damaged" in refused(archive)


def test_the_same_name_twice_is_refused(pack: Pack) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = pack(("a.png", b"1"), ("a.png", b"2"))
    assert "twice" in refused(archive)


def test_a_file_that_is_also_a_folder_is_refused(pack: Pack) -> None:
    assert "same name" in refused(pack(("a", b"1"), ("a/b.png", b"2")))


def test_an_encrypted_archive_is_refused(pack: Pack) -> None:
    archive = pack(("a.png", b"secret"))
    data = bytearray(archive.read_bytes())
    data[6] |= 1  # flag of the entry
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the same flag in the table of contents
    archive.write_bytes(data)
    assert "encrypted" in refused(archive)


def test_an_unusual_compression_is_refused(pack: Pack) -> None:
    assert "not supported" in refused(pack(("a.png", b"x"), compression=zipfile.ZIP_LZMA))


def test_an_empty_archive_is_refused(pack: Pack) -> None:
    assert "empty" in refused(pack())
    assert "empty" in refused(pack(("folder/", b"")))


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_a_broken_archive_is_refused(pack: Pack, cut: int) -> None:
    archive = pack(("a.png", noise(1000)))
    archive.write_bytes(archive.read_bytes()[:cut])
    assert "no zip archive" in refused(archive)


def test_damaged_content_is_refused_and_what_was_unpacked_before_is_gone(pack: Pack) -> None:
    archive = pack(("a.png", noise(1000)), ("b.png", noise(1000)), compression=zipfile.ZIP_STORED)
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") - 1] ^= 0xFF  # last byte of b.png
    archive.write_bytes(data)
    assert "damaged" in refused(archive)


def test_a_name_too_long_for_the_disk_is_refused(pack: Pack) -> None:
    assert "could not be unpacked" in refused(pack(("x" * 300, b"x")))


def test_limits_are_the_callers(tmp_path: Path, pack: Pack) -> None:
    archive = pack(("a.png", bytes(9_000)))
    assert unpack(archive, tmp_path / "unpacked", replace(LIMITS, ratio=1000)).is_dir()


def test_a_picture_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(io.BytesIO(b"\x89PNG").getvalue())
    assert "no zip archive" in refused(path)
