"""``fairseq-memtx convert transformer-xl``: losses of the published models, and back."""

import math
import re
from pathlib import Path

import pytest
import torch
from conftest import succeed
from fairseq import checkpoint_utils
from fairseq.data import Dictionary, indexed_dataset
from published_transformer_xl import PublishedModel
from torch import Tensor

from fairseq_memtx.commands.main import run
from fairseq_memtx.errors import MemtxError
from fairseq_memtx.flags import presets
from fairseq_memtx.modules.state_holder import StateHolder

VOCABULARY = ["<eos>", "the", "<unk>", "of", "and", "in", "a", "to", "was", "on", "as", "for"]
CUTOFFS = [5, 8]
SEGMENT = 4


def random_weights(memory: int = 0, cutoffs: bool = False) -> dict[str, Tensor]:
    """A published state dict of 2 layers, 2 heads and 8 channels."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.5

    weights = {"word_emb.emb_layers.0.weight": draw(len(VOCABULARY), 8)}
    weights["crit.out_layers.0.weight"] = weights["word_emb.emb_layers.0.weight"]
    weights["crit.out_layers.0.bias"] = draw(len(VOCABULARY))
    weights.update(r_w_bias=draw(2, 4), r_r_bias=draw(2, 4))
    weights["pos_emb.inv_freq"] = 1 / 10000 ** (torch.arange(0.0, 8.0, 2.0) / 8)
    for layer in ("layers.0", "layers.1"):
        for name, size in {"qkv_net": 24, "r_net": 8, "o_net": 8}.items():
            weights[f"{layer}.dec_attn.{name}.weight"] = draw(size, 8)
        for name, shape in {"0": (12, 8), "3": (8, 12)}.items():
            weights[f"{layer}.pos_ff.CoreNet.{name}.weight"] = draw(*shape)
            weights[f"{layer}.pos_ff.CoreNet.{name}.bias"] = draw(shape[0])
        for name in ("dec_attn", "pos_ff"):
            weights[f"{layer}.{name}.layer_norm.weight"] = 1 + draw(8)
            weights[f"{layer}.{name}.layer_norm.bias"] = draw(8)
    if memory:
        weights["mem_tokens"] = draw(memory, 1, 8)
    if cutoffs:
        weights.update({"crit.cluster_weight": draw(2, 8), "crit.cluster_bias": draw(2)})
    return weights


class Folder:
    """Where a published model lies, and what is made of it.

    Args:
        path: an empty folder.
        weights: a published state dict.
    """

    def __init__(self, path: Path, weights: dict[str, Tensor]) -> None:
        self.published, self.vocabulary = path / "published.pt", path / "vocab.txt"
        self.converted, self.dictionary = path / "converted.pt", path / "data/dict.txt"
        self.back = path / "back.pt"
        torch.save(weights, self.published)
        self.vocabulary.write_text("\n".join(VOCABULARY))

    def flags(self, *more: object) -> list[object]:
        """To convert; with the words that ``write_words`` gives, or in the published order."""
        words = "--dictionary" if self.dictionary.exists() else "--write-dictionary"
        flags = ["--input", self.published, "--output", self.converted, words, self.dictionary]
        return [*flags, "--vocabulary", self.vocabulary, "--segment-length", SEGMENT, *more]

    def reverse_flags(self, *more: object) -> list[object]:
        """To convert back."""
        flags = ["--reverse", "--input", self.converted, "--output", self.back]
        return [*flags, "--dictionary", self.dictionary, *more]

    def write_words(self, words: list[str]) -> None:
        """A dictionary of these words."""
        self.dictionary.parent.mkdir()
        self.dictionary.write_text("".join(f"{word} 1\n" for word in words))


def convert(flags: list[object]) -> None:
    """Run the command in this process; errors are raised."""
    run(["convert", "transformer-xl", *map(str, flags)])


def load(path: Path):
    """Model, in float64, and dictionary, as fairseq's commands load them."""
    models, _, task = checkpoint_utils.load_model_ensemble_and_task([str(path)])
    return models[0].double().eval(), task.dictionary


