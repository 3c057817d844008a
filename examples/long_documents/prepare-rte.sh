#!/usr/bin/env bash
# Pairs of sentences, to fine-tune on: does the second follow from the first?
#
#     bash examples/long_documents/prepare-rte.sh RAW_FOLDER [DEST] [flags of prepare classification]
#
# RAW_FOLDER has train.tsv, dev.tsv and test.tsv of GLUE's RTE, whose test set has no labels. DEST is
# data-bin/rte unless given. The sentences are cut as the text in data-bin/wikitext2-documents is,
# unless --pretrained names the folder of another model.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../language_model/raw_files.sh"
[ -n "$own" ] || fail "usage: prepare-rte.sh RAW_FOLDER [DEST] [flags of prepare classification]"

fairseq-memtx prepare classification \
    --pretrained "$root/data-bin/wikitext2-documents" --raw-text \
    --columns index sentence1 sentence2 label --header --inputs sentence1 sentence2 \
    --classes entailment not_entailment --rows 2490 277 3000 \
    --train "$own/train.tsv" --valid "$own/dev.tsv" --test "$own/test.tsv" \
    --dest "${dest:-$root/data-bin/rte}" "${@:3}"
