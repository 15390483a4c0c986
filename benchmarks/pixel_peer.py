"""presidio-image-redactor on a folder of pictures; run by the Python that has it installed.

    PEER_PYTHON benchmarks/pixel_peer.py FOLDER NAMES_JSON

Reads FOLDER/*.png, writes FOLDER/redacted/*.png and prints JSON: CPU seconds with those of
tesseract, and the boxes found in each picture. Pattern recognizers are presidio's own; names are a
deny list, so that no model of names is compared here. Nothing is fetched.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path


def engine(names: list[str]):
    """Returns presidio's analyzer of pictures with a blank spaCy pipeline."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_image_redactor import ImageAnalyzerEngine

    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class Blank(SpacyNlpEngine):
        def load(self) -> None:
            self.nlp = {"en": spacy.blank("en")}

    nlp = Blank()
    nlp.load()
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    secret = r"\b(?:sk-|ghp_|AKIA|xoxb-)[\w-]{12,}"
    registry.add_recognizer(
        PatternRecognizer("SECRET", patterns=[Pattern("secret", secret, 0.9)], name="Secrets")
    )
    registry.add_recognizer(PatternRecognizer("PERSON", deny_list=names, name="Names"))
    return ImageAnalyzerEngine(
        analyzer_engine=AnalyzerEngine(
            registry=registry, nlp_engine=nlp, supported_languages=["en"]
        )
    )


def cpu() -> float:
    """Returns CPU seconds of this process and its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main() -> None:
    """Redacts every picture of a folder, one after the other."""
    from PIL import Image, ImageDraw

    folder, names = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    analyzer = engine(names)
    (folder / "redacted").mkdir(exist_ok=True)
    paths = sorted(folder.glob("*.png"))
    analyzer.analyze(Image.open(paths[0]).convert("RGB"), language="en")
    boxes = {}
    wall, started = time.perf_counter(), cpu()
    for path in paths:
        image = Image.open(path).convert("RGB")
        found = analyzer.analyze(image, language="en")
        pen = ImageDraw.Draw(image)
        rectangles = [(b.left, b.top, b.left + b.width, b.top + b.height) for b in found]
        for rectangle in rectangles:
            pen.rectangle(rectangle, fill=(255, 192, 203))
        image.save(folder / "redacted" / path.name)
        boxes[path.name] = rectangles
    seconds = {"cpu_s": cpu() - started, "wall_s": time.perf_counter() - wall}
    print(json.dumps({**seconds, "boxes": boxes}))


if __name__ == "__main__":
    main()
