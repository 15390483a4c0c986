"""The networks of the OCR engine: found in the installed wheels, made smaller by `models build`.

The recogniser of PP-OCRv6 tells 18,710 characters apart, nearly all of them Chinese. Building keeps
the blank and the Latin ones (its last matrix shrinks sixtyfold), and quantises weights and
activations to int8, calibrated on lines of text from given frames. The detector stays as it is:
quantised it was a third faster, but broke or lost one line in thirty. Nothing is downloaded, and
the weights are never committed: they are derived from the wheels on the machine that needs them.
Workers never build; without built models they use the wheels' own.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECIPE = 3
"""Of slicing and quantising; a built model of another recipe is not used."""
DETECTOR = ("rapidocr_onnxruntime", "ch_PP-OCRv4_det_infer.onnx")
RECOGNISER = ("rapidocr", "PP-OCRv6_rec_small.onnx")
INDEX = "models.json"
KEPT_PUNCTUATION = "–—‘’“”•…€™"
NOT_KEPT = "×"
"""Was read for x."""
MIN_CALIBRATION_LINES, MAX_CALIBRATION_LINES = 16, 96
MAX_CALIBRATION_WIDTH = 640
QUANTISED = ["Conv", "MatMul", "Add", "Concat", "MaxPool", "Relu"]


class ModelError(Exception):
    """A model cannot be built or used; the message says which, why and what to do."""


@dataclass(frozen=True)
class ModelPaths:
    """Files of the two networks and what they are."""

    detector: Path
    recogniser: Path
    fingerprint: str
    """Changes when other networks would read other text."""


def models_folder() -> Path:
    """Returns where built models lie: TRACEMILL_MODELS, else the user's cache folder."""
    chosen = os.environ.get("TRACEMILL_MODELS")
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tracemill" / "models"


def locate_models(folder: Path | None) -> ModelPaths | None:
    """Returns the networks to use: the built ones, else the wheels'; None when there are none.

    Raises ModelError when a built model is damaged.
    """
    detector, wheel = _in_wheel(*DETECTOR), _in_wheel(*RECOGNISER)
    if detector is None or wheel is None:
        return None
    built = _built(folder) if folder is not None else None
    if built is not None:
        path, digest = built
        return ModelPaths(detector, path, f"{_sources()}/{RECIPE}/{digest[:16]}")
    return ModelPaths(detector, wheel, f"{_sources()}/wheel")


def engine_fingerprint(folder: Path | None) -> str:
    """Names what would read the pixels, for keys of results; ``none`` without an engine."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("cv2") is None:
        return "none"
    paths = locate_models(folder)
    return "none" if paths is None else paths.fingerprint


def characters_of(metadata: Mapping[str, str]) -> list[str]:
    """Returns the character of every class of a recogniser; class 0 is the blank."""
    if "classes" in metadata:
        return json.loads(metadata["classes"])
    return ["", *metadata["character"].rstrip("\n").split("\n"), " "]


def _in_wheel(package: str, name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:
        return None
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    return None


def _sources() -> str:
    return "+".join(
        f"{name}-{importlib.metadata.version(name)}"
        for name in ("rapidocr-onnxruntime", "rapidocr")
    )


def _built(folder: Path) -> tuple[Path, str] | None:
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["recipe"] != RECIPE or index["sources"] != _sources():
            return None
        path, digest = folder / str(index["recogniser"]), str(index["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / INDEX}: unreadable ({type(error).__name__}); delete the folder or run "
            "`tracemill models build` again"
        ) from error
    if not path.is_file() or _sha256(path) != digest:
        raise ModelError(
            f"{path}: missing or not what was built; delete the folder or run "
            "`tracemill models build` again"
        )
    return path, digest


def _sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def build_models(frames: Sequence[bytes], folder: Path) -> list[str]:
    """Builds the small recogniser from the installed wheels; returns the names of the files made.

    The same frames, wheels and machine give the same bytes.

    Args:
      frames: encoded pictures of screens, which calibrate the quantisation.
      folder: where the model and its index go; made when it isn't there.

    Raises:
      ModelError: a package is missing, a wheel's network is not what is expected, or the frames
        hold too little text.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"building models needs the package {error.name}; install tracemill[ocr]"
        ) from error
    source = _in_wheel(*RECOGNISER)
    if source is None or _in_wheel(*DETECTOR) is None:
        raise ModelError("building models needs rapidocr and rapidocr-onnxruntime (tracemill[ocr])")
    onnxruntime.set_default_logger_severity(3)
    lines = _calibration(frames)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as work:
        built = _quantise(slice_to_latin(onnx.load(str(source))), Path(work), lines)
        digest = _sha256(built)
        name = f"recogniser-{digest[:16]}.onnx"
        os.replace(built, folder / name)
        index = {"recipe": RECIPE, "sources": _sources(), "recogniser": name, "sha256": digest}
        written = Path(work) / INDEX
        written.write_text(json.dumps(index, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(written, folder / INDEX)
    return [name, INDEX]


def _is_kept(character: str) -> bool:
    return len(character) == 1 and (
        (32 <= ord(character) < 0x180 and character not in NOT_KEPT)
        or character in KEPT_PUNCTUATION
    )


def slice_to_latin(model: Any) -> Any:
    """Returns an ONNX recogniser whose classes are the blank and Latin characters only."""
    import numpy as np
    from onnx import numpy_helper

    metadata = {p.key: p.value for p in model.metadata_props}
    characters = characters_of(metadata)
    kept = [0] + [i for i, c in enumerate(characters) if i and _is_kept(c)]
    count = len(characters)
    sliced = 0
    tensors = [t for t in model.graph.initializer]
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors.extend(a.t for a in node.attribute if a.name == "value")
    for tensor in tensors:
        if count in tensor.dims:
            axis = list(tensor.dims).index(count)
            values = np.take(numpy_helper.to_array(tensor), kept, axis=axis)
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))
            sliced += 1
    if sliced != 2:
        raise ModelError(
            f"{RECOGNISER[1]}: expected one matrix and one bias with {count} classes, found "
            f"{sliced} tensors; this version of rapidocr is not supported"
        )
    for output in model.graph.output:
        for dimension in output.type.tensor_type.shape.dim:
            if dimension.dim_value == count:
                dimension.dim_value = len(kept)
    del model.graph.value_info[:]
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key = "classes"
    entry.value = json.dumps([characters[i] for i in kept])
    return model


