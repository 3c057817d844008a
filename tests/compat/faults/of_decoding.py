"""Faults in decoding, evaluation and what is read with a trained model."""

import math
from argparse import Namespace
from pathlib import Path
from unittest import mock

import torch
from fairseq import checkpoint_utils
from fairseq.data import Dictionary
from fairseq.models.transformer import TransformerModel, base_architecture
from fairseq.sequence_generator import SequenceGenerator
from fairseq_cli import eval_lm, validate


def empty_batches(folder: Path) -> bool:
    batches = validate.progress_bar.progress_bar([{}, {"id": 1}], log_format="none")
    return {} in list(batches)


def ensembles(folder: Path) -> bool:
    with mock.patch.object(checkpoint_utils, "load_model_ensemble_and_task") as load:
        eval_lm.checkpoint_utils.load_model_ensemble_and_task(["one.pt:other.pt"])
    return load.call_args.args[0] == ["one.pt:other.pt"]


def length_limits(folder: Path) -> bool:
    """Of two sentences, the shorter is to end by its own length; the model never ends."""
    model = _translator()
    never_ends = torch.zeros(len(WORDS)).index_fill(0, torch.tensor(WORDS.eos()), -1e4)
    model.get_normalized_probs = lambda out, *_, **__: (out[0] + never_ends).log_softmax(-1)
    return len(_translate(model, beam_size=1, max_len_a=1, max_len_b=0)[0][0]["tokens"]) > 3


def shared_keys(folder: Path) -> bool:
    """Two sentences have two sets of keys, whatever the number of beams."""
    model, read = _translator(), []
    keys = model.decoder.layers[0].encoder_attn.k_proj
    keys.register_forward_hook(lambda module, rows, out: read.append(out.size(1)))
    _translate(model, beam_size=3, max_len_b=4)
    return read != [2]


WORDS = Dictionary()
for index in range(9):
    WORDS.add_symbol(f"w{index}")
SIZES = ("embed_dim", "ffn_embed_dim")


def _translator() -> TransformerModel:
    small = {f"{side}_{what}": 8 for side in ("encoder", "decoder") for what in SIZES}
    layers = {"encoder_layers": 1, "decoder_layers": 1}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    args = Namespace(**small, **layers, **heads)
    base_architecture(args)
    task = Namespace(source_dictionary=WORDS, target_dictionary=WORDS)
    return TransformerModel.build_model(args, task).eval()


def _translate(model: TransformerModel, **search) -> list[list[dict]]:
    generator = SequenceGenerator([model], WORDS, **search)
    source = torch.tensor([[1, 1, 1, 1, 4, 2], [4, 5, 6, 7, 8, 2]])
    net_input = {"src_tokens": source, "src_lengths": torch.tensor([2, 6])}
    return generator.generate([model], {"id": torch.arange(2), "net_input": net_input})


def safe_classes(folder: Path) -> bool:
    torch.save({"args": Namespace(arch="transformer")}, folder / "checkpoint.pt")
    try:
        torch.load(folder / "checkpoint.pt", weights_only=True)
    except Exception:  # torch's own, by another name in every version
        return True
    return False


def words_counted_once(folder: Path) -> bool:
    """Four words, the end among them, in rows of two pieces."""
    text = ["an", "ap@@", "ple", "tr@@", "e@@", "e", "</s>"]
    words = Dictionary()
    for word in text[:-1]:
        words.add_symbol(word)
    target = torch.tensor([words.index(word) for word in [*text, "<pad>"]]).view(4, 2)
    net_input = {"src_tokens": target}
    batch = {"id": torch.arange(4), "net_input": net_input, "target": target, "ntokens": 7}
    found = eval_lm.eval_lm([Undecided(len(words))], words, [batch], post_process="@@ ")
    return not math.isclose(found["loss"], 7 * math.log2(len(words)) / 4, rel_tol=1e-5)


class Undecided(torch.nn.Module):
    """A model to which all tokens are equally likely."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(symbols))

    def forward(self, src_tokens, **_):
        return self.weight.expand(*src_tokens.shape, -1), None

    def get_normalized_probs(self, output, log_probs, sample=None):
        return output[0].log_softmax(dim=-1)
