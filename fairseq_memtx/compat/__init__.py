"""Where the plugin mends fairseq from outside, one fault a file, and all it knows of versions.

Imported before anything else. Features are probed rather than version numbers compared, because
trees of fairseq differ while their version files agree. Imports nothing but fairseq, torch and
numpy, so that a user's own fairseq works by ``--user-dir`` without installing anything.
"""

from .versions import OLDEST_PYTHON, check_versions, versions

check_versions()  # the others import fairseq

# ruff: noqa: E402
from .amp_optimizer import mend_amp_optimizer
from .binarised_data import check_binarised_data, check_set, count_sentences, read_rows
from .broadcast_state import mend_broadcast, told_by_first_worker
from .data_folders import name_data_folders, what_it_is
from .data_parallel import mend_data_parallel
from .dictionaries import check_dictionaries
from .empty_batches import leave_out_empty_batches
from .encoders_without_flags import repair_encoders_without_flags
from .ensembles import let_ensembles_be_evaluated
from .epoch_loader import renew_loader_in_every_epoch
from .fast_path import drop_fast_path, drop_fast_path_weights
from .fasta_paths import quote_fasta_paths
from .first_batches import make_batches_of_first_epoch
from .gathered_lists import mend_gathered_lists
from .gathering_iterators import let_iterators_gather
from .gradient_norm import keep_norm_beside_gradients
from .half_precision_state import keep_half_precision_state
from .last_batches import keep_last_batches
from .launched_workers import launched_workers, mend_launched_workers
from .length_limits import limit_every_text_by_its_own_source
from .literals import read_literals_only
from .masked_rows import keep_shortened_rows
from .numpy_two import repair_batch_buckets, restore_numpy_long
from .out_of_memory import mend_out_of_memory
from .output_flags import refuse_output_flags
from .piece_files import check_piece_files
from .prompts_as_typed import keep_prompts_as_typed
from .recomputed_layers import mend_recomputed_layers
from .safe_classes import allow_fairseq_checkpoints, safe_classes
from .same_pieces import cut_text_as_the_folder_was, record_of
from .sentence_labels import check_sentence_prediction
from .task_updates import tell_tasks_of_updates
from .text_files import read_text
from .whole_checkpoints import write_checkpoints_aside
from .whole_word_masking import repair_whole_word_masking
from .words_counted_once import count_words_once

# What the rest of the package asks for.
__all__ = [
    "OLDEST_PYTHON",
    "check_set",
    "check_versions",
    "count_sentences",
    "drop_fast_path",
    "drop_fast_path_weights",
    "keep_prompts_as_typed",
    "launched_workers",
    "mend_fairseq",
    "read_rows",
    "read_text",
    "record_of",
    "safe_classes",
    "told_by_first_worker",
    "versions",
    "what_it_is",
]


def mend_fairseq() -> None:
    """Apply every repair, once; each leaves a fairseq that has not its fault as it is."""
    read_literals_only()
    quote_fasta_paths()
    restore_numpy_long()
    repair_batch_buckets()
    repair_whole_word_masking()
    repair_encoders_without_flags()
    keep_prompts_as_typed()
    keep_last_batches()
    limit_every_text_by_its_own_source()
    cut_text_as_the_folder_was()
    keep_shortened_rows()
    check_sentence_prediction()
    refuse_output_flags()
    count_words_once()
    let_ensembles_be_evaluated()
    allow_fairseq_checkpoints()
    check_binarised_data()
    check_dictionaries()
    name_data_folders()
    check_piece_files()
    mend_amp_optimizer()
    mend_broadcast()
    mend_data_parallel()
    mend_gathered_lists()
    leave_out_empty_batches()
    mend_launched_workers()
    mend_out_of_memory()
    mend_recomputed_layers()
    let_iterators_gather()
    make_batches_of_first_epoch()
    renew_loader_in_every_epoch()
    write_checkpoints_aside()
    tell_tasks_of_updates()
    keep_norm_beside_gradients()
    keep_half_precision_state()
