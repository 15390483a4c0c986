"""Package definition; exact versions for deployments are in requirements.lock."""

from pathlib import Path

from setuptools import find_packages, setup

BASE = [
    "aiohttp>=3.12,<4",
    "apache-beam>=2.77,<2.78",
    "fastavro>=1.9",
    "httpx>=0.27,<1",
    "jinja2>=3.1",
    "lxml>=5",
    "msgspec>=0.19",
    "numpy>=1.26",
    "openai[aiohttp]>=3.50,<4",
    "orjson>=3.10",
    "Pillow>=11",
    "presidio-analyzer>=2.2.360,<3",
    "pyarrow>=18",
    "PyYAML>=6",
    "rich>=13",
    "spacy>=3.8,<4",
    "tokenizers>=0.20",
    'hyperscan>=0.7; platform_system == "Linux" and platform_machine == "x86_64"',
]
EXTRAS = {
    "gcp": ["apache-beam[gcp]>=2.77,<2.78", "google-cloud-storage>=2.18"],
    "aws": ["apache-beam[aws]>=2.77,<2.78", "boto3>=1.34"],
    "ocr": [
        "rapidocr-onnxruntime==1.4.4",
        "rapidocr>=3.10,<3.11",
        "onnxruntime>=1.20",
        "onnx>=1.17",
        "opencv-python-headless>=4.10",
    ],
    "record": ["playwright>=1.60"],
}
EXTRAS["dev"] = [
    *EXTRAS["record"],
    "datasets>=3",
    "faker>=30",
    "gcp-storage-emulator>=2024.8",
    "hypothesis>=6.100",
    "import-linter>=2",
    "moto[server]>=5",
    "mypy>=1.11",
    "pydantic>=2.8",
    "pytest>=8",
    "pytest-xdist>=3.6",
    "ruff>=0.6",
    "types-PyYAML",
]

setup(
    name="tracemill",
    version="0.1.0",
    description="Recorded computer-use sessions become training data for action models.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    if Path(__file__).with_name("README.md").exists()
    else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["pipeline*", "transforms*", "schemas*"]),
    package_data={
        "transforms": ["**/*.yaml", "**/*.txt", "**/*.json", "privacy/ner_model/**/*"],
        "pipeline": ["*.txt"],
    },
    install_requires=BASE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["tracemill = pipeline.cli:main"]},
)
