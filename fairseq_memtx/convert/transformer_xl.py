r"""Turn weights of the published Transformer-XL or RMT code into a checkpoint of `rmt_lm`, or back.

    python scripts/convert_transformer_xl_checkpoint.py --input published.pt \
        --output checkpoints/converted.pt --vocabulary vocab.txt --write-dictionary data/dict.txt \
        --segment-length 150 --cache-length 150 --cutoffs 20000,40000,200000
    python scripts/convert_transformer_xl_checkpoint.py --reverse --output published.pt \
        --input checkpoints/checkpoint_best.pt --dictionary data-bin/dict.txt \
        --write-vocabulary vocab.txt

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

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq import checkpoint_utils
from fairseq.criterions.cross_entropy import CrossEntropyCriterionConfig
from fairseq.data import Dictionary
from fairseq.dataclass.configs import FairseqConfig
from omegaconf import DictConfig, OmegaConf
from transformer_xl_weights import (
    NEVER,
    Weights,
    bias_names,
    ours_from_published,
    published_from_ours,
    published_sizes,
    read_published,
)
from transformer_xl_words import (
    dictionary_rows,
    moved_cutoffs,
    published_names,
    read_words,
    refuse,
    vocabulary_rows,
)
from written_aside import written_aside

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.models.rmt_lm import RmtLanguageModelConfig
from fairseq_memtx.modules.tied_adaptive_softmax import parse_cutoff
from fairseq_memtx.tasks.rmt_language_modeling import (
    RmtLanguageModelingConfig,
    RmtLanguageModelingTask,
)


def main(line: list[str] | None = None) -> None:
    """Read the command line and convert."""
    arguments = parse(line)
    for path in (arguments.output, arguments.write_vocabulary, arguments.write_dictionary):
        if path is not None and path.exists():
            raise MemtxError(f"{path} exists: delete it, or give another name")
    for path in (arguments.input, arguments.vocabulary, arguments.dictionary):
        if path is not None and not path.is_file():
            raise MemtxError(f"there is no file {path}: check the flags")
    vocabulary, dictionary = read_words(arguments.vocabulary, arguments.dictionary)
    convert = to_published if arguments.reverse else to_ours
    result, settings = convert(arguments, vocabulary, dictionary)

    texts = {
        arguments.write_vocabulary: vocabulary,
        arguments.write_dictionary: [
            f"{word} 1" for word in dictionary.symbols[dictionary.nspecial :]
        ],
    }
    texts.pop(None, None)  # one of them is read and not written
    with written_aside(arguments.output, *texts) as (output, *others):
        for other, lines in zip(others, texts.values()):
            other.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        torch.save(result, output)
    print(f"wrote {arguments.output}: {settings}")


def parse(line: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", 1)[0], epilog="More is said at the top of the script."
    )
    add = parser.add_argument
    add("--input", type=Path, required=True, metavar="FILE")
    add("--output", type=Path, required=True, metavar="FILE")
    add("--reverse", action="store_true", help="from our checkpoint to a published state dict")
    for name, what in [
        ("vocabulary", "the published words, one a line, in order"),
        ("dictionary", "fairseq's dict.txt"),
    ]:
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument(f"--{name}", type=Path, metavar="FILE", help=what)
        made = f"make it, from the other side's order, {what}"
        group.add_argument(f"--write-{name}", type=Path, metavar="FILE", help=made)
    add("--segment-length", type=int, metavar="T", help="published tgt_len")
    add("--cache-length", type=int, default=0, metavar="S", help="published mem_len")
    add("--cutoffs", type=numbers, default=[], metavar="N,N", help="of the adaptive softmax")
    add("--memory-reads-cache", action="store_true", help="published read_mem_from_cache")
    add("--memory-at-start-only", action="store_true", help="published without mem_at_end")
    arguments = parser.parse_args(line)
    if not arguments.reverse and not arguments.segment_length:
        parser.error("--segment-length is needed: the published tgt_len")
    of_input = "dictionary" if arguments.reverse else "vocabulary"
    if getattr(arguments, of_input) is None:
        parser.error(f"--{of_input} is needed: it tells the words of --input")
    return arguments


def numbers(text: str) -> list[int]:
    """``20000,40000`` as numbers."""
    return [int(number) for number in text.strip("[]()").split(",") if number]


def to_ours(
    arguments: argparse.Namespace, vocabulary: list[str], dictionary: Dictionary
) -> tuple[dict[str, Any], str]:
    """A checkpoint as fairseq saves it, and what to say of it.

    Raises:
        MemtxError: if the state dict is of a model that ours cannot be.
    """
    published = read_published(arguments.input, len(vocabulary), arguments.cutoffs)
    rows = dictionary_rows(dictionary, vocabulary)
    cutoffs = moved_cutoffs(arguments.cutoffs, rows)
    sizes = published_sizes(published)
    own = ours_from_published(published, rows, cutoffs)
    cfg = configuration(
        str((arguments.dictionary or arguments.write_dictionary).parent),
        arguments.segment_length,
        **sizes,
        adaptive_softmax_cutoff=",".join(map(str, cutoffs)) or None,
        share_decoder_input_output_embed=True,
        cache_length=arguments.cache_length,
        memory_reads_cache=arguments.memory_reads_cache,
        memory_at_start_only=arguments.memory_at_start_only,
    )
    check_shapes(arguments.input, own, cfg, dictionary)
    if sizes["memory_tokens"] > 1:
        print(
            f"warning: {sizes['memory_tokens']} memory tokens look ahead, where the published code "
            "adds another row's position term: losses differ, train on",
            file=sys.stderr,
        )
    state = {
        "args": None,
        "cfg": OmegaConf.to_container(cfg, resolve=True, enum_to_str=True),
        "model": own,
        "optimizer_history": [
            {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}
        ],
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
    }
    never = " ".join(symbol for symbol, row in zip(dictionary.symbols, rows) if row < 0)
    return state, f"cutoffs={cutoffs}, never predicted: {never}"


def to_published(
    arguments: argparse.Namespace, vocabulary: list[str], dictionary: Dictionary
) -> tuple[dict[str, Tensor], str]:
    """A state dict of the published model, and how to build that.

    Raises:
        MemtxError: if the checkpoint is of a model that the published code cannot build.
    """
    state = checkpoint_utils.load_checkpoint_to_cpu(str(arguments.input))
    cfg = state["cfg"]
    if str(getattr(cfg.model, "backbone", None)) != "transformer-xl":
        raise MemtxError(f"{arguments.input} is no rmt_lm with --backbone transformer-xl")
    if cfg.model.no_scale_embedding:
        raise MemtxError(f"{arguments.input} has --no-scale-embedding: it cannot be converted")
    own = Weights(arguments.input, state["model"])
    check_shapes(arguments.input, own, cfg, dictionary)
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


def configuration(data: str, segment_length: int, **model: Any) -> DictConfig:
    """The configuration of a model, as ``fairseq-train`` would save it."""
    criterion = CrossEntropyCriterionConfig(_name="cross_entropy")
    task = RmtLanguageModelingConfig(
        _name="rmt_language_modeling", data=data, tokens_per_sample=segment_length
    )
    model_config = RmtLanguageModelConfig(_name="rmt_lm", **model)
    return OmegaConf.structured(FairseqConfig(task=task, model=model_config, criterion=criterion))


def check_shapes(path: Path, own: dict[str, Tensor], cfg: Any, dictionary: Dictionary) -> None:
    """Compare weights with those of the model that the configuration builds.

    Raises:
        MemtxError: naming the first weight that does not fit.
    """
    try:
        task = RmtLanguageModelingTask(cfg.task, dictionary, dictionary, ["future"])
        model = task.build_model(cfg.model).state_dict()
    except Exception as cause:  # whatever its settings lead to
        raise MemtxError(f"{path} makes no model: {str(cause).splitlines()[0]}") from cause
    for name in sorted(model.keys() | own.keys()):
        found, needed = (tuple(w[name].shape) if name in w else None for w in (own, model))
        if found != needed:
            raise MemtxError(
                f"{path} does not fit its own sizes: {name} has the shape {found} and is to have "
                f"{needed}"
            )


if __name__ == "__main__":
    main()
