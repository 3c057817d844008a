#!/usr/bin/env bash
# Multi30k, German to English: 29,000 captions of photographs, small enough to learn in minutes.
#
#     bash examples/translation/prepare-multi30k.sh [RAW_FOLDER] [DEST]
#
# RAW_FOLDER has train, val and test_2016_flickr, and test_2017_flickr if wanted, each ending in .de
# and .en, plain or .gz. Without it, or with "", they are downloaded to data-bin/raw/multi30k.
# DEST is data-bin/multi30k unless given.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/download.sh"

official=https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw
sums="726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6 train.de.gz
d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f train.en.gz
f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a val.de.gz
14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28 val.en.gz
9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8 test_2016_flickr.de.gz
611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9 test_2016_flickr.en.gz
a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee test_2017_flickr.de.gz
76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074 test_2017_flickr.en.gz"

raw=${own:-$root/data-bin/raw/multi30k}
while read -r sum name; do
    if [ -z "$own" ]; then
        download "$official/$name" "$raw/$name" has_checksum "sha256:$sum"
    elif [ -f "$raw/$name" ] && ! has_checksum "sha256:$sum" "$raw/$name"; then
        # Files of one's own are welcome, but only the official ones give comparable results.
        note "note: $raw/$name is not the official file"
    fi
done <<< "$sums"

tests=(--test "$raw/test_2016_flickr")
if [ -f "$raw/test_2017_flickr.de" ] || [ -f "$raw/test_2017_flickr.de.gz" ]; then
    tests+=(--test "$raw/test_2017_flickr")
else
    note "note: without test_2017_flickr there is one test set only"
fi

# 8000 pieces: the captions use so few words that more would mostly be whole, rare words.
fairseq-memtx prepare translation --source de --target en \
    --train "$raw/train" --valid "$raw/val" "${tests[@]}" --bpe-size 8000 \
    --dest "${dest:-$root/data-bin/multi30k}"