def fuse_gelu(model: Any) -> int:
    """Replaces x * (1 + erf(x / sqrt 2)) / 2, five nodes, by one; returns how often.

    onnxruntime does so itself, but no longer finds the pattern once the model is quantised.
    """
    from onnx import helper

    graph = model.graph
    users: dict[str, list[Any]] = {}
    makers = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
        for name in node.output:
            makers[name] = node
    fused = 0
    for erf in [node for node in graph.node if node.op_type == "Erf"]:
        chain = [makers.get(erf.input[0]), erf]
        for kind in ("Add", "Mul", "Mul"):
            following = users.get(chain[-1].output[0], [])
            if len(following) != 1 or following[0].op_type != kind:
                break
            chain.append(following[0])
        if len(chain) != 5 or chain[0] is None or chain[0].op_type != "Div":
            continue
        source, target = chain[0].input[0], chain[4].output[0]
        if source not in chain[3].input:
            continue
        place = list(graph.node).index(chain[4])
        node = helper.make_node(
            "Gelu", [source], [target], name=f"{erf.name}_gelu", domain="com.microsoft"
        )
        graph.node.insert(place, node)
        for part in chain:
            graph.node.remove(part)
        fused += 1
    if fused:
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return fused


def _calibration(frames: Sequence[bytes]) -> list[Any]:
    """Cuts lines of text out of the frames, as the recogniser gets them, evenly over frames."""
    import cv2
    import numpy as np

    from transforms.privacy.pixels.engine import RECOGNISER_HEIGHT, load_engine, to_network

    engine = load_engine(None)
    share = max(4, MAX_CALIBRATION_LINES // max(1, len(frames)))
    lines: list[Any] = []
    for data in frames:
        if len(lines) >= MAX_CALIBRATION_LINES:
            break
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            continue
        image = image[:, :, ::-1]
        boxes = engine.detect(image)
        step = max(1, len(boxes) // share)
        for x0, y0, x1, y1 in boxes[::step][:share]:
            crop = image[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1]
            width = int(RECOGNISER_HEIGHT * crop.shape[1] / crop.shape[0] / 8) * 8
            width = min(max(32, width), MAX_CALIBRATION_WIDTH)
            lines.append(to_network(cv2.resize(crop, (width, RECOGNISER_HEIGHT)))[None])
    if len(lines) < MIN_CALIBRATION_LINES:
        raise ModelError(
            f"calibration needs frames with at least {MIN_CALIBRATION_LINES} lines of text, found "
            f"{len(lines)} in {len(frames)} frames"
        )
    return lines[:MAX_CALIBRATION_LINES]


def _quantise(model: Any, work: Path, lines: Sequence[Any]) -> Path:
    """Returns the file of a quantised network; its own metadata are kept."""
    import onnx
    from onnx import version_converter
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quant_pre_process,
        quantize_static,
    )

    metadata = {p.key: p.value for p in model.metadata_props}
    name = model.graph.input[0].name
    # Per-channel QDQ needs opset 13; the wheel's network has 11.
    onnx.save(version_converter.convert_version(model, 17), str(work / "converted.onnx"))
    quant_pre_process(
        str(work / "converted.onnx"), str(work / "prepared.onnx"), skip_symbolic_shape=True
    )
    prepared = onnx.load(str(work / "prepared.onnx"))
    fuse_gelu(prepared)
    onnx.save(prepared, str(work / "fused.onnx"))

    class Lines(CalibrationDataReader):
        def __init__(self) -> None:
            self._lines = iter(lines)

        def get_next(self) -> dict[str, Any] | None:
            line = next(self._lines, None)
            return None if line is None else {name: line}

    quantize_static(
        str(work / "fused.onnx"),
        str(work / "quantised.onnx"),
        Lines(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=QUANTISED,
    )
    quantised = onnx.load(str(work / "quantised.onnx"))
    del quantised.metadata_props[:]
    for key, value in metadata.items():
        entry = quantised.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(quantised, str(work / "quantised.onnx"))
    return work / "quantised.onnx"
