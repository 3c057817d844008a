"""Features by every public way that fairseq has to them: of tokens alone, and the right ones.

(Those of `rmt_lm` are in ``test_rmt_lm.py``.)
"""

from argparse import Namespace

import pytest
import torch
from conftest import VARIANTS, batch, build, toy_task
from fairseq.models.roberta.hub_interface import RobertaHubInterface
from test_gmat_roberta import COMPRESSED, tokens
from test_gmat_roberta import build as build_gmat

from fairseq_memtx import errors
from fairseq_memtx.models.mem_transformer import MemoryTransformerModel

PAD = 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_of_a_translation(variant):
    model, source, previous = build(variant), batch(7, 4), batch(5, 5, left=False)
    lengths = source.ne(PAD).sum(dim=1)
    logits, extra = model(source, lengths, previous)
    encoded = model.encoder(source, lengths, return_all_hiddens=True)
    for features, more in (
        model.extract_features(source, lengths, previous),
        model.decoder.extract_features(previous, encoder_out=encoded),
        model(source, lengths, previous, features_only=True, return_all_hiddens=True),
    ):
        torch.testing.assert_close(model.decoder.output_layer(features), logits)
        assert more["attn"][0].shape == extra["attn"][0].shape == (2, 5, 7)
        torch.testing.assert_close(more["inner_states"][-1].transpose(0, 1), features)
    assert len(encoded["encoder_states"]) == 3
    torch.testing.assert_close(encoded["encoder_states"][-1], encoded["encoder_out"][0])
    probs = model.get_normalized_probs((logits, extra), log_probs=False)
    torch.testing.assert_close(probs.sum(dim=-1), torch.ones(2, 5))
    assert model.max_positions() == (1024, 1024)


@pytest.mark.parametrize(
    "flags",
    [{}, {"segments": 3}, {"sparse_attention": "lsh"}, {"memory_tokens": 0}, COMPRESSED],
    ids=str,
)
def test_of_a_document(flags):
    """The hub interface of RoBERTa: features, hidden states, a head, a masked word."""
    model = build_gmat(**flags)
    model.register_classification_head("topic", num_classes=3)
    task = toy_task(model.encoder.dictionary)
    task.mask_idx = 5
    hub = RobertaHubInterface(Namespace(bpe=None), task, model.double()).eval()
    document = tokens(15)
    logits, _ = model(document)
    features = hub.extract_features(document[0])
    torch.testing.assert_close(model.encoder.lm_head(features), logits)
    hidden = hub.extract_features(document, return_all_hiddens=True)
    assert {states.shape for states in hidden} == {(1, 15, 16)}
    assert len(hidden) == 1 + len(model.encoder.sentence_encoder.layers)
    torch.testing.assert_close(hidden[-1], features)
    scores = model.classification_heads["topic"](features)
    torch.testing.assert_close(hub.predict("topic", document), scores.log_softmax(dim=-1))
    # The word that is likeliest at the mask's place, in a text of words.
    hub.bpe = Namespace(encode=lambda text: text.strip(), decode=lambda text: text)
    words = [task.source_dictionary[int(token)] for token in document[0, 1:-1]]
    words[4] = "<mask>"
    row = document.clone()
    row[0, 5] = task.source_dictionary.index("<mask>")
    task.mask_idx = task.source_dictionary.index("<mask>")
    expected = model(row)[0][0, 5].softmax(dim=-1).max()
    ((_, chance, _),) = hub.fill_mask(" ".join(words), topk=1)
    assert chance == pytest.approx(expected.item(), abs=1e-6)
    with pytest.raises(ValueError, match="tokens exceeds maximum length: 41 > 40"):
        hub.extract_features(tokens(41)[0])


@pytest.mark.training
def test_a_translation_model_has_no_score(trained, toy_data):
    """Fairseq's hub interface scores no translations; it says so in one line."""
    hub = MemoryTransformerModel.from_pretrained(
        str(trained), "checkpoint_last.pt", str(toy_data), source_lang="src", target_lang="tgt"
    )
    with pytest.raises(TypeError) as error:
        hub.score("one two")
    assert "fairseq-generate --score-reference" in errors.explain(error.value)
