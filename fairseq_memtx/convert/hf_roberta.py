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
import json
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
from .hf_roberta_weights import EMBEDDING, OUTPUT, fairseq_weights, has_head, read_weights
from .hf_roberta_words import Words, read_json, read_words
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
NORM_EPSILON = 1e-5  # of torch's LayerNorm, which fairseq has no flag for


def convert(options: argparse.Namespace) -> None:
    """Convert the model in ``folder``, and write ``dest``.

    Args:
        options: those of ``fairseq-memtx convert hf-roberta``.

    Raises:
        MemtxError: if it cannot be converted, or ``dest`` is there.
    """
    folder, dest = options.folder, options.dest
    if not folder.is_dir():
        raise MemtxError(f"there is no folder {folder}: download the model first")
    if dest.exists():
        raise MemtxError(f"{dest} exists: delete it, or give another name")

    config = read_config(folder / "config.json")
    words = read_words(folder, config["vocab_size"], config["pad_token_id"])
    weights = read_weights(folder)
    notes = not_the_same(folder, config, has_head(weights))
    path = weights.path
    own = fairseq_weights(weights, config, words.rows)
    dictionary = Dictionary()
    for symbol in words.symbols:
        dictionary.add_symbol(symbol)
    settings = model_settings(config, tied=own[OUTPUT] is own[EMBEDDING])
    write(dest, words, dictionary, checkpoint(path, own, settings, dictionary, str(dest)))

    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    print(f"wrote {dest}: {len(words.rows)} words; build the model with\n  {as_flags(settings)}")


def read_config(path: Path) -> dict[str, Any]:
    """The settings of the model.

    Raises:
        MemtxError: if they are of a model that fairseq's RoBERTa cannot be.
    """
    if not path.is_file():
        raise MemtxError(f"there is no file {path}: give the folder of a Hugging Face model")
    config = read_json(path)
    if not isinstance(config, dict):
        raise MemtxError(f"{path} is not of a RoBERTa: it has no names")
    for name in SIZES:
        size = config.get(name)
        if type(size) is not int or size < (name != "pad_token_id"):
            raise MemtxError(f"{path} has no number {name} above zero: it is not of a RoBERTa")
    for name in SHARES:
        share = config.get(name, 0.1)
        if type(share) not in (int, float) or not 0 <= share <= 1:
            raise MemtxError(f"{path} has {name} {str(share)[:40]}: correct it, it is 0 to 1")
    if config["max_position_embeddings"] < config["pad_token_id"] + 2:
        raise MemtxError(f"{path} has max_position_embeddings that leave no room for a token")
    if config["hidden_size"] % config["num_attention_heads"]:
        raise MemtxError(f"{path} has num_attention_heads that do not divide hidden_size")
    for name, only in ONLY.items():
        if config.get(name, only) != only:
            raise MemtxError(
                f"{path} has {name} {config[name]}: fairseq's RoBERTa only knows {only}"
            )
    return config


def not_the_same(folder: Path, config: dict[str, Any], predicts: bool) -> list[str]:
    """What is not the same any more.

    Raises:
        MemtxError: if the settings of the tokenizer cannot be read.
    """
    epsilon = config.get("layer_norm_eps", 1e-12)
    tokenizer = folder / "tokenizer_config.json"
    notes = []
    if not predicts:
        notes.append(
            "there are no layers that predict words: untrained ones were put in, fine-tune on "
            "labels or train with masked_lm first"
        )
    if epsilon != NORM_EPSILON:
        notes.append(
            f"layer_norm_eps is {epsilon}, fairseq's {NORM_EPSILON}: results differ a little"
        )
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


def as_flags(settings: dict[str, Any]) -> str:
    """The same for the command line."""
    return " ".join(
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
        for name, value in settings.items()
    )


def checkpoint(
    path: Path, own: dict[str, Tensor], settings: dict[str, Any], words: Dictionary, data: str
) -> dict[str, Any]:
    """What ``fairseq-train`` would have saved before its first step.

    Raises:
        MemtxError: naming the first weight that the model of these settings has not, or has in
            another shape.
    """
    model = argparse.Namespace(_name="roberta", arch="roberta", **settings)
    task = MaskedLMConfig(_name="masked_lm", data=data, tokens_per_sample=settings["max_positions"])
    criterion = MaskedLmConfig(_name="masked_lm")
    cfg = OmegaConf.structured(FairseqConfig(task=task, criterion=criterion))
    dictionary = Dictionary()
    dictionary.update(words)  # a copy, to which the task adds <mask>
    built = MaskedLMTask(cfg.task, dictionary).build_model(model).state_dict()
    check_shapes(own, built, f"{path} does not fit config.json")
    settled: Any = OmegaConf.to_container(cfg, resolve=True, enum_to_str=True)
    return new_checkpoint({**settled, "model": model}, own)


def write(dest: Path, words: Words, dictionary: Dictionary, state: dict[str, Any]) -> None:
    """Write the folder."""
    with folder_aside(dest) as folder:
        dictionary.save(str(folder / "dict.txt"))
        (folder / "encoder.json").write_text(json.dumps(words.encoder), encoding="utf-8")
        lines = ["#version: 0.2", *words.merges, ""]
        (folder / "vocab.bpe").write_text("\n".join(lines), encoding="utf-8")
        torch.save(state, folder / "model.pt")
