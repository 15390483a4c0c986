# The job's image: launcher and Beam SDK worker in one, so that every worker has the same code.
# Its steps are also run, without an image, by tools/check_dockerfile.sh (see docs/deployment.md).
FROM python:3.11-slim-bookworm

# The worker boot program of the Beam release in requirements.lock.
COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam

WORKDIR /opt/tracemill
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY setup.py pyproject.toml README.md LICENSE ./
COPY pipeline pipeline
COPY transforms transforms
COPY schemas schemas
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

RUN useradd --create-home --uid 10001 tracemill
USER tracemill
ENV OMP_NUM_THREADS=1 OMP_THREAD_LIMIT=1 TOKENIZERS_PARALLELISM=false \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1

# Workers are started by runners with boot's arguments; people override the entry point:
#   docker run --entrypoint tracemill IMAGE run --help
ENTRYPOINT ["/opt/apache/beam/boot"]
