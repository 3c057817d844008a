#!/usr/bin/env bash
# Whole articles of WikiText-2 to pre-train on: lower-cased pieces of words, and their BPE.
#
#     bash examples/long_documents/prepare-wikitext2.sh RAW_FOLDER [DEST]
#
# RAW_FOLDER has wiki.valid.raw and wiki.test.raw. The last tenth of the former, from the beginning
# of an article on, is kept out to validate, as in examples/language_model: this is not the official
# split, whose training text is ten times longer. A blank line stands between articles and nowhere
# else, where --sample-break-mode complete_doc looks for it. The text is lower-cased, since that of
# SST-2 is. DEST is data-bin/wikitext2-documents unless given.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../language_model/raw_files.sh"
[ -n "$own" ] || fail "usage: prepare-wikitext2.sh RAW_FOLDER [DEST]"

start wikitext2-documents
for name in wiki.valid.raw wiki.test.raw; do
    [ -f "$raw/$name" ] || fail "missing file: $raw/$name"
done
expect_size -l "$raw/wiki.valid.raw" 3760
expect_size -l "$raw/wiki.test.raw" 4358

raw_text split "$raw/wiki.valid.raw" --at article --shares 90 10 \
    --output "$work/train.articles" "$work/valid.articles"
cp "$raw/wiki.test.raw" "$work/test.articles"
for name in train valid test; do
    raw_text documents "$work/$name.articles" --at article --output "$work/$name"
done
prepare_splits --unit pieces --bpe-size 8000 --lowercase
