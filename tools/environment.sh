# Sourced by run_local.sh and run_tests.sh: makes .venv from a lock file, once per content of it.

# install_lock LOCK: leaves the virtual environment's python in $PYTHON.
install_lock() {
  local lock=$1 venv="$ROOT/.venv" stamp python
  stamp="$venv/.installed-$(cksum < "$ROOT/$lock" | tr ' ' -)"
  PYTHON="$venv/bin/python"
  [ -e "$stamp" ] && [ -x "$PYTHON" ] && return 0
  python=$(find_python) || {
    echo "Python 3.11 or 3.12 is needed (python3.11 on the PATH, or PYTHON=/path/to/it)" >&2
    exit 2
  }
  echo "installing what $lock pins into .venv (once; a minute or two)" >&2
  [ -x "$PYTHON" ] || "$python" -m venv "$venv"
  # --no-deps: the lock is complete, and leaves out on purpose what opencv-python-headless replaces.
  "$PYTHON" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r "$ROOT/$lock"
  "$PYTHON" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e "$ROOT"
  touch "$stamp"
}

# build_models: derives the small OCR networks from the installed wheels, once.
build_models() {
  "$PYTHON" -c 'import rapidocr, rapidocr_onnxruntime' 2> /dev/null || return 0
  (cd "$ROOT" && "$PYTHON" -m pipeline.cli models build --if_missing > /dev/null) ||
    echo "the small OCR networks could not be built; the larger ones are used" >&2
}

# cores: how many there are; nproc alone would answer with OMP_NUM_THREADS.
cores() {
  env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2> /dev/null || echo 1
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3 python; do
    if [ -n "$candidate" ] && command -v "$candidate" > /dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2> /dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}
