import json
import sys

import numpy as np
import pytest

from tests.support.drawn import draw, png
from transforms.privacy.pixels import engine as engines
from transforms.privacy.pixels import models
from transforms.privacy.pixels.engine import load_engine

pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def no_engine_is_remembered():
    engines._load_engine.cache_clear()
    yield
    engines._load_engine.cache_clear()


def pages(count=2, lines=12) -> list[bytes]:
    return [
        png(draw([(20, 10 + 24 * n, f"Line {n} of page {p}") for n in range(lines)], (400, 320)))
        for p in range(count)
    ]


def test_the_folder_of_models_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("TRACEMILL_MODELS", str(tmp_path / "mine"))
    assert models.models_folder() == tmp_path / "mine"
    monkeypatch.delenv("TRACEMILL_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert models.models_folder() == tmp_path / "tracemill" / "models"


def test_without_built_models_the_wheels_own_are_used(tmp_path):
    paths = models.locate_models(tmp_path)
    assert paths == models.locate_models(None)
    assert paths.recogniser.name == "PP-OCRv6_rec_small.onnx"
    assert paths.fingerprint.endswith("/wheel")


@pytest.mark.slow
def test_built_models_read_the_same_text_and_are_built_the_same_again(monkeypatch, tmp_path):
    pytest.importorskip("onnx")
    monkeypatch.setattr(models, "MAX_CALIBRATION_LINES", 16)
    names = models.build_models(pages(), tmp_path / "a")
    assert models.build_models(pages(), tmp_path / "b") == names
    assert names[-1] == "models.json"
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == sorted(names)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / names[0]).stat().st_size < 5_000_000
    image = draw([(20, 20, "Bram Olsavik"), (20, 60, "578-22-9140")])
    built, wheel = load_engine(tmp_path / "a"), load_engine(None)
    assert [li.text for li in built.lines(image)] == [li.text for li in wheel.lines(image)]
    assert models.engine_fingerprint(tmp_path / "a") != models.engine_fingerprint(None)
    (tmp_path / "a" / names[0]).write_bytes(b"cut off")
    with pytest.raises(models.ModelError, match=r"not what was built.*models build"):
        models.locate_models(tmp_path / "a")


@pytest.mark.parametrize("index", ["", "[]", "{}", '{"recipe": 3}', "\0\1"])
def test_a_damaged_index_says_what_to_do(tmp_path, index):
    (tmp_path / "models.json").write_text(index)
    with pytest.raises(models.ModelError, match="delete the folder or run"):
        models.locate_models(tmp_path)


def test_models_of_another_recipe_or_wheel_are_not_used(tmp_path):
    index = {"recipe": 0, "sources": "rapidocr-0", "recogniser": "x"}
    (tmp_path / "models.json").write_text(json.dumps(index))
    assert models.locate_models(tmp_path) == models.locate_models(None)


@pytest.mark.parametrize("frames", [[], [b"no picture"], pages(1, 2)])
def test_calibration_needs_frames_with_text(tmp_path, frames):
    pytest.importorskip("onnx")
    with pytest.raises(models.ModelError, match="at least 16 lines"):
        models.build_models(frames, tmp_path / "models")
    assert not (tmp_path / "models" / "models.json").exists()


def test_without_the_wheels_there_is_no_engine(monkeypatch, tmp_path):
    monkeypatch.setattr(models, "_in_wheel", lambda package, name: None)
    assert load_engine(tmp_path) is None
    assert models.engine_fingerprint(tmp_path) == "none"
    with pytest.raises(models.ModelError, match=r"tracemill\[ocr\]"):
        models.build_models(pages(), tmp_path)


@pytest.mark.parametrize("package", ["onnxruntime", "cv2"])
def test_without_a_library_there_is_no_engine(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert load_engine(None) is None


def test_an_engine_is_loaded_once_in_a_process():
    assert load_engine(None) is load_engine(None)


def test_slicing_keeps_latin_and_nothing_else():
    onnx = pytest.importorskip("onnx")
    source = models.locate_models(None).recogniser
    sliced = models.slice_to_latin(onnx.load(str(source)))
    characters = models.characters_of({p.key: p.value for p in sliced.metadata_props})
    assert 250 < len(characters) < 400
    assert characters[0] == ""
    assert {"A", "z", "0", "@", "é", "ß", " "} <= set(characters)
    assert not {"中", "×"} & set(characters)
    with pytest.raises(models.ModelError, match="not supported"):
        models.slice_to_latin(sliced_without_head(sliced))


def sliced_without_head(model):
    """A network whose last matrix is not what is expected."""
    from onnx import numpy_helper

    entry = model.metadata_props[0]
    entry.value = json.dumps(json.loads(entry.value)[:-1])
    for tensor in model.graph.initializer:
        if tensor.dims and tensor.dims[-1] == 0:
            tensor.CopyFrom(numpy_helper.from_array(np.zeros(1, np.float32), tensor.name))
    return model
