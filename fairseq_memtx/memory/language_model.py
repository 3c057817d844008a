"""A language model that reads its text segment by segment: `rmt_lm` in plain PyTorch.

It gives the logits of fairseq's model of the same weights. Nothing is dropped in it.

Shapes: ``B`` streams, ``T`` tokens of a segment, ``C`` channels, ``V`` words.
"""

from typing import cast

import torch
from torch import Tensor, nn

from .activations import ACTIVATIONS
from .associative_memory import AssociativeMemory
from .language_model_settings import LanguageModelSettings
from .segment import Segment
from .segment_loop import SegmentLoop
from .segment_positions import SegmentPositions
from .state import State
from .tokens import MemoryTokens
from .transformer import TransformerLayer, run_transformer
from .transformer_xl import TransformerXLLayer, run_transformer_xl
from .word_bands import BandedEmbedding, BandedOutput
from .word_positions import LearnedPositions, SinusoidalPositions


class SegmentLanguageModel(nn.Module):
    """Reads a text of any length, window after window.

    Example::

        state = None
        for window in tokens.split(8 * model.settings.segment_length, dim=1):
            logits, state = model(window, state)

    A text that grows token after token is read by a `ContinuedText`::

        text = ContinuedText(model.loop, state)
        logits = model.output(text.read(tokens))  # those of the tokens that were not read yet

    Args:
        settings: what it is.
        symbols: of the dictionary, in order: a token is a place among them.
    """

    def __init__(self, settings: LanguageModelSettings, symbols: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.settings, self.symbols = settings, symbols
        channels, output, heads = settings.channels, settings.output_channels, settings.heads
        self.embedding = BandedEmbedding(settings.input_bands, channels)
        self.embed_positions: nn.Module | None = None
        if settings.positions == "learned":
            rows = settings.position_rows
            self.embed_positions = LearnedPositions(rows, channels, settings.padding)
        elif settings.positions == "sinusoidal":
            self.embed_positions = SinusoidalPositions(channels, settings.padding)
        self.layernorm_embedding = nn.LayerNorm(channels) if settings.embed_norm else nn.Identity()
        self.layers = nn.ModuleList(_layer(settings) for _ in range(settings.layers))
        if settings.backbone == "transformer-xl":
            self.attention_biases = nn.Parameter(torch.zeros(2, heads, channels // heads))
        self.layer_norm = nn.LayerNorm(channels) if settings.final_norm else nn.Identity()
        self.project_out_dim = (
            nn.Linear(channels, output, bias=False) if output != channels else nn.Identity()
        )
        self.output = BandedOutput(settings.output_bands, output, settings.output_bias)
        count = settings.memory_tokens
        self.memory = MemoryTokens(count, channels, scale=1.0) if count else None

    @property
    def loop(self) -> SegmentLoop:
        """The loop over segments, around these layers."""
        settings = self.settings
        return SegmentLoop(
            self._run_layers,
            settings.segment_length,
            self.memory,
            self._embed,
            self.project_out_dim,
            settings.padding,
            reads=settings.reads,
            writes=settings.writes,
            recurrent=settings.recurrent,
            memory_positions=self._places_of_memory,
            causal=settings.causal,
            memory_reads_cache=settings.memory_reads_cache,
        )

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Predict every next token of a window.

        Args:
            tokens: ``B x window``, padded on the right. One that others follow has whole segments.
            state: what the window before it left; a new text without it.

        Returns:
            Logits, ``B x window x V``; logarithms of probabilities, where the output is adaptive.
            And the state with which the next window begins.
        """
        reading = self.loop.read(tokens, state)
        return self.output(reading.features), reading.state

    def _embed(self, tokens: Tensor, begin: int) -> Tensor:
        """Rows of the tokens of a segment from ``begin`` on."""
        rows: Tensor = self.settings.embed_scale * self.embedding(tokens[:, begin:])
        if self.embed_positions is not None:
            rows = rows + self._places().tokens(tokens, begin).to(rows)
        return cast(Tensor, self.layernorm_embedding(rows))

    def _places_of_memory(self, tokens: Tensor, writes: bool) -> Tensor:
        return self._places().memory(tokens, writes)

    def _places(self) -> SegmentPositions:
        of, embed = self.settings, cast(nn.Module, self.embed_positions)
        ahead = of.memory_tokens if of.reads else 0
        return SegmentPositions(embed, of.memory_positions, of.memory_tokens, ahead, of.padding)

    def _run_layers(self, rows: Tensor, state: State, segment: Segment) -> tuple[Tensor, State]:
        layers = dict(self.layers.named_children())
        if self.settings.backbone == "transformer":
            rows, state = run_transformer(layers, rows, state, segment)
        else:
            biases, distances = self.attention_biases, nn.Identity()
            relative = cast(dict[str, TransformerXLLayer], layers)
            rows, state = run_transformer_xl(relative, rows, state, segment, biases, distances)
        return self.layer_norm(rows), state


def _layer(of: LanguageModelSettings) -> nn.Module:
    keys, activation = of.associative_channels, ACTIVATIONS[of.activation]
    memory = AssociativeMemory(of.channels, keys, of.associative_correction) if keys else None
    sizes = of.channels, of.ffn_channels, of.heads
    if of.backbone == "transformer":
        return TransformerLayer(*sizes, activation, of.norm_first, memory)
    cache = of.cache_length
    return TransformerXLLayer(
        *sizes, activation=activation, cache_length=cache, layer_memory=memory
    )