def texts(streams: int, length: int) -> Tensor:
    """Published numbers of words, ``B x (length + 1)``, each word as often as any other."""
    generator = torch.Generator().manual_seed(2)
    draws = torch.randperm(streams * (length + 1), generator=generator) % len(VOCABULARY)
    return draws.view(streams, length + 1)


@torch.no_grad()
def our_losses(path: Path, text: Tensor) -> Tensor:
    """Losses of every next word, ``B x length``, with one call of the model for each segment."""
    model, dictionary = load(path)
    symbols = ["</s>" if word == "<eos>" else word for word in VOCABULARY]
    text = torch.tensor([dictionary.index(symbol) for symbol in symbols])[text]
    holder, losses = StateHolder(), []
    for start in range(0, text.size(1) - 1, SEGMENT):
        words, targets = (text[:, at : at + SEGMENT] for at in (start, start + 1))
        x, _ = model(words, holder=holder)
        softmax = model.decoder.adaptive_softmax
        log_probabilities = x.log_softmax(-1) if softmax is None else softmax.get_log_prob(x, None)
        losses.append(-log_probabilities.gather(2, targets.unsqueeze(2)).squeeze(2))
    return torch.cat(losses, dim=1)


def published_losses(weights: dict[str, Tensor], text: Tensor, **settings: object) -> Tensor:
    """The same of the reference."""
    model = PublishedModel(weights, **settings)
    rows = [model.losses(row[:-1], row[1:], SEGMENT) for row in text.tolist()]
    return torch.tensor(rows, dtype=torch.float64)


def difference(a: Tensor, b: Tensor) -> float:
    """The largest difference of two losses."""
    return float((a - b).abs().max())


@pytest.mark.parametrize("cutoffs", [[], CUTOFFS], ids=["plain", "adaptive"])
@pytest.mark.parametrize(
    ("memory", "settings"),
    [
        (0, {}),
        (0, {"cache_length": 6}),
        (1, {}),
        (1, {"cache_length": 6}),
        (1, {"cache_length": 6, "memory_reads_cache": True}),
        (1, {"memory_at_end": False}),
    ],
    ids=["no memory", "cache", "memory", "memory and cache", "memory reads cache", "at start only"],
)
def test_losses_are_the_published_ones(memory, settings, cutoffs, tmp_path):
    weights = random_weights(memory, bool(cutoffs))
    folder = Folder(tmp_path, weights)
    flags = folder.flags("--cache-length", settings.get("cache_length", 0))
    if cutoffs:
        flags += ["--cutoffs", ",".join(map(str, cutoffs))]
    if settings.get("memory_reads_cache"):
        flags.append("--memory-reads-cache")
    if not settings.get("memory_at_end", True):
        flags.append("--memory-at-start-only")
    convert(flags)
    text = texts(streams=2, length=3 * SEGMENT)
    expected = published_losses(weights, text, cutoffs=cutoffs, **settings)
    found = our_losses(folder.converted, text)
    assert difference(found, expected) < 1e-9
    if memory or settings:  # the state of the earlier segments matters
        alone = our_losses(folder.converted, text[:, SEGMENT : 2 * SEGMENT + 1])
        assert difference(alone, expected[:, SEGMENT : 2 * SEGMENT]) > 1e-3


def test_more_than_one_memory_token_differs(tmp_path, capsys):
    """The published shift is right for keys that are not ahead of the query, and for no others.

    In a block of one memory token nothing is ahead. In larger ones it reads 0 for the next row and
    the next row's terms beyond that; our model has the terms of the true, negative distances.
    """
    weights = random_weights(memory=3)
    folder = Folder(tmp_path, weights)
    convert(folder.flags("--cache-length", 6))
    assert "3 memory tokens look ahead" in capsys.readouterr().err
    text = texts(streams=1, length=2 * SEGMENT)
    found = our_losses(folder.converted, text)
    signed = published_losses(weights, text, cache_length=6, signed_distances=True)
    published = published_losses(weights, text, cache_length=6)
    assert difference(found, signed) < 1e-9
    assert difference(found, published) > 1e-3


