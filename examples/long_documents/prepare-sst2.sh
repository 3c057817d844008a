#!/usr/bin/env bash
# Sentences of film reviews, to fine-tune on: is the opinion positive?
#
#     bash examples/long_documents/prepare-sst2.sh RAW_FOLDER [DEST] [flags of prepare classification]
#
# RAW_FOLDER has train.tsv, dev.tsv and test.tsv: whole sentences of the Stanford Sentiment Treebank
# with labels, lower-cased, without a header. (GLUE's SST-2 has phrases to train on, and no labels
# to test with.) DEST is data-bin/sst2 unless given. The sentences are cut as the text in
# data-bin/wikitext2-documents is, unless --pretrained names the folder of another model.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../language_model/raw_files.sh"
[ -n "$own" ] || fail "usage: prepare-sst2.sh RAW_FOLDER [DEST] [flags of prepare classification]"

fairseq-memtx prepare classification \
    --pretrained "$root/data-bin/wikitext2-documents" \
    --columns sentence label --inputs sentence --classes 0 1 --rows 6920 872 1821 \
    --train "$own/train.tsv" --valid "$own/dev.tsv" --test "$own/test.tsv" \
    --dest "${dest:-$root/data-bin/sst2}" "${@:3}"
