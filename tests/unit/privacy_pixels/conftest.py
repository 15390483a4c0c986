import pytest


@pytest.fixture(scope="session")
def engine():
    """The wheels' own networks: what every machine has that installed the extra."""
    pytest.importorskip("onnxruntime")
    from transforms.privacy.pixels.engine import load_engine

    loaded = load_engine(None)
    if loaded is None:
        pytest.skip("the rapidocr wheels are not installed")
    return loaded
