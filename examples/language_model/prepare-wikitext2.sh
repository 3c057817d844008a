#!/usr/bin/env bash
# A small word model's data from WikiText-2: its validation text to train on, its test text to test.
#
#     bash examples/language_model/prepare-wikitext2.sh RAW_FOLDER [DEST]
#
# RAW_FOLDER has wiki.valid.raw and wiki.test.raw. The last tenth of the former, from the beginning
# of an article on, is kept out to validate. This is not the official split, whose training text is
# ten times longer, so results are not those of papers. Words that train has only once become <unk>.
# DEST is data-bin/wikitext2 unless given.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/raw_files.sh"
[ -n "$own" ] || fail "usage: prepare-wikitext2.sh RAW_FOLDER [DEST]"

start wikitext2
for name in wiki.valid.raw wiki.test.raw; do
    [ -f "$raw/$name" ] || fail "missing file: $raw/$name"
done
expect_size -l "$raw/wiki.valid.raw" 3760
expect_size -l "$raw/wiki.test.raw" 4358

raw_text split "$raw/wiki.valid.raw" --at article --shares 90 10 \
    --output "$work/train" "$work/valid"
cp "$raw/wiki.test.raw" "$work/test"
prepare_splits --unit words --threshold 2
