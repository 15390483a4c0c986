import gzip
import io
import os
import tarfile
import threading
import zipfile

import pytest

from schemas.traces import SessionRef
from tests.support.session_folders import write
from transforms import archives
from transforms.archives import DamagedFileError, open_archive
from transforms.listings import UnsafePathError, list_folder, open_no_links, resolve_inside
from transforms.session_files import ArchiveFiles, FolderFiles, open_session_files


def folder_files(path):
    return FolderFiles(str(path), list_folder(str(path)))


@pytest.mark.parametrize(
    ("name", "resolved"),
    [
        ("a/b.png", "a/b.png"),
        ("./a//b.png", "a/b.png"),
        ("a\\b.png", "a/b.png"),
        ("a/..b/...", "a/..b/..."),
        ("ü/🎻.png", "ü/🎻.png"),
        ("a:b", None),
    ],
)
def test_names_become_relative_paths(name, resolved):
    if resolved is None:
        with pytest.raises(UnsafePathError):
            resolve_inside(name)
    else:
        assert resolve_inside(name) == resolved


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "empty"),
        ("./.", "empty"),
        ("..", "parent_path"),
        ("a/../../b", "parent_path"),
        ("a\\..\\b", "parent_path"),
        ("/etc/passwd", "absolute_path"),
        ("\\\\server\\share", "absolute_path"),
        ("C:\\x", "drive_letter"),
        ("c:x", "drive_letter"),
        ("http://example.org/x", "url"),
        ("file:///etc/passwd", "url"),
        ("data:image/png;base64,", "url"),
        ("a\0b", "nul_byte"),
        ("a\nb", "control_character"),
        ("x" * 256, "long_name"),
        ("ü" * 128, "long_name"),
        ("x/" * 600, "long_name"),
    ],
)
def test_names_that_leave_or_confuse_are_refused(name, code):
    with pytest.raises(UnsafePathError) as caught:
        resolve_inside(name)
    assert caught.value.code == code
    assert name not in str(caught.value) or not name.strip("./")


def test_a_folder_is_listed_without_links_and_leftovers(tmp_path):
    root = write(
        tmp_path / "s",
        {"b/2": b"22", "b/1": b"1", "a": b"", ".git/config": b"", "__MACOSX/a": b"", "x\\y": b""},
    )
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "inner").symlink_to(root / "a")
    os.mkfifo(root / "pipe")
    files = folder_files(root)
    assert files.names() == ["a", "b/1", "b/2"]
    assert [files.size(n) for n in files.names()] == [0, 1, 2]
    assert files.refused == {
        "inner": "link",
        "link": "link",
        "pipe": "special_file",
        "x\\y": "backslash",
    }
    assert files.read("b/2", 2) == b"22"
    with pytest.raises(DamagedFileError, match="more than 1 bytes"):
        files.read("b/2", 1)
    for name in ("link", "c", "b"):
        with pytest.raises(FileNotFoundError):
            files.open(name)
    with pytest.raises(UnsafePathError):
        files.open("../outside")


def test_links_made_after_listing_are_refused_too(tmp_path):
    root = write(tmp_path / "s", {"a/f": b"1"})
    write(tmp_path / "secret", {"f": b"2"})
    files = folder_files(root)
    (root / "a" / "f").unlink()
    (root / "a").rmdir()
    (root / "a").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafePathError):
        files.open("a/f")
    (root / "g").symlink_to(tmp_path / "secret" / "f")
    with pytest.raises(UnsafePathError):
        open_no_links(str(root), "g")
    os.mkfifo(root / "pipe")
    with pytest.raises(UnsafePathError):
        open_no_links(str(root), "pipe")


def test_gzip_is_undone_and_its_suffix_not_shown(tmp_path):
    packed = gzip.compress(b"hello")
    files = folder_files(
        write(tmp_path, {"a.gz": packed, "b": packed, "c": b"plain", "c.gz": packed, "d.gz": b"no"})
    )
    assert files.names() == ["a", "b", "c", "c.gz", "d"]
    assert [files.read(n, 99) for n in files.names()] == [
        *(b"hello", b"hello", b"plain", b"hello", b"no"),
    ]
    assert files.size("a") == len(packed)
    assert files.fits("a", 5) and not files.fits("a", 4) and not files.fits("c", 4)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gzip.compress(bytes(range(99)), mtime=0)[:-30], "truncated_gzip"),
        (gzip.compress(b"x" * 99, mtime=0)[:-8] + bytes(8), "damaged_gzip"),
        (b"\x1f\x8bx" + bytes(20), "damaged_gzip"),
        (b"\x1f\x8b", "truncated_gzip"),
    ],
)
def test_damaged_gzip(tmp_path, data, code):
    files = folder_files(write(tmp_path, {"a": data}))
    with pytest.raises(DamagedFileError) as caught:
        files.read("a", 999)
    assert caught.value.code == code


