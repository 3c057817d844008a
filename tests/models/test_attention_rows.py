"""Which rows and columns of the families' maps are memory: against who may see whom."""

import pytest
import torch
from conftest import VARIANTS, batch, build
from test_gmat_roberta import COMPRESSED, tokens
from test_gmat_roberta import build as build_gmat
from test_rmt_lm import build as build_rmt
from test_rmt_lm import text
from torch.nn import functional

from fairseq_memtx.memory import RowKind, capture_attention
from fairseq_memtx.modules.attention_rows import AttentionRows, RowFinder

M = 3


def found(model, net_input: dict) -> list[tuple[str, AttentionRows, torch.Tensor]]:
    """Rows of every map, with the map."""
    finder, kept = RowFinder(model, net_input), []

    def keep(name: str, weights: torch.Tensor) -> torch.Tensor:
        kept.append((name, finder.find(name, weights), weights.clone()))
        return weights

    with capture_attention(model, keep), torch.no_grad():
        model(**net_input)
    for _, rows, weights in kept:
        if rows is not None:
            assert rows.queries.shape == rows.query_symbols.shape == weights.shape[::2]
            assert rows.keys.shape == rows.key_symbols.shape == weights.shape[::3]
    return kept


def with_memory(source: torch.Tensor) -> torch.Tensor:
    kinds = source.ne(1).long() * RowKind.TOKEN
    return functional.pad(kinds, (M, 0), value=RowKind.MEMORY)


@pytest.mark.parametrize("variant", VARIANTS)
def test_memory_transformer(variant):
    model, source, target = build(variant, M), batch(7, 5), batch(6, 4, left=False)
    inputs = {"src_tokens": source, "src_lengths": None, "prev_output_tokens": target}
    kinds, layers = with_memory(source), []
    for name, rows, weights in found(model, inputs):
        if name.startswith("decoder") and name.endswith("self_attn"):
            assert rows is None, "the decoder's own words meet no memory"
            continue
        layers.append(rows.layer)
        if name.startswith("decoder"):
            assert torch.equal(rows.queries, target.ne(1).long())
            assert torch.equal(rows.keys, kinds)
            assert torch.equal(rows.key_symbols[:, M:], source)
            continue
        assert torch.equal(rows.keys, kinds[:, : weights.size(3)])
        expected = kinds[:, :M] if "controller" in name else kinds[:, -weights.size(2) :]
        assert torch.equal(rows.queries, expected)
    controllers = [] if variant == "tokens" else ["controller 0", "controller 1"]
    decoders = ["decoder 0", "decoder 1"]
    assert sorted(layers) == sorted([*controllers, "encoder 0", "encoder 1", *decoders])


def test_a_decoder_that_reads_memory_alone():
    model = build(memory_tokens=M, decoder_reads_memory_alone=True)
    inputs = {"src_tokens": batch(7, 5), "src_lengths": None, "prev_output_tokens": batch(6, 4)}
    read = [rows.keys for name, rows, _ in found(model, inputs) if name.endswith("encoder_attn")]
    assert len(read) == 2
    for keys in read:
        assert torch.equal(keys, torch.full((2, M), RowKind.MEMORY))


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize("flags", [{}, COMPRESSED], ids=["plain", "compression"])
def test_documents(flags, segments):
    more = {"segments": 3, "max_positions": 25} if segments > 1 else {}
    model = build_gmat(**flags, **more)
    source, memory = tokens(25, 14) if segments > 1 else tokens(11, 7), model.args.memory_tokens
    calls = 0
    for _, rows, weights in found(model, {"src_tokens": source, "features_only": True}):
        calls += 1
        length = 1 + 8 if segments > 1 else source.size(1)
        part = source[:, 1 + rows.part * 8 :][:, :8]
        part = torch.cat([source[:, :1], part], dim=1) if segments > 1 else source
        kinds = functional.pad(part.ne(1).long(), (memory, 0), value=RowKind.MEMORY)
        sizes = {memory: kinds[:, :memory], length: kinds[:, memory:], memory + length: kinds}
        assert torch.equal(rows.queries, sizes[weights.size(2)])
        assert torch.equal(rows.keys, sizes[weights.size(3)])
        padded = rows.keys == RowKind.PADDING
        real = (rows.queries != RowKind.PADDING)[:, None, :, None]
        assert not (weights * padded[:, None, None] * real).any(), "nobody looks at padding"
    assert calls == segments * len(model.encoder.sentence_encoder.layers)


RMT = {
    "memory": [],
    "a cache": ["--cache-length", "6"],
    "a long cache": ["--cache-length", "13", "--memory-reads-cache"],
    "fairseq's layers": ["--backbone", "transformer"],
    "no write block": ["--memory-at-start-only"],
    "layer memories": ["--layer-memory", "associative", "--memory-recurrence", "none"],
}


@pytest.mark.parametrize("kind", RMT)
def test_segments(kind):
    model, read = build_rmt(*RMT[kind]), text(11)
    read[0, -2:] = 1
    loop = model.decoder.loop
    count, ahead = loop.memory_tokens, loop.rows_ahead
    behind = count if loop.writes else 0
    earlier = torch.empty(len(read), 0, dtype=torch.long)
    maps = found(model, {"src_tokens": read})
    assert len(maps) == 3 * len(model.decoder.layers)
    for part in range(3):
        kinds = read[:, 4 * part : 4 * part + 4].ne(1).long()
        kinds = functional.pad(kinds, (ahead, 0), value=RowKind.MEMORY)
        kinds = functional.pad(kinds, (0, behind), value=RowKind.WRITTEN)
        for _, rows, weights in maps:
            if rows.part == part:
                assert torch.equal(rows.queries, kinds)
                cached = weights.size(3) - weights.size(2)
                seen = earlier[:, earlier.size(1) - cached :]
                assert torch.equal(rows.keys, torch.cat([seen, kinds], dim=1))
        earlier = torch.cat([earlier, kinds], dim=1)
