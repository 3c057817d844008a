"""GMAT takes weights of RoBERTa, of old checkpoints and of other numbers of memory tokens."""

import pytest
import torch
from conftest import words
from test_gmat_roberta import build, build_roberta, tokens

from fairseq_memtx.errors import MemtxError


def test_robertas_weights_and_positions():
    theirs = build_roberta(max_positions=10)
    ours = build(memory_tokens=3, max_positions=25)
    ours.load_state_dict(theirs.state_dict())
    old = theirs.encoder.sentence_encoder.embed_positions.weight
    new = ours.encoder.sentence_encoder.embed_positions.weight
    assert torch.equal(new[:2], old[:2])
    for place in range(25):
        assert torch.equal(new[2 + place], old[2 + place % 10])
    for name, weight in theirs.state_dict().items():
        if "embed_positions" not in name:
            assert torch.equal(ours.state_dict()[name], weight), name


def test_names_of_old_checkpoints():
    state = build_roberta().state_dict()
    old = {
        name.replace("encoder.", "decoder.", 1).replace(
            "layernorm_embedding", "emb_layer_norm"
        ): weight
        for name, weight in state.items()
    }
    ours = build()
    ours.load_state_dict(old)
    assert torch.equal(
        ours.encoder.sentence_encoder.layernorm_embedding.weight,
        state["encoder.sentence_encoder.layernorm_embedding.weight"],
    )


def test_separate_projections_begin_as_copies():
    ours, theirs = build(separate_memory_projections=True), build()
    ours.load_state_dict(theirs.state_dict())
    source = tokens(11, 7)
    torch.testing.assert_close(ours(source)[0], theirs(source)[0], rtol=0, atol=1e-12)


def test_another_number_of_memory_tokens():
    large, small = build(memory_tokens=5), build(memory_tokens=2, seed=2)
    small.load_state_dict(large.state_dict())
    weights = (m.encoder.sentence_encoder.memory.weight for m in (small, large))
    assert torch.equal(next(weights), next(weights)[:2])


def test_token_heads_come_and_go(caplog):
    with_head = build()
    with_head.register_token_head("tags", 5)
    with_head.double()
    without = build(seed=2)
    without.load_state_dict(with_head.state_dict())
    assert "token_heads.tags.out_proj.weight of the checkpoint is left out" in caplog.text
    with_head.load_state_dict(without.state_dict())
    assert "token_heads.tags.out_proj.weight is newly initialised" in caplog.text


def test_refused():
    with pytest.raises(MemtxError, match=r"has 40 positions and the model 20: give --max-pos"):
        build(max_positions=20).load_state_dict(build_roberta().state_dict())
    with pytest.raises(MemtxError, match=r"of another model: .* have another shape"):
        build(encoder_embed_dim=32).load_state_dict(build_roberta().state_dict())
    other = build(dictionary=words(33))
    with pytest.raises(MemtxError, match=r"have another shape \(such as .*\).*dictionaries"):
        build().load_state_dict(other.state_dict())
