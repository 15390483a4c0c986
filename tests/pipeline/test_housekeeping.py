"""gc and forget: what they must not delete, and what they must not leave."""

import json
import shutil

import pytest

from pipeline import housekeeping
from pipeline.cli import main
from pipeline.run_places import places_of
from tests.pipeline.jobs import job, manifest, tracemill, version_files
from tests.support.synthetic import write_catalogue, write_sessions
from transforms import storage
from transforms.checkpoints import CheckpointStore, read_members


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Sessions, a catalogue, and an output with an older version beside its current one."""
    folder = tmp_path_factory.mktemp("housekeeping")
    write_sessions(folder / "sessions", 6)
    write_catalogue(folder / "suite.json")
    run(folder, folder / "out", "--min_confidence=0.95")
    run(folder, folder / "out")
    return folder


def run(place, output, *more, check=0):
    return tracemill(*job(place / "sessions", place / "suite.json", output), *more, check=check)


@pytest.fixture
def out(place, tmp_path, monkeypatch):
    shutil.copytree(place / "out", tmp_path / "out", symlinks=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def sessions_of(output):
    store = CheckpointStore(str(output / "checkpoints"))
    return [r.session_id for r in read_members(store, manifest(output)["version"])]


def text_of(output):
    """All that lies in an output, but who is forgotten."""
    files = (p for p in output.rglob("*") if p.is_file() and p.name != "forgotten.txt")
    return b"\n".join(str(p).encode() + p.read_bytes() for p in files)


# gc -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["out", "./out", "out/", ".//out", "file://{}", "{}/../out"])
def test_gc_keeps_what_is_published_however_the_output_is_spelled(out, spelling):
    before = version_files(out)
    assert main(["gc", spelling.format(out)]) == 0
    assert version_files(out) == before
    assert [p.name for p in (out / "versions").iterdir()] == [manifest(out)["version"]]
    assert main(["status", spelling.format(out)]) == 0


def test_gc_sweeps_nothing_where_no_file_of_the_manifest_lies(out, capsys):
    (out / "versions" / manifest(out)["version"]).rename(out / "versions" / "moved")
    before = {p for p in out.rglob("*") if p.is_file()}
    assert main(["gc", str(out)]) == 3
    assert "no file of the manifest" in capsys.readouterr().err
    assert {p for p in out.rglob("*") if p.is_file()} == before


def test_gc_refuses_a_version_to_keep_that_is_not_there(out, capsys):
    older = {p.name for p in (out / "versions").iterdir()} - {manifest(out)["version"]}
    assert main(["gc", "out", "--keep", "typo"]) == 2
    assert older.pop() in capsys.readouterr().err
    assert len(list((out / "versions").iterdir())) == 2


@pytest.mark.parametrize("arguments", [["gc", "missing", "--dry_run"], ["forget", "missing", "s"]])
def test_a_mistyped_output_is_not_made(out, arguments):
    assert main(arguments) == 2
    assert not (out.parent / "missing").exists()


def test_a_damaged_checkpoint_is_named_and_made_anew_by_another_run(place, out, capsys):
    before = version_files(out)
    (path,) = out.glob(f"checkpoints/prepared/*/{members(out)[0].prepared_key}.ckpt")
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert main(["gc", "out", "--dry_run"]) == 3
    assert path.name in capsys.readouterr().err and path.exists()
    assert main(["gc", "out"]) == 3
    assert "was removed" in capsys.readouterr().err and not path.exists()
    (out / "manifest.json").unlink()
    run(place, out)
    assert version_files(out) == before


def test_a_run_that_meets_a_damaged_checkpoint_says_what_to_do(place, out):
    (path,) = out.glob(f"checkpoints/result/*/{members(out)[0].key}.ckpt")
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    (out / "manifest.json").unlink()
    made = run(place, out, check=3)
    assert f"{path} was removed, being damaged; run again" in made.stderr
    run(place, out)


def members(output):
    return read_members(CheckpointStore(str(output / "checkpoints")), manifest(output)["version"])


# forget ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["out", "./out/", "file://{}"])
def test_forget_leaves_nothing_but_the_rest(out, spelling):
    gone, *rest = sessions_of(out)
    assert main(["forget", spelling.format(out), gone]) == 0
    assert gone.encode() not in text_of(out)
    assert sorted(sessions_of(out)) == sorted(rest)
    assert len(version_files(out)) > 10


def test_forget_reaches_the_places_that_runs_were_given(place, tmp_path, capsys):
    out, private = tmp_path / "out", tmp_path / "elsewhere"
    run(place, out, f"--private={private}", f"--model_cache={tmp_path / 'replies'}")
    gone = sessions_of(out)[0]
    assert places_of(str(out)).cache == (str(tmp_path / "replies"),)
    assert main(["forget", str(out), gone]) == 0
    assert (private / "forgotten.txt").read_text().split() == [gone]
    assert not (private / "sessions" / f"{gone}.json").exists() and not (out / "private").exists()
    again = run(place, out, f"--private={private}")
    assert "nothing to do" in again.stdout and gone not in sessions_of(out)
    private.rename(tmp_path / "moved")
    assert main(["forget", str(out), sessions_of(out)[0]]) == 2
    assert "say --private" in capsys.readouterr().err
    assert main(["forget", str(out), sessions_of(out)[0], f"--private={tmp_path / 'moved'}"]) == 0


def test_a_place_that_is_not_a_runs_is_refused(out, capsys):
    gone = sessions_of(out)[0]
    assert main(["forget", "out", gone, "--private=sessions"]) == 2
    (out / "run" / "places.json").unlink()  # as an earlier release left it
    (out / "private").rename(out.parent / "elsewhere")
    assert main(["forget", "out", gone]) == 2
    assert capsys.readouterr().err.count("no project key and no sessions") == 2
    assert gone in sessions_of(out)
    assert main(["forget", "out", gone, "--private=elsewhere"]) == 0


def test_an_output_that_was_moved_keeps_its_places(out, tmp_path):
    out.rename(tmp_path / "other")
    gone = sessions_of(tmp_path / "other")[0]
    assert main(["forget", "other", gone]) == 0
    assert gone in (tmp_path / "other" / "private" / "forgotten.txt").read_text()


@pytest.mark.parametrize("step", ["commit", "forget_listed", "_delete_replies", "_strike_out"])
def test_an_interrupted_forget_is_finished_by_another(out, monkeypatch, step):
    gone = sessions_of(out)[0]
    with monkeypatch.context() as broken:
        broken.setattr(housekeeping, step, interrupted)
        with pytest.raises(ZeroDivisionError):
            main(["forget", "out", gone])
    assert main(["forget", "out", gone]) == 0
    assert gone.encode() not in text_of(out)
    version = manifest(out)["version"]
    assert main(["forget", "out", gone]) == 0
    assert manifest(out)["version"] == version


def interrupted(*unused, **unused_too):
    raise ZeroDivisionError


def test_lines_that_people_wrote_do_not_stop_forget(out):
    gone, other = sessions_of(out)[:2]
    kept = json.dumps({"session_id": other, "segment_id": "a", "action": "none"})
    about = json.dumps({"session_id": gone, "segment_id": "a", "action": "none"})
    answers = out / "review" / "answers.jsonl"
    answers.write_text(f"{kept}\n\n{about}\n{about[:-4]}\n[1]\n")
    assert main(["forget", "out", gone]) == 0
    assert answers.read_text() == f"{kept}\n\n[1]\n"


def test_a_session_of_an_older_version_alone_can_be_forgotten(place, out, tmp_path):
    gone = sessions_of(out)[0]
    shutil.copytree(place / "sessions", tmp_path / "sessions")
    shutil.rmtree(tmp_path / "sessions" / input_of(out, gone))
    shutil.copy(place / "suite.json", tmp_path)
    tracemill(*job(tmp_path / "sessions", tmp_path / "suite.json", out))
    current = manifest(out)
    assert gone not in sessions_of(out) and gone.encode() in text_of(out)
    assert main(["forget", "out", gone]) == 0
    assert gone.encode() not in text_of(out)
    assert manifest(out) == current
    assert main(["forget", "out", "nobody"]) == 1


def input_of(output, session_id):
    record = json.loads((output / "private" / "sessions" / f"{session_id}.json").read_text())
    return storage.name_of(record["uri"])


def test_forget_cuts_shards_as_the_run_did(place, tmp_path):
    out = tmp_path / "out"
    run(place, out, "--max_shard_mb=0.02")
    gone, *rest = sessions_of(out)
    assert len(list((out / "dataset/tables/events").iterdir())) > 2
    assert main(["forget", str(out), gone]) == 0
    after = version_files(out)
    run(place, out, "--max_shard_mb=0.02")
    shutil.rmtree(out / "versions")
    (out / "manifest.json").unlink()
    run(place, out, "--max_shard_mb=0.02")
    assert version_files(out) == after and sorted(sessions_of(out)) == sorted(rest)


def test_all_sessions_can_be_forgotten(out):
    assert main(["forget", "out", *sessions_of(out)]) == 0
    assert main(["status", "out"]) == 0 and sessions_of(out) == []


def test_a_member_that_is_listed_twice_is_refused(out, capsys):
    (listed,) = (out / "checkpoints" / "versions" / manifest(out)["version"]).iterdir()
    shutil.copy(listed, listed.with_name("part-00000-of-00002.jsonl"))
    assert main(["forget", "out", members_twice(listed)]) == 3
    assert "listed twice" in capsys.readouterr().err


def members_twice(listed):
    return json.loads(listed.read_text().splitlines()[0])[0]
