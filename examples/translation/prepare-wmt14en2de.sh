#!/usr/bin/env bash
# WMT14, English to German: 4.5 million sentences. Count on some hours and 10 GB of disk.
#
#     bash examples/translation/prepare-wmt14en2de.sh [RAW_FOLDER] [DEST]
#
# RAW_FOLDER has the five archives named below or the files in them. Without it, or with "", they
# are downloaded (1.7 GB) to data-bin/raw/wmt14. DEST is data-bin/wmt14 unless given.
#
# Train on Europarl v7, Common Crawl and News Commentary v9, the corpora of that year (fairseq's
# recipe takes v12 unless told otherwise); validate on newstest2013 (fairseq's: on 1% of train);
# test on all of newstest2014. Tokenizer and BPE differ from fairseq's in small things too.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/download.sh"

europarl=training-parallel-europarl-v7.tgz
crawl=training-parallel-commoncrawl.tgz
news=training-parallel-nc-v9.tgz
dev=dev.tgz
test=test-full.tgz

dest=${dest:-$root/data-bin/wmt14}
raw=${own:-$root/data-bin/raw/wmt14}
if [ -z "$own" ]; then
    # sha256: as recorded by TensorFlow Datasets; md5: by sacreBLEU. statmt.org publishes none.
    download "https://www.statmt.org/wmt13/$europarl" "$raw/$europarl" has_checksum \
        sha256:0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7
    download "https://www.statmt.org/wmt13/$crawl" "$raw/$crawl" has_checksum \
        sha256:c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5
    download "https://www.statmt.org/wmt14/$news" "$raw/$news" has_checksum \
        sha256:cb8953f292298e6877ae433c98912b927cb0766b303f4540512ddd286c748485
    # newstest2013 is the same in each year's archive; for this one there is a checksum.
    download "https://data.statmt.org/wmt17/translation-task/$dev" "$raw/$dev" has_checksum \
        md5:9b1aa63c1cf49dccdd20b962fe313989
    download "https://www.statmt.org/wmt14/$test" "$raw/$test" has_checksum \
        md5:a8cd784e006feb32ac6f3d9ec7eb389a
fi

mkdir -p "$(dirname "$dest")"
work=$(mktemp -d "$dest.text.XXXXXX")
trap 'rm -rf "$work"' EXIT

require "$raw/$europarl" "$work" europarl-v7.de-en.en europarl-v7.de-en.de
require "$raw/$crawl" "$work" commoncrawl.de-en.en commoncrawl.de-en.de
require "$raw/$news" "$work" news-commentary-v9.de-en.en news-commentary-v9.de-en.de
require "$raw/$dev" "$work" newstest2013.en newstest2013.de
require "$raw/$test" "$work" newstest2014-deen-src.en.sgm newstest2014-deen-ref.de.sgm
mkdir "$work/text"

# extract NAME ENGLISH... -- GERMAN... - write text/NAME.en and .de, and print the number of pairs.
extract() {
    local name=$1 file files=(--source-files)
    shift
    for file in "$@"; do
        if [ "$file" = -- ]; then
            files+=(--target-files)
        else
            files+=("$(locate "$file" "$raw" "$work")")
        fi
    done
    "$PYTHON" "$here/extract_text.py" "${files[@]}" \
        --output "$work/text/$name.en" "$work/text/$name.de"
}

extract train europarl-v7.de-en.en commoncrawl.de-en.en news-commentary-v9.de-en.en -- \
    europarl-v7.de-en.de commoncrawl.de-en.de news-commentary-v9.de-en.de > "$work/counts"
pairs=$(extract valid newstest2013.en -- newstest2013.de)
expect_pairs newstest2013 "$pairs" 3000
pairs=$(extract test newstest2014-deen-src.en.sgm -- newstest2014-deen-ref.de.sgm)
expect_pairs newstest2014 "$pairs" 3003

# 40,000 pieces, dash splits, 250 words and a ratio of 1.5 follow fairseq's recipe; it counts the 250
# in word pieces, we in words.
fairseq-memtx prepare translation --source en --target de --dash-splits \
    --train "$work/text/train" --valid "$work/text/valid" --test "$work/text/test" \
    --bpe-size 40000 --max-length 250 --max-ratio 1.5 --dest "$dest"
