# The job's image: launcher and Beam SDK worker in one, so that every worker has the same code.
# tools/check_dockerfile.py runs these very steps without an image (see docs/deployment.md).
FROM python:3.11-slim-bookworm AS installed

WORKDIR /opt/tracemill
COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY setup.py pyproject.toml README.md LICENSE ./
COPY pipeline pipeline
COPY transforms transforms
COPY schemas schemas
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
# What runs is what was installed; a second copy in the working directory would be imported first.
RUN rm -r pipeline transforms schemas

# The small OCR networks, derived from the installed wheels and calibrated on recorded pictures.
FROM installed AS networks
COPY examples/sessions /opt/frames
RUN TRACEMILL_MODELS=/opt/models tracemill models build --frames /opt/frames

FROM installed
# The worker boot program of the Beam release in requirements.lock.
COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
COPY --from=networks /opt/models /opt/models
# The entry point of a Dataflow Flex Template.
COPY deploy/dataflow/main.py /opt/tracemill/main.py

RUN useradd --create-home --uid 10001 tracemill
USER tracemill
ENV TRACEMILL_MODELS=/opt/models
ENV OMP_NUM_THREADS=1 OMP_THREAD_LIMIT=1 TOKENIZERS_PARALLELISM=false
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/tracemill/main.py

# Workers are started by runners with boot's arguments; people override the entry point:
#   docker run --entrypoint tracemill IMAGE run --help
ENTRYPOINT ["/opt/apache/beam/boot"]
