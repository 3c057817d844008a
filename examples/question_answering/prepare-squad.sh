#!/usr/bin/env bash
# SQuAD: 100,000 questions about paragraphs of Wikipedia; in 2.0 a third of them has no answer.
#
#     bash examples/question_answering/prepare-squad.sh [RAW_FOLDER] [DEST] \
#         [flags of prepare question-answering]
#
# It is SQuAD 1.1, with VERSION=2.0 in front SQuAD 2.0. RAW_FOLDER has train-v1.1.json and
# dev-v1.1.json (-v2.0); without it, or with "", they are downloaded to data-bin/raw/squad. DEST is
# data-bin/squad-1.1 (-2.0) unless given. The official test set is not public, so the official dev
# set is test here, and 20 of the 442 articles of train are held out to validate.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/official_files.sh"
version=${VERSION:-1.1}
case $version in
    1.1) counts=(87599 10570) ;;
    2.0) counts=(130319 11873) ;;
    *) fail "VERSION $version is not known: use 1.1 or 2.0" ;;
esac

official=https://rajpurkar.github.io/SQuAD-explorer/dataset
find_files squad "$official" "train-v$version.json" "dev-v$version.json"
prepare_questions "squad-$version" --held-out 20 "${@:3}"