@pytest.mark.parametrize("cutoffs", [[], ["--cutoffs", "5,8"]], ids=["plain", "adaptive"])
def test_output_is_tied_by_the_flag_of_the_presets(cutoffs, tmp_path):
    folder = Folder(tmp_path, random_weights(cutoffs=bool(cutoffs)))
    convert(folder.flags(*cutoffs))
    settings = torch.load(folder.converted)["cfg"]["model"]
    preset = presets.read("transformer_xl_lm_wiki103")
    flag = "share_decoder_input_output_embed"
    assert settings[flag] == preset[flag]


# --- words ---------------------------------------------------------------------------------------


def test_a_dictionary_of_its_own(tmp_path, capsys):
    """Another order inside the clusters, symbols of no meaning, and a word for padding."""
    weights = random_weights(cutoffs=True)
    folder = Folder(tmp_path, weights)
    folder.write_words(
        ["of", "and", "the", "madeupword0000", "to", "in", "a", "for", "was", "as", "on"]
    )
    convert(folder.flags("--cutoffs", "5,8"))
    assert "cutoffs=[8, 11], never predicted: <s> <pad> madeupword0000" in capsys.readouterr().out
    text = texts(streams=1, length=3 * SEGMENT)
    expected = published_losses(weights, text, cutoffs=CUTOFFS)
    assert difference(our_losses(folder.converted, text), expected) < 1e-9
    model, dictionary = load(folder.converted)
    words = torch.tensor([[dictionary.index("the")]])
    scores = model.decoder.adaptive_softmax.get_log_prob(model(words)[0], None)[0, 0].exp()
    never = [dictionary.index(word) for word in ("<s>", "<pad>", "madeupword0000")]
    assert scores[never].tolist() == [0.0, 0.0, 0.0]
    assert math.isclose(float(scores.sum()), 1.0, rel_tol=1e-12)


@pytest.mark.parametrize("exchanged", [("and", "in"), ("was", "to")])
def test_a_dictionary_that_mixes_clusters_is_refused(exchanged, tmp_path):
    folder = Folder(tmp_path, random_weights(cutoffs=True))
    words = [word for word in VOCABULARY if not word.startswith("<")]
    a, b = map(words.index, exchanged)
    words[a], words[b] = words[b], words[a]
    folder.write_words(words)
    with pytest.raises(MemtxError, match=r"belongs to cluster .*--write-dictionary"):
        convert(folder.flags("--cutoffs", "5,8"))
    assert not folder.converted.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([*VOCABULARY[3:], "the", "zebra"], "in the dictionary only, such as zebra"),
        (VOCABULARY[3:], "in the vocabulary only, such as the"),
        ([*VOCABULARY[3:], "the", "<eos>"], "<eos> comes twice"),
        ([*VOCABULARY[3:], "the", "the"], r"^\S+dict.txt, line 11: a word that is there already"),
    ],
)
def test_words_of_one_side_only(words, says, tmp_path):
    folder = Folder(tmp_path, random_weights())
    folder.write_words(words)
    with pytest.raises(MemtxError, match=says) as error:
        convert(folder.flags())
    assert "\n" not in str(error.value)


# --- and back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cutoffs", [[], ["--cutoffs", "5,8"]], ids=["plain", "adaptive"])
def test_there_and_back(cutoffs, tmp_path):
    weights = random_weights(memory=2, cutoffs=bool(cutoffs))
    folder = Folder(tmp_path, weights)
    convert(folder.flags(*cutoffs))
    convert(folder.reverse_flags("--vocabulary", folder.vocabulary))
    back = torch.load(folder.back)
    assert back.keys() == weights.keys()
    for name, weight in weights.items():
        assert torch.equal(back[name], weight), name


def test_back_with_all_words(tmp_path, capsys):
    """Without a vocabulary every row stays; converted again, the checkpoint is the same."""
    folder = Folder(tmp_path, random_weights(memory=1, cutoffs=True))
    convert(folder.flags("--cutoffs", "5,8", "--cache-length", 6, "--memory-reads-cache"))
    words = tmp_path / "words.txt"
    capsys.readouterr()
    convert(folder.reverse_flags("--write-vocabulary", words))
    assert (
        "n_token=14, cutoffs=[7, 10], tgt_len=4, mem_len=6, num_mem_tokens=1, mem_at_end=True, "
        "read_mem_from_cache=True" in capsys.readouterr().out
    )
    assert words.read_text().split()[:6] == ["<s>", "<pad>", "<eos>", "<unk>", "the", "of"]
    again = tmp_path / "again.pt"
    convert(
        ["--input", folder.back, "--output", again, "--vocabulary", words, "--cutoffs", "7,10",
         "--dictionary", folder.dictionary, "--segment-length", SEGMENT]
    )  # fmt: skip
    first, second = (torch.load(path)["model"] for path in (folder.converted, again))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("back", [False, True])
