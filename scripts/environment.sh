# Sourced by the other scripts: a Python with everything installed, in .venv, first on PATH.
#
# Where there is no .venv it is made, and the pinned packages are installed from the Python package
# index. A second run installs nothing. A .venv that was left half-made is completed.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

memtx_fail() {
  echo "fairseq-memtx: error: $1" >&2
  exit 1
}

memtx_find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
      >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
}

memtx_install() {
  local python wanted
  # What is installed is known by what it was installed from.
  wanted=".venv/installed-$(cat setup.py constraints.txt | cksum | tr ' ' '-')"
  if [ ! -e "$wanted" ]; then
    if [ ! -x .venv/bin/python ]; then
      python=$(memtx_find_python)
      [ -n "$python" ] || memtx_fail "no Python 3.11 or 3.12 was found: install one, or name it \
in the variable PYTHON"
      "$python" -m venv .venv || memtx_fail "'$python -m venv .venv' failed: install the venv \
module of your Python"
    fi
    echo "installing into .venv (once; the first time takes minutes) ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
      --constraint constraints.txt --editable ".[all]" \
      || memtx_fail "pip could not install the packages: see its message above, then run again"
    touch "$wanted"
  fi
}

memtx_install
PATH="$PWD/.venv/bin:$PATH"
