"""Beam search makes the keys of a source for every beam anew, though the beams share them.

fairseq's attention can share them, and its generator asks for it, but asks the model, which does
not know the question: its decoder does. Here the decoder is asked for as long as a text is
generated. It is not to share keys after that: it attends by the same function in training, and
would take sentences for beams.
"""

from typing import Any

from . import around

UPSTREAM = "no thread found: EnsembleModel.set_decoder_beam_size in fairseq/sequence_generator.py"


@around("fairseq.sequence_generator:EnsembleModel.set_decoder_beam_size", told_by="models hasattr")
def mend(asks_the_models: Any, ensemble: Any, beam_size: int) -> None:
    """Ask nobody when a generator is made, which is before training where BLEU is watched."""


@mend.also("fairseq.sequence_generator:SequenceGenerator._generate")
def _share(as_for_every_beam: Any, generator: Any, *arguments: Any, **more: Any) -> Any:
    decoders: list[Any] = [getattr(model, "decoder", None) for model in generator.model.models]
    sharing = [decoder for decoder in decoders if hasattr(decoder, "set_beam_size")]
    try:
        for decoder in sharing:
            decoder.set_beam_size(generator.beam_size)
        return as_for_every_beam(generator, *arguments, **more)
    finally:
        for decoder in sharing:
            decoder.set_beam_size(1)