def test_words_are_not_left_behind_without_the_weights(back, tmp_path, monkeypatch):
    """A full disk, told by torch in its own words, while the larger file is written."""
    folder = Folder(tmp_path, random_weights())
    flags = folder.flags()
    if back:
        convert(flags)
        flags = folder.reverse_flags("--write-vocabulary", tmp_path / "new words.txt")
    before = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())

    def full_disk(state, path):
        Path(path).write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(MemtxError, match=r"cannot be written: is the disk full\?"):
        convert(flags)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == before


def test_back_is_refused_where_probability_would_be_lost(tmp_path):
    folder = Folder(tmp_path, random_weights())
    convert(folder.flags())
    folder.vocabulary.write_text("\n".join(VOCABULARY[:-1]))
    with pytest.raises(MemtxError, match="in the dictionary only, such as for"):
        convert(folder.reverse_flags("--vocabulary", folder.vocabulary))
    folder.vocabulary.write_text("\n".join([*VOCABULARY, "zebra"]))
    with pytest.raises(MemtxError, match="in the vocabulary only, such as zebra"):
        convert(folder.reverse_flags("--vocabulary", folder.vocabulary))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"backbone": "transformer"}, "no rmt_lm with --backbone transformer-xl"),
        ({"no_scale_embedding": True}, "--no-scale-embedding"),
        ({"memory_tokens": 3}, "decoder.memory.weight"),
        ({"decoder_normalize_before": True}, "converted.pt makes no model: --decoder-normalize-b"),
        ({"decoder_attention_heads": 3}, "converted.pt makes no model: --decoder-embed-dim 8"),
        ({"adaptive_softmax_cutoff": "open('/dev/null')"}, "is impossible"),
    ],
)
def test_checkpoints_that_cannot_go_back(setting, says, tmp_path):
    folder = Folder(tmp_path, random_weights(memory=1))
    convert(folder.flags())
    state = torch.load(folder.converted)
    state["cfg"]["model"].update(setting)
    torch.save(state, folder.converted)
    with pytest.raises(MemtxError, match=says):
        convert(folder.reverse_flags("--vocabulary", folder.vocabulary))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "weight", "says"),
    [
        ("word_emb.emb_layers.1.weight", torch.ones(3, 4), "div_val other than 1"),
        ("word_emb.emb_projs.0", torch.ones(8, 4), "d_embed other than d_model"),
        ("crit.out_projs_0", torch.ones(8, 4), "d_embed other than d_model"),
        ("r_emb", torch.ones(2, 9, 2, 4), "attn_type other than 0"),
        ("layers.0.dec_attn.q_net.weight", torch.ones(8, 8), "attn_type other than 0"),
        ("out_layer.weight", torch.ones(12, 8), "sample_softmax"),
        ("crit.out_layers.0.weight", torch.ones(12, 8), "only tied ones"),
        ("r_w_bias", None, "has no r_w_bias"),
        ("r_w_bias", torch.ones(2, 2, 4), r"r_w_bias of the shape \(2, 2, 4\)"),
        ("r_r_bias", torch.ones(4, 2), r"r_r_bias of the shape \(4, 2\), where \(2, 4\) belongs"),
        ("crit.out_layers.0.bias", torch.ones(9), r"bias of the shape \(9,\)"),
        ("mem_tokens", torch.ones(8), r"mem_tokens of the shape \(8,\)"),
        ("layers.1.pos_ff.CoreNet.0.weight", torch.ones(12, 7), r"fc1.weight has the shape"),
        ("layers.1.pos_ff.CoreNet.3.bias", None, r"fc2.bias has the shape None"),
        ("layers.9.pos_ff.CoreNet.3.bias", torch.ones(8), "does not fit its own sizes"),
        ("surprise", torch.ones(1), "cannot be converted: surprise"),
        ("surprise", "text", "is no state dict"),
        ("crit.cluster_bias", torch.ones(2), "has 2 clusters"),
    ],
)
def test_state_dicts_that_are_refused(name, weight, says, tmp_path):
    weights = random_weights(memory=1)
    weights[name] = weight
    if weight is None:
        del weights[name]
    folder = Folder(tmp_path, weights)
    with pytest.raises(MemtxError, match=says) as error:
        convert(folder.flags())
    assert "\n" not in str(error.value)
    assert not folder.converted.exists()
    assert not folder.dictionary.exists()


