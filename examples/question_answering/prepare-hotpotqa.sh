#!/usr/bin/env bash
# HotpotQA, with distractors: 90,000 questions about ten paragraphs each, two of which are needed.
#
#     bash examples/question_answering/prepare-hotpotqa.sh [RAW_FOLDER] [DEST] \
#         [flags of prepare question-answering]
#
# RAW_FOLDER has hotpot_train_v1.1.json and hotpot_dev_distractor_v1.json; without it, or with "",
# they are downloaded to data-bin/raw/hotpotqa. DEST is data-bin/hotpotqa unless given. The official
# test set is not public, so the official dev set is test here, and 2,000 questions of train are held
# out to validate.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/official_files.sh"
counts=(90447 7405)

official=http://curtis.ml.cmu.edu/datasets/hotpot # the address in HotpotQA's own README
find_files hotpotqa "$official" hotpot_train_v1.1.json hotpot_dev_distractor_v1.json
prepare_questions hotpotqa --held-out 2000 "${@:3}"
