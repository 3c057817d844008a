"""``fairseq-memtx convert``: models of other code become checkpoints of fairseq, and back."""

import argparse
from pathlib import Path
from typing import Any

from .parser import add_command, commands_of, numbers, positive


def add_to(commands: Any) -> None:
    """Add the command."""
    summary = "turn models of other code into checkpoints of fairseq, or back"
    kinds = commands_of(add_command(commands, "convert", None, summary), "KIND")
    _transformer_xl(kinds)
    _hf_roberta(kinds)
    _hf_gpt2(kinds)


def _transformer_xl(kinds: Any) -> None:
    parser = add_command(
        kinds, "transformer-xl", _convert_transformer_xl,
        "turn weights of the published Transformer-XL or RMT code into a checkpoint of rmt_lm, or "
        "back",
        epilog="--input is a state dict of kimiyoung/transformer-xl or booydar/LM-RMT; their "
        "model.pt is a pickled object, which is never opened here: write what is needed where "
        "their code is, with torch.save(model.state_dict(), FILE) and "
        r"print(*corpus.vocab.idx2sym, sep='\n'). same_length, clamp_len, ext_len and pre_lnorm "
        "must have been off.",
    )  # fmt: skip
    add = parser.add_argument
    add("--input", type=Path, required=True, metavar="FILE", help="published or, back, ours")
    add("--output", type=Path, required=True, metavar="FILE", help="to write")
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


def _hf_roberta(kinds: Any) -> None:
    add = add_command(
        kinds, "hf-roberta", _convert_hf_roberta,
        "turn a Hugging Face RoBERTa into a folder that fairseq loads",
        epilog="HF_FOLDER has config.json, the weights and the tokenizer. DEST gets model.pt, for "
        "--finetune-from-model, dict.txt, encoder.json and vocab.bpe.",
    ).add_argument  # fmt: skip
    add("folder", type=Path, metavar="HF_FOLDER", help="folder of the model")
    add("dest", type=Path, metavar="DEST", help="folder to make")


def _hf_gpt2(kinds: Any) -> None:
    add = add_command(
        kinds, "hf-gpt2", _convert_hf_gpt2,
        "turn a Hugging Face GPT-2 into a folder that fairseq loads as rmt_lm, or back",
        epilog="FOLDER has config.json, the weights and the tokenizer. OUTPUT gets model.pt, for "
        "--finetune-from-model, dict.txt, encoder.json, vocab.bpe and the tokenizer.",
    ).add_argument  # fmt: skip
    add("folder", type=Path, metavar="FOLDER", help="of the model; back, it or a checkpoint")
    add("output", type=Path, metavar="OUTPUT", help="folder to make")
    add("--reverse", action="store_true", help="from our checkpoint to a Hugging Face folder")
    add("--tokenizer", type=Path, metavar="FOLDER",
        help="with vocab.json and merges.txt, for --reverse (default: where the checkpoint "
        "is)")  # fmt: skip
    add("--memory-weights", type=Path, metavar="FILE",
        help="state dict of the published RMT or ARMT around such a GPT-2, with the weights of "
        "both")  # fmt: skip
    add("--segment-length", type=positive, metavar="T",
        help="tokens of a segment (default: as many as there are positions for)")  # fmt: skip
    add("--without-correction", action="store_true", help="published ARMT without correction")


def _convert_transformer_xl(options: argparse.Namespace) -> None:
    if not options.reverse and not options.segment_length:
        options.refuse("--segment-length is needed: the published tgt_len")
    of_input = "dictionary" if options.reverse else "vocabulary"
    if getattr(options, of_input) is None:
        options.refuse(f"--{of_input} is needed: it tells the words of --input")
    from ..convert import transformer_xl

    transformer_xl.convert(options)


def _convert_hf_roberta(options: argparse.Namespace) -> None:
    from ..convert import hf_roberta

    hf_roberta.convert(options)


def _convert_hf_gpt2(options: argparse.Namespace) -> None:
    if options.tokenizer and not options.reverse:
        options.refuse("--tokenizer is for --reverse: FOLDER has its own")
    if options.reverse and (options.memory_weights or options.segment_length):
        options.refuse("--reverse is for models without memory, and their segments need no flag")
    if options.without_correction and not options.memory_weights:
        options.refuse("--without-correction belongs to --memory-weights")
    from ..convert import hf_gpt2, hf_gpt2_back

    (hf_gpt2_back if options.reverse else hf_gpt2).convert(options)
