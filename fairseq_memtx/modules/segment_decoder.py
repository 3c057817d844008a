"""What fairseq asks of a decoder, for decoders that read their text segment by segment.

The loop over segments is `memory.segment_loop`; here are fairseq's names for it. Nothing is kept on
the module: the state of a text comes in and goes out in a `StateHolder`, and while text is written
it lies in fairseq's ``incremental_state``, where beam search reorders it.

Shapes: ``B`` streams, ``M`` memory tokens, ``N`` rows, ``C`` channels, ``V`` symbols.
"""

from typing import Any

from fairseq.models import FairseqIncrementalDecoder
from torch import Tensor

from ..errors import MemtxError
from ..memory import (
    AssociativeMemory,
    ContinuedText,
    MemoryTokens,
    Segment,
    SegmentLoop,
    State,
    moved,
    nowhere,
)
from .quicken import quicken
from .segment_loss import segment_loss
from .state_holder import StateHolder, StatesOfModels

NEVER = -1e4  # the logit of what is never predicted; float16 can hold it, its exponential is 0
_CONTINUED_TEXT = "continued_text"  # under this name it lies in fairseq's incremental_state


class SegmentDecoder(FairseqIncrementalDecoder):
    """A decoder whose layers read segments; what the layers are is told by subclasses."""

    def settle_segments(self, cfg: Any) -> None:
        """Take over the flags of `rmt_lm` about segments, and make the memories."""
        self.segment_length = cfg.tokens_per_sample
        recurrent, in_layers = cfg.memory_recurrence == "segment", cfg.layer_memory != "none"
        self.memory_settings = {
            "reads": recurrent or not in_layers,
            "writes": not cfg.memory_at_start_only,
            "recurrent": recurrent,
            "causal": cfg.causal_memory,
            "memory_reads_cache": cfg.memory_reads_cache,
            "recompute": cfg.checkpoint_segments,
        }
        self.own_positions = cfg.memory_tokens if cfg.memory_positions == "own" else 0
        # Memory of another segment is an output of the decoder, whose channels have unit scale.
        self.memory = (
            MemoryTokens(cfg.memory_tokens, self.embed_dim, 1.0) if cfg.memory_tokens else None
        )
        # A part of the layer, by whose number it is found where fairseq leaves layers out.
        for layer in self.layers.children():
            layer.layer_memory = (
                AssociativeMemory(
                    self.embed_dim, cfg.associative_channels, cfg.associative_correction
                )
                if in_layers
                else None
            )
        quicken(self)

    def embed(self, tokens: Tensor, begin: int = 0) -> Tensor:
        """Rows of the tokens of a segment from ``begin`` on."""
        raise NotImplementedError

    def place_memory(self, tokens: Tensor, writes: bool) -> Tensor:
        """What is added to the rows of a block of memory; see `SegmentLoop`."""
        return nowhere(tokens, writes)

    def run_layers(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        """All layers, as the loop over segments asks for."""
        raise NotImplementedError

    def leave(self, rows: Tensor) -> Tensor:
        """Features of rows."""
        raise NotImplementedError

    @property
    def loop(self) -> SegmentLoop:
        """The loop over segments, around these layers."""
        return SegmentLoop(
            self.run_layers,
            self.segment_length,
            self.memory,
            self.embed,
            self.leave,
            self.padding_idx,
            memory_positions=self.place_memory,
            **self.memory_settings,
        )

    def max_positions(self) -> int:
        """Text of any length: only a segment has positions."""
        return 10**9

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: None = None,
        incremental_state: dict | None = None,
        features_only: bool = False,
        *arguments: Any,
        target: Tensor | None = None,
        predicted: Tensor | None = None,
        **more: Any,
    ) -> tuple[Tensor, dict[str, Any]]:
        """Predict every next token, or some.

        Args:
            prev_output_tokens: ``B x text``, padded on the right.
            encoder_out: there for fairseq's signature.
            incremental_state: fairseq's store while text is generated.
            features_only: return features in place of logits.
            arguments: of `extract_features`, after these three.
            target: the next tokens, ``B x text``; return their loss in place of logits.
            predicted: places in the text, ``B x P``, for logits ``B x P x V`` of these alone.
            more: of `extract_features`.

        Returns:
            ``B x text x V`` without the text of the warm-up, and a dictionary that fairseq's
            criterions look for attention in.
        """
        x, extra = self.extract_features(
            prev_output_tokens, encoder_out, incremental_state, *arguments, **more
        )
        if predicted is not None:
            x = x.gather(1, predicted[..., None].expand(-1, -1, x.size(2)))
        if target is not None:
            # In here, since data parallelism knows of no weights that are used outside.
            return segment_loss(self, x, target), extra
        return (x if features_only else self.output_layer(x)), extra

    def extract_features(
        self,
        prev_output_tokens: Tensor,
        encoder_out: None = None,
        incremental_state: dict | None = None,
        full_context_alignment: bool = False,
        alignment_layer: int | None = None,
        alignment_heads: int | None = None,
        src_lengths: Tensor | None = None,
        return_all_hiddens: bool = False,
        holder: StateHolder | StatesOfModels | None = None,
        resets: Tensor | None = None,
        warm_up: int = 0,
    ) -> tuple[Tensor, dict[str, Any]]:
        """Features of a text ``B x text``, padded on the right, through which memory goes.

        The ``holder`` has the state of the streams, read here and written; a new text has none.
        ``resets``, ``B x segments``, is True where a stream begins anew with this segment, and
        ``warm_up`` counts the first segments, which are read without being predicted. All between
        ``incremental_state`` and these is there for fairseq's signature.

        Returns:
            ``B x text x C`` without the text of the warm-up, and a dictionary without attention.
        """
        if full_context_alignment:
            raise MemtxError(
                "full_context_alignment is for translations: a language model sees the past alone"
            )
        if incremental_state is not None:
            if _CONTINUED_TEXT not in incremental_state:
                incremental_state[_CONTINUED_TEXT] = ContinuedText(self.loop)
            x = incremental_state[_CONTINUED_TEXT].read(prev_output_tokens)
        else:
            holder = StateHolder() if holder is None else holder.of(self)
            state = moved(holder.state, prev_output_tokens.device)
            self._check(state, len(prev_output_tokens))
            reading = self.loop.read(prev_output_tokens, state, resets, warm_up, holder.advance)
            holder.take(reading)
            x = reading.features
        return x, {"attn": [None]}

    extract_features_scriptable = extract_features

    def _check(self, state: State, streams: int) -> None:
        """Refuse what another model left in a checkpoint."""
        ends: dict[str, tuple[int, ...]] = {"rows": (self.embed_dim,)}
        if self.memory is not None:
            ends["memory"] = tuple(self.memory.weight.shape)
        layer: Any = next(self.layers.children())
        if layer.layer_memory is not None:
            features = layer.layer_memory.features
            ends |= {"A": (features, self.embed_dim), "z": (features,)}
        for name, saved in state.items():
            end = ends.get(name.rpartition(".")[2], ())
            if len(saved) != streams or tuple(saved.shape[saved.dim() - len(end) :]) != end:
                raise MemtxError(
                    f"the saved {name} has the shape {tuple(saved.shape)} and the model needs "
                    f"{(streams, '...', *end)}: use the model that the checkpoint was written by, "
                    "or begin the text anew with --reset-dataloader"
                )

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Follow the beams: memory, cache, and what was read of the segment."""
        text = incremental_state.get(_CONTINUED_TEXT)
        if text is not None:
            text.reorder(new_order)

    def dropped_layers(self) -> list[str]:
        """Names of the layers that LayerDrop (arXiv:1909.11556) leaves out this time.

        fairseq's list of layers draws whenever it is iterated over, and gives those that stay. The
        cache has a place for every layer, so a dropped one has to be known too.
        """
        staying = list(self.layers)
        return [
            name
            for name, layer in self.layers.named_children()
            if all(layer is not other for other in staying)
        ]
