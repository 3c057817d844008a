#!/usr/bin/env bash
# 106 articles of Wikipedia as XML with markup, one token a byte: like enwik8, but small.
#
#     bash examples/language_model/prepare-enwiki.sh [RAW_FOLDER] [DEST]
#
# RAW_FOLDER has enwiki-slice.xml.bz2, which may be any export of MediaWiki. Without it, or with "",
# a slice that gensim tests with is downloaded to data-bin/raw/enwiki. DEST is data-bin/enwiki
# unless given. Pages that only redirect to another one are left out. The first 90% of the rest are
# train, the next 5% valid, the last 5% test, up to the end of a page.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/raw_files.sh"

commit=e0627c62749efa78376b7af1f6e93660def8601a
folder=https://raw.githubusercontent.com/piskvorky/gensim/$commit/gensim/test/test_data
url=$folder/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2
sum=sha256:a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d

start enwiki
slice=$raw/enwiki-slice.xml.bz2
[ -n "$own" ] || download "$url" "$slice" has_checksum "$sum"
[ -f "$slice" ] || fail "missing file: $slice"
raw_text pages "$slice" --output "$work/pages"
raw_text split "$work/pages" --at page --shares 90 5 5 \
    --output "$work/train" "$work/valid" "$work/test"
prepare_splits --unit bytes
