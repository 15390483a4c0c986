#!/usr/bin/env bash
# Runs the tests; does all its set-up by itself. Arguments go to pytest (default: everything, on all cores).
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$ROOT"
. tools/environment.sh
install_lock requirements-dev.lock
build_models
export OMP_NUM_THREADS=1 OMP_THREAD_LIMIT=1 TOKENIZERS_PARALLELISM=false
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1

# Tests that need a missing program skip with a message; as root we can install it first.
missing=()
command -v chromium > /dev/null || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
  { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}" fonts-dejavu-core; } \
    > /dev/null 2>&1 || echo "could not install ${missing[*]}; tests that need it skip" >&2
fi

if [ $# -gt 0 ]; then
  exec "$PYTHON" -m pytest "$@"
fi
"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
"$ROOT/.venv/bin/lint-imports"
exec "$PYTHON" -m pytest -q -n "$(cores)" --dist loadfile
