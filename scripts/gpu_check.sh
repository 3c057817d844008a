#!/usr/bin/env bash
# Try everything on a GPU, in nine minutes: does it train, resume, validate and write in every
# precision, as on the CPU; and how fast is it, beside other models?
#
# Launch: bash scripts/gpu_check.sh [--part check|speed|all|claims] [--output DIR] [--minutes N] [--jobs N]
#         [--published PATH] [--multi30k PATH] [--data FOLDER] [--quick] [--cpu]
#
# --part claims is scripts/reproduce.sh --budget gpu with what is installed here, in nine minutes, too:
# what the papers claim, measured. --only is then a list of claims.
#
# Wants a Python with PyTorch and nothing else. Where fairseq is missing, the wheels in .whl of the
# checkout are installed into a temporary folder, without a network. Results are in DIR (gpu_check):
# gpu_check.txt for people, gpu_check.json, and logs.zip with what every command printed. They are
# written after each check. The exit code is 0 if all passed.
set -euo pipefail
export OMP_NUM_THREADS=1 # many small processes at a time
root=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="$root/tests:$root/scripts:$root${PYTHONPATH:+:$PYTHONPATH}"
for python in ${PYTHON:+"$PYTHON"} python3 python; do
  ! command -v "$python" > /dev/null || exec "$python" -m gpu_check "$@"
done
echo "gpu_check.sh: error: there is no python3: install Python 3.11 or 3.12 with PyTorch" >&2
exit 1
