#!/usr/bin/env bash
# enwik8: 100 million bytes of Wikipedia, one token a byte. Count on a quarter of an hour.
#
#     bash examples/language_model/prepare-enwik8.sh [RAW_FOLDER] [DEST]
#
# RAW_FOLDER has enwik8 or enwik8.zip. Without it, or with "", the archive is downloaded to
# data-bin/raw/enwik8. DEST is data-bin/enwik8 unless given. As everywhere, the first 90 million
# bytes are train, the next 5 million valid, the last 5 million test. Where one of them ends amid a
# line, the end of that line is one token more.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/raw_files.sh"

url=http://mattmahoney.net/dc/enwik8.zip
md5=a1fa5ffddb56f4953e226637dabbb36a # of enwik8 itself, published there

start enwik8
[ -n "$own" ] || download "$url" "$raw/enwik8.zip" is_zip
text=$(find_or_unzip "$raw/enwik8.zip" enwik8)
expect_size -c "$text" 100000000
has_checksum "md5:$md5" "$text" || fail "$text is not enwik8: its checksum is another"

raw_text split "$text" --at byte --shares 90 5 5 --output "$work/train" "$work/valid" "$work/test"
prepare_splits --unit bytes
