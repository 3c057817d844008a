"""A decoder that reads its text segment by segment and hands memory on.

Data flow: the text is cut into segments of ``T`` tokens. Each becomes rows ``[read memory; tokens;
write memory]``, which go through all layers at once under `segment_mask`. The tokens' rows are the
features; the write block's are the memory of the next segment. Nothing is kept on the module: the
state comes in and goes out as an argument, and while text is generated it lies in fairseq's
``incremental_state``, where beam search reorders it.

Shapes: ``B`` streams, ``T`` tokens of a segment, ``M`` memory tokens, ``N`` rows, ``S`` cached
rows, ``L`` layers, ``C`` channels.
"""

from __future__ import annotations

from typing import Any

import torch
from fairseq.models.transformer import TransformerDecoder
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..errors import MemtxError
from ..memory import (
    ContinuedText,
    MemoryTokens,
    RecurrentState,
    StateHolder,
    StatesOfModels,
    segment_mask,
)
from .segment_loss import segment_loss

_CONTINUED_TEXT = "continued_text"  # under this name it lies in fairseq's incremental_state


class RecurrentMemoryDecoder(TransformerDecoder):
    """fairseq's decoder layers with a recurrent memory, RMT's "no changes to the Transformer".

    Args:
        cfg: the configuration of `rmt_lm`.
        dictionary: of the text.
        embed_tokens: embedding of the text.
    """

    def __init__(self, cfg, dictionary, embed_tokens) -> None:
        super().__init__(cfg, dictionary, embed_tokens, no_encoder_attn=True)
        self.segment_length = cfg.tokens_per_sample
        self.memory_tokens = cfg.memory_tokens
        self.writes = not cfg.memory_at_start_only
        self.recurrent = cfg.memory_recurrence == "segment"
        self.memory_reads_cache = cfg.memory_reads_cache
        self.cache_length = cfg.cache_length
        self.checkpoint_segments = cfg.checkpoint_segments
        # Memory of another segment is an output of the decoder, whose channels have unit scale.
        self.memory = (
            MemoryTokens(cfg.memory_tokens, self.embed_dim, 1.0) if cfg.memory_tokens else None
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
        **more: Any,
    ) -> tuple[Tensor, dict[str, Any]]:
        """Predict every next token.

        Args:
            prev_output_tokens: ``B x text``, padded on the right.
            encoder_out: there for fairseq's signature.
            incremental_state: fairseq's store while text is generated.
            features_only: return features in place of logits.
            arguments: of `extract_features`, after these three.
            target: the next tokens, ``B x text``; return their loss in place of logits.
            more: of `extract_features`.

        Returns:
            ``B x text x V`` without the text of the warm-up, and a dictionary that fairseq's
            criterions look for attention in.
        """
        x, extra = self.extract_features(
            prev_output_tokens, encoder_out, incremental_state, *arguments, **more
        )
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
        """Features of a text, with the memory that goes through it.

        Args:
            prev_output_tokens: ``B x text``, padded on the right.
            encoder_out: there for fairseq's signature, as all that follows but `holder` and on.
            incremental_state: fairseq's store while text is generated.
            full_context_alignment: refused: a row of a segment sees its past.
            alignment_layer: not used: there is no source to be aligned with.
            alignment_heads: not used.
            src_lengths: not used.
            return_all_hiddens: not used, as in fairseq's decoder.
            holder: the state of the streams, read here and written; a new text without it.
            resets: ``B x segments``, True where a stream begins anew with this segment.
            warm_up: the first segments that are read without being predicted.

        Returns:
            ``B x text x C`` without the text of the warm-up, and a dictionary without attention.

        Raises:
            MemtxError: if tokens are to see what comes after them.
        """
        if full_context_alignment:
            raise MemtxError(
                "full_context_alignment is for translations: a language model sees the past alone"
            )
        if incremental_state is not None:
            x = self._continue(prev_output_tokens, incremental_state)
        else:
            holder = StateHolder() if holder is None else holder.of(self)
            x = self._read(prev_output_tokens, holder, resets, warm_up)
        return x, {"attn": [None]}

    extract_features_scriptable = extract_features

    def _read(
        self, tokens: Tensor, holder: StateHolder, resets: Tensor | None, warm_up: int
    ) -> Tensor:
        """Features of a text, segment by segment."""
        features = []
        state = self._begin(holder.state.to(tokens.device), len(tokens), None)
        holder.memories = []
        holder.note(state.memory)
        for index, segment in enumerate(tokens.split(self.segment_length, dim=1)):
            if index == holder.advance:
                holder.state = state.detached()
            reset = None if resets is None else resets[:, index]
            arguments = (segment, state, reset)
            if self.checkpoint_segments and self.training:
                x, state = checkpoint(self.read_segment, *arguments, use_reentrant=False)
            else:
                x, state = self.read_segment(*arguments)
            holder.note(state.memory)
            if index >= warm_up:
                features.append(x)
        if holder.advance is None or holder.advance > index:
            holder.state = state.detached()
        return torch.cat(features, dim=1)

    def _continue(self, tokens: Tensor, incremental_state: dict) -> Tensor:
        """Features of the tokens that were not read yet; the others are remembered."""
        text = incremental_state.setdefault(_CONTINUED_TEXT, ContinuedText())
        features = []
        unread = tokens[:, text.length :]
        while unread.size(1):
            if text.tokens is not None and text.tokens.size(1) == self.segment_length:
                self._end_segment(text)
            room = self.segment_length - (0 if text.tokens is None else text.tokens.size(1))
            features.append(self._continue_segment(unread[:, :room], text))
            unread = unread[:, room:]
        return torch.cat(features, dim=1)

    def _continue_segment(self, tokens: Tensor, text: ContinuedText) -> Tensor:
        """Read tokens that still fit into the segment; the first bring the read block along."""
        x = self._embed(tokens, text.tokens)
        if text.tokens is None:
            text.state = self._begin(text.state, len(tokens), None)
            x = torch.cat(
                self._blocks(text.state.memory, x)[: 2 if self.memory_tokens else 1], dim=1
            )
            text.tokens = tokens
        else:
            text.tokens = torch.cat([text.tokens, tokens], dim=1)
        x = self._add_rows(x, text)
        text.length += tokens.size(1)
        return self._project_out(x[:, -tokens.size(1) :])

    def _add_rows(self, x: Tensor, text: ContinuedText) -> Tensor:
        """Run the next rows of a segment over keys and values of the rows before them."""
        cache = text.state.cache
        cached = 0 if cache is None else cache.size(2)
        mask = self._mask(text.tokens.size(1), cached, x.device)
        end = text.rows + x.size(1)
        mask = mask[text.rows : end, : cached + end]
        x, inputs = self._layers(x, mask, None, None if text.rows else cache, text.keys)
        if not text.rows:
            text.read_output = x[:, : self.memory_tokens]
        if self.cache_length:
            text.inputs.append(inputs)
        text.rows = end
        return x

    def _end_segment(self, text: ContinuedText) -> None:
        """Run the write block, once, and let the next segment begin with what it gives."""
        memory = text.read_output
        if self.memory_tokens and self.writes:
            memory = self._add_rows(text.state.memory.to(memory), text)
        inputs = [torch.cat(parts, dim=1) for parts in zip(*text.inputs)]
        padding = memory.new_zeros(len(memory), text.rows, dtype=torch.bool)
        state = self._hand_on(memory, inputs, padding, text.state)
        text.begin_segment(state)

    def reorder_incremental_state(self, incremental_state: dict, new_order: Tensor) -> None:
        """Follow the beams: memory, cache, and what was read of the segment."""
        text = incremental_state.get(_CONTINUED_TEXT)
        if text is not None:
            text.reorder(new_order)
            self._reorder_keys(text.keys, new_order)

    def _reorder_keys(self, keys: dict, order: Tensor) -> None:
        for layer in self.layers.children():
            layer.self_attn.reorder_incremental_state(keys, order)

    def read_segment(
        self, tokens: Tensor, state: RecurrentState, reset: Tensor | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """One segment: features ``B x T x C`` and the state after it.

        Args:
            tokens: ``B x T``, the last segment of a text may be shorter.
            state: what the segment before it handed on.
            reset: ``B``, True for a stream that begins anew.
        """
        state = self._begin(state, len(tokens), reset)
        cached = 0 if state.cache is None else state.cache.size(2)
        mask = self._mask(tokens.size(1), cached, tokens.device)
        x = torch.cat(self._blocks(state.memory, self._embed(tokens)), dim=1)
        padding = self._padding(tokens, state)
        x, inputs = self._layers(self.dropout_module(x), mask, padding, state.cache, None)
        last = self.memory_tokens + tokens.size(1)
        memory = x[:, last:] if self.writes else x[:, : self.memory_tokens]
        new_padding = tokens.new_zeros(x.shape[:2], dtype=torch.bool)
        new_padding[:, self.memory_tokens : last] = tokens.eq(self.padding_idx)
        state = self._hand_on(memory, inputs, new_padding, state)
        return self._project_out(x[:, self.memory_tokens : last]), state

    def _begin(self, state: RecurrentState, streams: int, reset: Tensor | None) -> RecurrentState:
        """The state with which a segment begins; learned memory where none was handed on."""
        memory, cache, cache_padding = state
        if self.memory is not None:
            initial = self.memory(streams)
            if memory is None or not self.recurrent:
                memory = initial
            elif memory.shape != initial.shape:
                raise MemtxError(
                    f"the saved memory has the shape {tuple(memory.shape)} and the model needs "
                    f"{tuple(initial.shape)}: begin the text anew with --reset-dataloader"
                )
            else:
                # Also where no stream begins anew: data parallelism waits for the learned memory's
                # gradient, of zero then, in every step.
                anew = memory.new_zeros(streams, dtype=torch.bool) if reset is None else reset
                memory = torch.where(anew[:, None, None], initial.to(memory), memory)
        if reset is not None and cache_padding is not None:
            cache_padding = cache_padding | reset.unsqueeze(1)
        return RecurrentState(memory, cache, cache_padding)

    def _hand_on(
        self, memory: Tensor, inputs: list[Tensor], padding: Tensor, before: RecurrentState
    ) -> RecurrentState:
        """The state after a segment whose rows entered the layers as ``inputs``."""
        cache, cache_padding = None, None
        if self.cache_length:
            # Transformer-XL, section 3.2: no gradient goes through the cache, even in a window.
            cache = torch.stack(inputs, dim=1).detach()
            cache_padding = padding
            if before.cache is not None:
                # A checkpoint keeps half precision as float32.
                cache = torch.cat([before.cache.to(cache), cache], dim=2)
                cache_padding = torch.cat([before.cache_padding, padding], dim=1)
            cache = cache[:, :, -self.cache_length :].clone()
            cache_padding = cache_padding[:, -self.cache_length :]
        # Copies, since a view keeps all rows of its segment in store.
        return RecurrentState(memory.clone() if self.memory_tokens else None, cache, cache_padding)

    def _blocks(self, memory: Tensor | None, x: Tensor) -> list[Tensor]:
        """``[read memory; tokens; write memory]``."""
        if memory is None:
            return [x]
        return [memory.to(x), x, memory.to(x)] if self.writes else [memory.to(x), x]

    def _mask(self, tokens: int, cached: int, device: torch.device) -> Tensor:
        return segment_mask(
            self.memory_tokens, tokens, cached, self.writes, self.memory_reads_cache, device
        )

    def _padding(self, tokens: Tensor, state: RecurrentState) -> Tensor | None:
        """Which rows of cache and segment are padding, ``B x (S + N)``, or None where none is.

        Tokens never see padding, which comes after them; the write block would. Without memory
        nobody would, and a row of padding that may not even see itself would come out as NaN.
        """
        rows = []
        if state.cache_padding is not None:
            rows.append(state.cache_padding)
        padding = tokens.eq(self.padding_idx)
        if not self.memory_tokens:
            padding = torch.zeros_like(padding)
        block = padding.new_zeros(len(tokens), self.memory_tokens)
        rows += [block, padding, block] if self.writes else [block, padding]
        rows = torch.cat(rows, dim=1)
        return rows if rows.any() else None

    def _embed(self, tokens: Tensor, before: Tensor | None = None) -> Tensor:
        """``B x T x C``; ``before`` are the segment's earlier tokens, which only count places."""
        x = self.embed_scale * self.embed_tokens(tokens)
        if self.project_in_dim is not None:
            x = self.project_in_dim(x)
        if self.embed_positions is not None:
            places = tokens if before is None else torch.cat([before, tokens], dim=1)
            x = x + self.embed_positions(places)[:, -tokens.size(1) :]
        return x if self.layernorm_embedding is None else self.layernorm_embedding(x)

    def _layers(
        self,
        x: Tensor,
        mask: Tensor,
        padding: Tensor | None,
        cache: Tensor | None,
        keys: dict | None,
    ) -> tuple[Tensor, list[Tensor]]:
        """All layers over rows ``B x N x C``.

        Args:
            x: the rows.
            mask: what they may not see of cache, earlier rows and themselves.
            padding: what nobody may see, ``B x K``.
            cache: layer inputs of earlier segments, given with a segment's first rows.
            keys: store of keys and values of the segment's earlier rows, while text is generated.

        Returns:
            The last layer's output, normalised, and each layer's input.
        """
        x = x.transpose(0, 1)
        forbidden = x.new_zeros(mask.shape).masked_fill(mask, float("-inf"))
        inputs = []
        for layer, dropped in self._each_layer():
            inputs.append(x.transpose(0, 1))
            if dropped:
                continue
            x, _, _ = layer(
                x,
                incremental_state=keys,
                self_attn_mask=forbidden,
                self_attn_padding_mask=padding,
            )
        x = x.transpose(0, 1)
        return (x if self.layer_norm is None else self.layer_norm(x)), inputs

    def _each_layer(self) -> list[tuple[nn.Module, bool]]:
        """All layers in order, and whether LayerDrop (arXiv:1909.11556) leaves one out this time.

        fairseq's list of layers draws whenever it is iterated over, and gives those that stay. The
        cache has a place for every layer, so a dropped one has to be known too: what would have
        entered it goes on to the next.
        """
        staying = set(self.layers)
        return [(layer, layer not in staying) for layer in self.layers.children()]

    def _project_out(self, x: Tensor) -> Tensor:
        return x if self.project_out_dim is None else self.project_out_dim(x)
