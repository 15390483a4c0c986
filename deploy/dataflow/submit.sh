#!/usr/bin/env bash
# Builds the image and the Flex Template, and starts a job. NOT VERIFIED against Google Cloud: the
# tests check the metadata and the job graph, offline.
#
#   PROJECT=my-project REGION=europe-west1 BUCKET=my-bucket IMAGE=…/tracemill:1 \
#     deploy/dataflow/submit.sh input=gs://my-bucket/recordings/* suite=gs://my-bucket/suite.yaml \
#     output=gs://my-bucket/out
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${PROJECT:?}" "${REGION:?}" "${BUCKET:?}" "${IMAGE:?}"

docker build -t "$IMAGE" .
docker push "$IMAGE"
metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
docker run --rm --entrypoint tracemill "$IMAGE" config dataflow > "$metadata"
template="gs://$BUCKET/templates/tracemill.json"
# The launcher's own image starts /opt/tracemill/main.py of ours.
gcloud dataflow flex-template build "$template" --project "$PROJECT" --image "$IMAGE" \
  --sdk-language PYTHON --metadata-file "$metadata"
parameters=(--parameters "sdk_container_image=$IMAGE")
for parameter in "$@"; do
  # ^|^ because values may hold commas.
  parameters+=(--parameters "^|^$parameter")
done
gcloud dataflow flex-template run "tracemill-$(date -u +%Y%m%d-%H%M%S)" --project "$PROJECT" \
  --region "$REGION" --template-file-gcs-location "$template" \
  --temp-location "gs://$BUCKET/temp" --staging-location "gs://$BUCKET/staging" "${parameters[@]}"
