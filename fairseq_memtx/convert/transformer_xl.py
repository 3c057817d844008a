r"""Weights of the published Transformer-XL or RMT become a checkpoint of `rmt_lm`, or back.

**Input.** A state dict of kimiyoung/transformer-xl or booydar/LM-RMT. Their ``model.pt`` is a whole
pickled object, which is never opened here: write both files where their code is, with
``torch.save(model.state_dict(), FILE)`` and ``print(*corpus.vocab.idx2sym, sep="\n")``. What a
state dict does not show comes from the flags. Nor does it show ``same_length``, ``clamp_len``,
``ext_len`` and ``pre_lnorm``: our model has none of them, so they must have been off.

**Words.** Rows are put in the dictionary's order by symbol: ``<eos>`` is ``</s>``, other names are
the same. What has no published row (``<s>``, ``<pad>``, fairseq's ``madeupword``; ``</s>`` or
``<unk>`` where the vocabulary has none) gets a row of zeros and the bias -10000, the exponential of
which is 0 even in float64: all other words keep their probabilities. Any other word that only one
side has is refused.

**Clusters.** An adaptive softmax cuts the list of words into ranges, and every range has to hold
the same words before and after; cutoffs move by the rows that were added before them. A dictionary
that ``fairseq-preprocess`` made by itself has equally frequent words in another order, and is
refused where that matters. ``--write-dictionary`` writes one in the published order, for
``fairseq-preprocess --only-source --srcdict``. (In it ``<unk>`` moves to the front, so ``<unk>``
has to be in the first range, as frequent as it is.)

**Exact** are losses without memory, with a cache, and with one memory token. From two on, rows of a
memory block look ahead, where the published code adds another row's position term and ours that of
the true distance: such a model is converted, with a warning, and has to be trained on. Also,
fairseq reads ``</s>`` before a text's first token and predicts that one too, the published code
does not.
"""

import argparse
import sys
from typing import Any

import torch
from fairseq import checkpoint_utils
from fairseq.data import Dictionary
from torch import Tensor

from ..errors import MemtxError
from ..modules.segment_decoder import NEVER
from ..modules.tied_adaptive_softmax import parse_cutoff
from ..written_aside import written_aside
from .rmt_lm import check_fits, configuration, untrained
from .transformer_xl_weights import (
    bias_names,
    ours_from_published,
    published_from_ours,
    published_sizes,
    read_published,
)
from .transformer_xl_words import (
    dictionary_rows,
    moved_cutoffs,
    published_names,
    read_words,
    refuse,
    vocabulary_rows,
)
from .weights import Weights


def convert(options: argparse.Namespace) -> None:
    """Convert by the options of ``fairseq-memtx convert transformer-xl``."""
    for path in (options.output, options.write_vocabulary, options.write_dictionary):
        if path is not None and path.exists():
            raise MemtxError(f"{path} exists: delete it, or give another name")
    for path in (options.input, options.vocabulary, options.dictionary):
        if path is not None and not path.is_file():
            raise MemtxError(f"there is no file {path}: check the flags")
    vocabulary, dictionary = read_words(options.vocabulary, options.dictionary)
    other_side = to_published if options.reverse else to_ours
    result, settings = other_side(options, vocabulary, dictionary)

    texts = {
        options.write_vocabulary: vocabulary,
        options.write_dictionary: [
            f"{word} 1" for word in dictionary.symbols[dictionary.nspecial :]
        ],
    }
    texts.pop(None, None)  # one of them is read and not written
    with written_aside(options.output, *texts) as (output, *others):
        for other, lines in zip(others, texts.values()):
            other.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        torch.save(result, output)
    print(f"wrote {options.output}: {settings}")


def to_ours(
    options: argparse.Namespace, vocabulary: list[str], dictionary: Dictionary
) -> tuple[dict[str, Any], str]:
    """A checkpoint as fairseq saves it, and what to say of it."""
    published = read_published(options.input, len(vocabulary), options.cutoffs)
    rows = dictionary_rows(dictionary, vocabulary)
    cutoffs = moved_cutoffs(options.cutoffs, rows)
    sizes = published_sizes(published)
    own = ours_from_published(published, rows, cutoffs)
    cfg = configuration(
        str((options.dictionary or options.write_dictionary).parent),
        options.segment_length,
        **sizes,
        adaptive_softmax_cutoff=",".join(map(str, cutoffs)) or None,
        share_decoder_input_output_embed=True,
        cache_length=options.cache_length,
        memory_reads_cache=options.memory_reads_cache,
        memory_at_start_only=options.memory_at_start_only,
    )
    check_fits(options.input, own, cfg, dictionary)
    if sizes["memory_tokens"] > 1:
        print(
            f"warning: {sizes['memory_tokens']} memory tokens look ahead, where the published code "
            "adds another row's position term: losses differ, train on",
            file=sys.stderr,
        )
    never = " ".join(symbol for symbol, row in zip(dictionary.symbols, rows) if row < 0)
    return untrained(cfg, own), f"cutoffs={cutoffs}, never predicted: {never}"


def to_published(
    options: argparse.Namespace, vocabulary: list[str], dictionary: Dictionary
) -> tuple[dict[str, Tensor], str]:
    """A state dict of the published model, and how to build that."""
    state = checkpoint_utils.load_checkpoint_to_cpu(str(options.input))
    cfg = state["cfg"]
    if str(getattr(cfg.model, "backbone", None)) != "transformer-xl":
        raise MemtxError(f"{options.input} is no rmt_lm with --backbone transformer-xl")
    if cfg.model.no_scale_embedding:
        raise MemtxError(f"{options.input} has --no-scale-embedding: it cannot be converted")
    own = Weights(options.input, state["model"])
    check_fits(options.input, own, cfg, dictionary)
    cutoffs = parse_cutoff(cfg.model.adaptive_softmax_cutoff, len(dictionary))

    rows = vocabulary_rows(vocabulary, dictionary)
    names = published_names(dictionary)
    unlisted = set(names) - set(vocabulary)
    biases = torch.cat([own[name] for name in bias_names(len(cutoffs))]).tolist()
    lost = [name for name, bias in zip(names, biases) if name in unlisted and bias > NEVER / 2]
    refuse(lost, "dictionary", "without their probability, all others would be wrong")
    published_cutoffs = moved_cutoffs(cutoffs, rows)
    return published_from_ours(own, rows, len(cutoffs)), (
        f"n_token={len(vocabulary)}, cutoffs={published_cutoffs}, "
        f"tgt_len={cfg.model.tokens_per_sample}, mem_len={cfg.model.cache_length}, "
        f"num_mem_tokens={cfg.model.memory_tokens}, "
        f"mem_at_end={not cfg.model.memory_at_start_only}, "
        f"read_mem_from_cache={cfg.model.memory_reads_cache}"
    )
