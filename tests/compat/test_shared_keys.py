"""The beams of a sentence read one set of keys, and find what they would find with their own."""

import pytest
import torch
from conftest import VARIANTS, batch, build, words
from fairseq.models import FairseqIncrementalDecoder
from fairseq.search import DiverseBeamSearch
from fairseq.sequence_generator import SequenceGenerator, SequenceGeneratorWithAlignment

SOURCE = batch(11, 3, 2, 8, 20, 5)
SAMPLE = {
    "id": torch.arange(6),
    "net_input": {"src_tokens": SOURCE, "src_lengths": SOURCE.ne(1).sum(1)},
}
ALONE = "tokens, memory alone read"
SEARCHES = {
    "beams": {"beam_size": 3},
    "one beam": {"beam_size": 1},
    "as long as the source": {"beam_size": 4, "max_len_a": 1, "max_len_b": 0},
    "diverse": {"beam_size": 4, "search_strategy": DiverseBeamSearch(words(), 2, 0.5)},
}


def translators(*variants: str) -> list[torch.nn.Module]:
    """With random weights, large enough for sentences to end at different times."""
    models = []
    for seed, variant in enumerate(variants):
        torch.manual_seed(seed)
        alone = {"decoder_reads_memory_alone": variant == ALONE}
        models.append(build(variant.partition(",")[0], **alone))
        for parameter in models[-1].parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return models


def translate(models: list[torch.nn.Module], prefix: int = 0, **search) -> list[list[dict]]:
    """The beams of every sentence, ``prefix`` words being given."""
    generator = SequenceGenerator(models, words(), **{"max_len_b": 12, **search})
    given = SOURCE[:, -1 - prefix : -1] if prefix else None
    return generator.generate(models, SAMPLE, prefix_tokens=given)


@pytest.mark.parametrize("prefix", [0, 2])
@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize(
    "variants", [*[[v] for v in (*VARIANTS, ALONE)], ["tokens", "tokens"]], ids=str
)
def test_what_is_found_stays_the_same(variants, search, prefix, monkeypatch):
    models = translators(*variants)
    shared = translate(models, prefix, **search)
    monkeypatch.setattr(FairseqIncrementalDecoder, "set_beam_size", lambda *_: None)
    for beams, expected in zip(shared, translate(models, prefix, **search), strict=True):
        assert [b["tokens"].tolist() for b in beams] == [b["tokens"].tolist() for b in expected]
        for name in ("positional_scores", "attention"):
            for beam, other in zip(beams, expected):
                torch.testing.assert_close(beam[name], other[name], rtol=0, atol=1e-5)


def test_keys_are_made_once_for_a_sentence():
    (model,) = translators("tokens")
    read = []
    for layer in model.decoder.layers:
        layer.encoder_attn.k_proj.register_forward_hook(lambda *seen: read.append(seen[1][0].shape))
    translate([model], beam_size=3)
    assert [shape[1] for shape in read] == [len(SOURCE)] * len(model.decoder.layers)


@pytest.mark.parametrize("kind", [SequenceGenerator, SequenceGeneratorWithAlignment])
def test_training_goes_on_as_before(kind):
    """As many sentences as there were beams: shared keys would be every third of theirs."""
    (model,) = translators("tokens")
    before = model.decoder.layers[0].encoder_attn.beam_size
    generator = kind([model], words(), beam_size=3, max_len_b=12)
    assert model.decoder.layers[0].encoder_attn.beam_size == before == 1
    target = torch.cat([SAMPLE["net_input"]["src_tokens"][:, -4:]])

    def forward() -> torch.Tensor:
        return model(**SAMPLE["net_input"], prev_output_tokens=target)[0]

    expected = forward()
    sample = {**SAMPLE, "target": target, "net_input": {**SAMPLE["net_input"]}}
    sample["net_input"]["prev_output_tokens"] = target
    generator.generate([model], sample)
    torch.testing.assert_close(forward(), expected, rtol=0, atol=0)


def test_training_goes_on_after_a_translation_that_failed():
    (model,) = translators("tokens")
    generator = SequenceGenerator([model], words(), beam_size=3, max_len_b=12)
    model.decoder.output_layer = lambda features: features[0]
    with pytest.raises(IndexError):
        generator.generate([model], SAMPLE)
    assert {layer.encoder_attn.beam_size for layer in model.decoder.layers} == {1}
