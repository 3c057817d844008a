#!/usr/bin/env bash
# Tiny Shakespeare: one million characters, learnt in minutes.
#
#     bash examples/language_model/prepare-shakespeare.sh [RAW_FOLDER] [DEST]
#
# RAW_FOLDER has input.txt. Without it, or with "", the file is downloaded to
# data-bin/raw/shakespeare. DEST is data-bin/shakespeare unless given. The first 90% are train, the
# next 5% valid, the last 5% test, up to the end of a line.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/raw_files.sh"

url=https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt
sum=sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed

start shakespeare
text=$raw/input.txt
[ -n "$own" ] || download "$url" "$text" has_checksum "$sum"
[ -f "$text" ] || fail "missing file: $text"
has_checksum "$sum" "$text" || fail "$text is cut off or another text: its checksum is wrong"

raw_text split "$text" --at line --shares 90 5 5 --output "$work/train" "$work/valid" "$work/test"
prepare_splits --unit characters