def tar_of(path, mode="w", **members):
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(data, tuple):
                info.type, info.linkname = data
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return str(path)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_members(tmp_path, mode):
    place = tar_of(
        tmp_path / "x",
        mode,
        **{
            "s/a": b"aaa",
            "./s/b": b"b" * 100_000,
            "s/twin": (tarfile.LNKTYPE, "s/a"),
            "s/away": (tarfile.LNKTYPE, "../secret"),
            "s/soft": (tarfile.SYMTYPE, "/etc/passwd"),
            "s/device": (tarfile.CHRTYPE, ""),
            "../evil": b"x",
            "/abs": b"x",
            "s/.DS_Store": b"",
        },
    )
    files = ArchiveFiles(open_archive(place), "s")
    assert files.names() == ["a", "b", "twin"]
    assert files.read("twin", 9) == b"aaa" and files.read("b", 100_000) == b"b" * 100_000
    assert files.refused == {
        "away": "link",
        "device": "special_file",
        "../evil": "parent_path",
        "/abs": "absolute_path",
    } | {"soft": "link"}


def test_zip_members(tmp_path):
    place = tmp_path / "x.zip"
    with zipfile.ZipFile(place, "w") as z:
        z.writestr("s/a", b"aaa")
        z.writestr("s\\b", b"b")
        z.writestr("s/", b"")
        z.writestr("../evil", b"x")
        z.writestr(zipfile.ZipInfo("C:/x"), b"x")
        link = zipfile.ZipInfo("s/soft")
        link.external_attr = 0o120777 << 16
        z.writestr(link, "/etc/passwd")
        z.writestr("s/odd", b"x" * 99, zipfile.ZIP_BZIP2)
    files = ArchiveFiles(open_archive(str(place)), "s")
    assert files.names() == ["a", "b"]
    assert files.read("b", 9) == b"b"
    assert files.refused == {
        "../evil": "parent_path",
        "C:/x": "drive_letter",
        "odd": "unsupported_compression",
        "soft": "link",
    }


def test_damaged_members(tmp_path):
    place = tmp_path / "x.zip"
    with zipfile.ZipFile(place, "w") as z:
        z.writestr("a", b"hello")
    data = place.read_bytes()
    place.write_bytes(data.replace(b"hello", b"jello", 1))
    with pytest.raises(DamagedFileError, match="damaged"):
        ArchiveFiles(open_archive(str(place)), "").read("a", 9)
    tar = tar_of(tmp_path / "x.tar", a=b"x" * 5000)
    with open(tar, "r+b") as f:
        f.truncate(3000)
    with pytest.raises(DamagedFileError):
        open_archive(tar)


def test_what_is_no_archive(tmp_path):
    write(tmp_path, {"a": b"{}", "b.gz": gzip.compress(b"{}"), "c": b""})
    assert [open_archive(str(tmp_path / n)) for n in ("a", "b.gz", "c")] == [None] * 3


def test_the_number_of_members_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    for place in (tar_of(tmp_path / "t", **{str(n): b"" for n in range(4)}),):
        with pytest.raises(DamagedFileError, match="more than 3"):
            open_archive(place)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_threads_share_an_archive(tmp_path, kind):
    members = {f"s/{n}": bytes([n]) * 70_000 for n in range(8)}
    place = tmp_path / f"x.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as z:
            for name, data in members.items():
                z.writestr(name, data)
    else:
        tar_of(place, "w:gz", **members)
    ref = SessionRef("s", str(place), "native-archive", 0, "print", member="s")
    wrong = []

    def work(n):
        for turn in range(20):
            one = (n + turn) % 8
            if open_session_files(ref).read(str(one), 1 << 20) != members[f"s/{one}"]:
                wrong.append(one)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_equal_content_has_an_equal_digest_wherever_it_lies(tmp_path):
    write(tmp_path / "s", {"a": b"1", "b/c": b"2"})
    with zipfile.ZipFile(tmp_path / "z", "w") as z:
        z.writestr("s/b/c", b"2")
        z.writestr("s/a", b"1")
    tar = tar_of(tmp_path / "t", **{"s/a": b"1", "s/b/c": b"2"})
    digests = {
        folder_files(tmp_path / "s").content_digest(),
        ArchiveFiles(open_archive(str(tmp_path / "z")), "s").content_digest(),
        ArchiveFiles(open_archive(tar), "s").content_digest(),
    }
    assert len(digests) == 1
    write(tmp_path / "s", {"a": b"2"})
    assert folder_files(tmp_path / "s").content_digest() not in digests
