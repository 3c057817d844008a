#!/usr/bin/env bash
# IWSLT14, German to English: 160,000 sentences of TED talks.
#
#     bash examples/translation/prepare-iwslt14.sh [RAW_FOLDER] [DEST]
#
# RAW_FOLDER has de-en.tgz of WIT3 or the files in it. Without it, or with "", the archive is
# downloaded to data-bin/raw/iwslt14. DEST is data-bin/iwslt14 unless given.
#
# Split and limits are those of fairseq's recipe. The data still differ from it in small things: it
# counts each 23rd pair after long and unequal ones are gone, uses the Perl tokenizer without making
# punctuation uniform, and learns 10,000 merges where we learn 10,000 pieces, letters included.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/download.sh"

dest=${dest:-$root/data-bin/iwslt14}
raw=${own:-$root/data-bin/raw/iwslt14}
# No checksum is published for the archive; the number of test sentences is checked further down.
url=https://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz
[ -n "$own" ] || download "$url" "$raw/de-en.tgz" is_archive

mkdir -p "$(dirname "$dest")"
work=$(mktemp -d "$dest.text.XXXXXX")
trap 'rm -rf "$work"' EXIT

talks=train.tags.de-en
# TEDX is no slip: the dev set of 2012 came from TEDx talks. fairseq's recipe tests on it as well.
tests=(
    IWSLT14.TED.dev2010.de-en
    IWSLT14.TEDX.dev2012.de-en
    IWSLT14.TED.tst2010.de-en
    IWSLT14.TED.tst2011.de-en
    IWSLT14.TED.tst2012.de-en
)
require "$raw/de-en.tgz" "$work" "$talks.de" "$talks.en" \
    "${tests[@]/%/.de.xml}" "${tests[@]/%/.en.xml}"

german=() english=()
for name in "${tests[@]}"; do
    german+=("$(locate "$name.de.xml" "$raw" "$work")")
    english+=("$(locate "$name.en.xml" "$raw" "$work")")
done
mkdir "$work/text"

# There is no validation set beside the test sets, so each 23rd training pair becomes one.
"$PYTHON" "$here/extract_text.py" \
    --source-files "$(locate "$talks.de" "$raw" "$work")" \
    --target-files "$(locate "$talks.en" "$raw" "$work")" \
    --output "$work/text/train.de" "$work/text/train.en" \
    --hold-out-every 23 --hold-out "$work/text/valid.de" "$work/text/valid.en" > "$work/counts"
pairs=$("$PYTHON" "$here/extract_text.py" \
    --source-files "${german[@]}" --target-files "${english[@]}" \
    --output "$work/text/test.de" "$work/text/test.en")
expect_pairs "the test set" "$pairs" 6750

# Lower case, 175 words and a ratio of 1.5 are what published numbers on this corpus are made with.
fairseq-memtx prepare translation --source de --target en --lowercase \
    --train "$work/text/train" --valid "$work/text/valid" --test "$work/text/test" \
    --bpe-size 10000 --max-length 175 --max-ratio 1.5 --dest "$dest"
