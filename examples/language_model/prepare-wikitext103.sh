#!/usr/bin/env bash
# WikiText-103: 103 million words of good Wikipedia articles. Count on a quarter of an hour.
#
#     bash examples/language_model/prepare-wikitext103.sh [RAW_FOLDER] [DEST]
#
# RAW_FOLDER has wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens, or wikitext-103-v1.zip
# with them in it; the same ending in .raw, or wikitext-103-raw-v1.zip, will do. Without RAW_FOLDER,
# or with "", the archive is downloaded to data-bin/raw/wikitext103. DEST is data-bin/wikitext103
# unless given.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/raw_files.sh"

# The site of WikiText's author; the first address, at s3.amazonaws.com, no longer answers.
url=https://wikitext.smerity.com/wikitext-103-v1.zip
md5=9ddaacaf6af0710eda8c456decff7832 # as recorded by torchtext

start wikitext103
archive=wikitext-103-v1.zip ending=tokens threshold=1
[ -n "$own" ] || download "$url" "$raw/$archive" has_checksum "md5:$md5"
if [ ! -f "$raw/$archive" ] && [ -z "$(locate wiki.train.tokens "$raw")" ] &&
    { [ -f "$raw/wikitext-103-raw-v1.zip" ] || [ -n "$(locate wiki.train.raw "$raw")" ]; }; then
    # The files .tokens have <unk> for each word that occurs less than three times.
    archive=wikitext-103-raw-v1.zip ending=raw threshold=3
fi

train=$(find_or_unzip "$raw/$archive" "wiki.train.$ending")
valid=$(find_or_unzip "$raw/$archive" "wiki.valid.$ending")
test=$(find_or_unzip "$raw/$archive" "wiki.test.$ending")
expect_size -l "$train" 1801350
expect_size -l "$valid" 3760
expect_size -l "$test" 4358

fairseq-memtx prepare language-model --unit words --threshold "$threshold" \
    --train "$train" --valid "$valid" --test "$test" --dest "$dest"