@pytest.mark.parametrize("held", [None, 7, "text", [1], {}, {3: torch.ones(1)}, torch.ones(3)])
def test_files_of_anything_else(held, tmp_path):
    with pytest.raises(MemtxError, match=r"published.pt (is no state dict|has a weight)"):
        convert(Folder(tmp_path, held).flags())


def test_heads_that_do_not_fill_the_channels(tmp_path):
    weights = random_weights()
    weights.update(r_w_bias=torch.ones(4, 4), r_r_bias=torch.ones(4, 4))
    with pytest.raises(MemtxError, match="4 heads of 4 channels, which are not its d_model 8"):
        convert(Folder(tmp_path, weights).flags())


@pytest.mark.parametrize("cutoffs", ["", "5", "8,5", "5,12"])
def test_cutoffs_that_do_not_fit(cutoffs, tmp_path):
    folder = Folder(tmp_path, random_weights(cutoffs=True))
    with pytest.raises(MemtxError, match="has 2 clusters of rare words among 12"):
        convert(folder.flags(*(["--cutoffs", cutoffs] if cutoffs else [])))


def test_vocabulary_of_another_model(tmp_path):
    folder = Folder(tmp_path, random_weights())
    folder.vocabulary.write_text("a 1\n" * 12)
    with pytest.raises(MemtxError, match="comes twice"):
        convert(folder.flags())
    folder.vocabulary.write_text("a b")
    with pytest.raises(MemtxError, match="has 12 words and the vocabulary 2"):
        convert(folder.flags())


# --- the commands --------------------------------------------------------------------------------


def test_commands(tmp_path):
    """Convert, binarise by the dictionary that was written, and score with ``fairseq-eval-lm``."""
    weights = random_weights(memory=1, cutoffs=True)
    folder = Folder(tmp_path, weights)
    flags = folder.flags("--cutoffs", "5,8", "--cache-length", 6)
    assert "wrote" in succeed("fairseq-memtx", "convert", "transformer-xl", *flags)
    with pytest.raises(MemtxError, match=r"converted\.pt exists: delete it"):
        convert(flags)

    lines = [" ".join(VOCABULARY[1:]), "in the zebra", "for the of a"]
    binarize(lines, folder.dictionary)
    printed = succeed(
        "fairseq-eval-lm", folder.dictionary.parent, "--user-dir", "fairseq_memtx", "--path",
        folder.converted, "--task", "rmt_language_modeling", "--tokens-per-sample", SEGMENT,
        "--batch-size", 1, "--cpu",
    )  # fmt: skip
    words = " <eos> ".join(["", *lines, ""]).replace("zebra", "<unk>").split()
    text = torch.tensor([[VOCABULARY.index(word) for word in words]])
    expected = published_losses(weights, text, cutoffs=CUTOFFS, cache_length=6).mean() / math.log(2)
    found = float(re.search(r"Loss \(base 2\): ([\d.]+)", printed)[1])
    assert math.isclose(found, float(expected), abs_tol=2e-4)


def binarize(lines: list[str], dictionary: Path) -> None:
    """Write the set ``test`` as ``fairseq-preprocess --srcdict`` would."""
    words, target = Dictionary.load(str(dictionary)), dictionary.with_name("test.bin")
    builder = indexed_dataset.make_builder(str(target), "mmap", vocab_size=len(words))
    for line in lines:
        builder.add_item(words.encode_line(line, add_if_not_exist=False))
    builder.finalize(str(target.with_suffix(".idx")))
