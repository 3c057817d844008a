r"""A Hugging Face RoBERTa becomes a folder that fairseq loads, with or without a global memory.

The folder of Hugging Face has ``config.json``, the weights (``model.safetensors`` or
``pytorch_model.bin``) and the tokenizer (``vocab.json`` and ``merges.txt``, or ``tokenizer.json``).
The folder that is written has

    model.pt                    a checkpoint of fairseq's ``roberta``
    dict.txt                    the dictionary, for ``fairseq-preprocess --only-source --srcdict``
    encoder.json vocab.bpe      for ``--bpe gpt2 --gpt2-encoder-json FILE --gpt2-vocab-bpe FILE``

**Use.** ``--finetune-from-model DEST/model.pt`` starts ``roberta`` or ``gmat_roberta`` from it,
with the flags that are printed. In Python it is ``RobertaModel.from_pretrained("DEST",
gpt2_encoder_json="DEST/encoder.json", gpt2_vocab_bpe="DEST/vocab.bpe")``.

**Exact** are the predictions of words, where every token has the type 0. Not converted are the
other token types and the pooler, which masked language models have no use for; a head for labels
is refused. A model without the layers that predict words gets untrained ones, with a warning.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from fairseq.criterions.masked_lm import MaskedLmConfig
from fairseq.data import Dictionary
from fairseq.dataclass.configs import FairseqConfig
from fairseq.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
from omegaconf import OmegaConf
from torch import Tensor

from ..errors import MemtxError
from ..written_aside import folder_aside
from .gpt2_words import read_words
from .hf_roberta_weights import (
    BASE,
    EMBEDDING,
    HEAD,
    OUTPUT,
    UNUSED,
    fairseq_weights,
    has_head,
)
from .hugging_face import as_flags, norm_note, read_config, read_json, read_weights
from .weights import check_shapes, new_checkpoint

SIZES = [
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "pad_token_id",
]
# Settings that fairseq's RoBERTa has not got: the only value that can be converted.
ONLY = {
    "model_type": "roberta",
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}
SHARES = ["hidden_dropout_prob", "attention_probs_dropout_prob"]
FIRST = ["<s>", "<pad>", "</s>", "<unk>"]  # what fairseq's dictionary begins with by itself
LAST = "<mask>"  # which the task ``masked_lm`` adds by itself


def convert(options: argparse.Namespace) -> None:
    """Convert by the options of ``fairseq-memtx convert hf-roberta``."""
    folder, dest = options.folder, options.dest
    if dest.exists():
        raise MemtxError(f"{dest} exists: delete it, or give another name")

    config = read_roberta(folder)
    pad = config["pad_token_id"]
    words = read_words(folder, config["vocab_size"], "RoBERTa", [*FIRST], [LAST])
    if words.rows[1] != pad:
        raise MemtxError(
            f"{words.tokenizer.source} has <pad> in row {words.rows[1]}, and config.json a "
            f"pad_token_id of {pad}: correct the one that is wrong"
        )
    weights = read_weights(folder, BASE, UNUSED)
    notes = not_the_same(folder, config, has_head(weights))
    path = weights.path
    own = fairseq_weights(weights, config, words.rows)
    settings = model_settings(config, tied=own[OUTPUT] is own[EMBEDDING])
    state = checkpoint(path, own, settings, words.dictionary(), str(dest))
    with folder_aside(dest) as made:
        words.write(made)
        torch.save(state, made / "model.pt")

    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    print(f"wrote {dest}: {len(words.rows)} words; build the model with\n  {as_flags(settings)}")


def read_roberta(folder: Path) -> dict[str, Any]:
    """The settings of the model; those of one that fairseq's RoBERTa cannot be are refused."""
    config = read_config(folder, "RoBERTa", SIZES, SHARES, ONLY)
    path = folder / "config.json"
    if config["max_position_embeddings"] < config["pad_token_id"] + 2:
        raise MemtxError(f"{path} has max_position_embeddings that leave no room for a token")
    if config["hidden_size"] % config["num_attention_heads"]:
        raise MemtxError(f"{path} has num_attention_heads that do not divide hidden_size")
    return config


def not_the_same(folder: Path, config: dict[str, Any], predicts: bool) -> list[str]:
    """What is not the same any more."""
    tokenizer = folder / "tokenizer_config.json"
    notes = []
    if not predicts:
        notes.append(
            "there are no layers that predict words: untrained ones were put in, fine-tune on "
            "labels or train with masked_lm first"
        )
    notes += norm_note({"layer_norm_eps": 1e-12} | config, "layer_norm_eps")
    if config["type_vocab_size"] > 1:
        notes.append("token types other than 0 were left out, as fairseq has none")
    settings = read_json(tokenizer) if tokenizer.is_file() else {}
    if not isinstance(settings, dict):
        raise MemtxError(f"{tokenizer} has no names: copy it again")
    if settings.get("add_prefix_space"):
        notes.append("the tokenizer puts a space before each text, fairseq's does not: add it")
    return notes


def model_settings(config: dict[str, Any], tied: bool) -> dict[str, Any]:
    """The settings of fairseq's ``roberta``; what is not said is as in the paper."""
    settings = {
        "encoder_layers": config["num_hidden_layers"],
        "encoder_embed_dim": config["hidden_size"],
        "encoder_ffn_embed_dim": config["intermediate_size"],
        "encoder_attention_heads": config["num_attention_heads"],
        "max_positions": config["max_position_embeddings"] - config["pad_token_id"] - 1,
        "dropout": config.get("hidden_dropout_prob", 0.1),
        "attention_dropout": config.get("attention_probs_dropout_prob", 0.1),
    }
    return settings if tied else {**settings, "untie_weights_roberta": True}


def checkpoint(
    path: Path, own: dict[str, Tensor], settings: dict[str, Any], dictionary: Dictionary, data: str
) -> dict[str, Any]:
    """What ``fairseq-train`` would have saved before its first step, with all layers it needs."""
    model = argparse.Namespace(_name="roberta", arch="roberta", **settings)
    task = MaskedLMConfig(_name="masked_lm", data=data, tokens_per_sample=settings["max_positions"])
    criterion = MaskedLmConfig(_name="masked_lm")
    cfg = OmegaConf.structured(FairseqConfig(task=task, criterion=criterion))
    torch.manual_seed(1)
    built = MaskedLMTask(cfg.task, dictionary).build_model(model).state_dict()
    if f"{HEAD}.bias" not in own:
        own = {name: weight for name, weight in built.items() if name.startswith(HEAD)} | own
    check_shapes(own, built, f"{path} does not fit config.json")
    settled: Any = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    return new_checkpoint({**settled, "model": model}, own)
