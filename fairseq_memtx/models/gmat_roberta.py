"""GMAT: a RoBERTa that reads long documents through a global memory, arXiv:2006.03274.

The paper's authors published no code, and of the paper we know the abstract and what others wrote:
this is an independent implementation.

Data flow: `GlobalMemoryEncoder` puts ``M`` learned vectors in front of the tokens. In its layers
memory attends to everything, and a token to memory and its neighbours (`memory.neighbourhoods`).
Heads get the tokens alone, so that all of fairseq's tasks for RoBERTa work on.

Shapes: ``B`` batch, ``L`` tokens, ``M`` memory tokens, ``C`` channels.
"""

from __future__ import annotations

import logging
from typing import Any

from fairseq.models import register_model
from fairseq.models.roberta import RobertaEncoder, RobertaModel
from fairseq.models.roberta.model import base_architecture as roberta_architecture
from fairseq.models.transformer import TransformerEncoder
from fairseq.modules.transformer_sentence_encoder import init_bert_params
from torch import Tensor, nn

from ..checkpoints import surgery
from ..data import data_folder
from ..errors import MemtxError
from ..flags import presets, sizes
from ..flags.ignored_flags import NEVER, Ignored
from ..modules.gmat_attention import SCHEMES
from ..modules.gmat_encoder import GlobalMemoryEncoder, segment_length
from ..modules.token_head import TokenHead

logger = logging.getLogger(__name__)

STACK = ("compress_layers", "memory_layers", "decompress_layers")
WHOLE_NUMBERS = {
    "memory_tokens": "memory tokens M that see the whole document (default: 64)",
    "chunk_size": "tokens of a chunk, for chunked and lsh (default: 512)",
    "window_size": "tokens that a token sees, half on either side, for window (default: 512)",
    "lsh_buckets": "hashes of a key, an even number, for lsh (default: 64)",
    "lsh_rounds": "rounds of hashing, for lsh (default: 2)",
    "compress_layers": "layers of memory and tokens, with compression (default: 0, no compression)",
    "memory_layers": "then so many layers of memory alone (default: 0)",
    "decompress_layers": "then so many in which tokens read memory (default: 0)",
    "segments": "read a document in N segments, memory going from one to the next (default: 1)",
}

CRITERIONS_OF_TASK = {
    "masked_lm": ("masked_lm",),
    "sentence_prediction": ("sentence_prediction",),
    "sequence_tagging": ("sequence_tagging",),
    "extractive_qa": ("extractive_qa",),
    "majority-tagging": ("sequence_tagging",),
    "signed-sum": ("sequence_tagging",),
    "multilingual_masked_lm": ("masked_lm",),
    "sentence_ranking": ("sentence_ranking",),
}


@register_model("gmat_roberta")
class GmatRobertaModel(RobertaModel):
    """fairseq's RoBERTa with a global memory and sparse attention.

    With ``--memory-tokens 0 --sparse-attention none`` this is fairseq's RoBERTa itself.
    """

    fits = CRITERIONS_OF_TASK
    fits_because = "since it reads a text and writes none"
    ignored_flags = (
        *NEVER,
        Ignored(
            "quant_noise_pq_block_size",
            "it belongs to --quant-noise-pq, which is not given",
            when=lambda args: not args.quant_noise_pq,
        ),
        Ignored(
            "mha_reg_scale_factor ffn_reg_scale_factor mha_heads_to_keep ffn_blocks_to_remove",
            "adaptive pruning is not supported here",
        ),
        Ignored(
            "chunk_size",
            "--sparse-attention chunked and lsh alone have chunks",
            when=lambda args: args.sparse_attention not in ("chunked", "lsh"),
        ),
        Ignored(
            "window_size",
            "--sparse-attention window alone has one",
            when=lambda args: args.sparse_attention != "window",
        ),
        Ignored(
            "lsh_buckets lsh_rounds",
            "--sparse-attention lsh alone has them",
            when=lambda args: args.sparse_attention != "lsh",
        ),
    )

    def __init__(self, args, encoder) -> None:
        super().__init__(args, encoder)
        self.token_heads = nn.ModuleDict()

    @classmethod
    def hub_models(cls) -> dict[str, str]:
        """None are published."""
        return {}

    @property
    def weights_may_rest(self) -> bool:
        """Whether a step leaves weights out, which `compat.data_parallel` has to know.

        Where there is another head, that for words rests.
        """
        return bool(self.classification_heads or self.token_heads)

    @staticmethod
    def add_args(parser) -> None:
        """Add RoBERTa's flags and GMAT's."""
        RobertaModel.add_args(parser)
        for name, text in WHOLE_NUMBERS.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=text)
        parser.add_argument(
            "--sparse-attention",
            metavar="SCHEME",
            help=f"which tokens a token sees: one of {', '.join(SCHEMES)} (default: chunked)",
        )
        parser.add_argument(
            "--separate-memory-projections",
            action="store_true",
            help="give memory query, key, value and output projections of its own",
        )
        # fairseq's RoBERTa has no flags for these two, though its layers can do it.
        parser.add_argument(
            "--checkpoint-activations",
            action="store_true",
            help="recompute activations in the backward pass, to save memory",
        )
        parser.add_argument(
            "--offload-activations",
            action="store_true",
            help="keep checkpointed activations in the memory of the CPU",
        )

    @classmethod
    def build_model(cls, args, task) -> GmatRobertaModel:
        """Build the model of a command line or of a hydra configuration.

        Raises:
            MemtxError: if the flags make no sense together, or the data folder is half-written.
        """
        args = presets.as_namespace(args, cls)
        complete(args)
        if getattr(args, "max_positions", None) is None:
            args.max_positions = getattr(args, "tokens_per_sample", None) or task.max_positions()
        check(args)
        data_folder.check(task)
        return cls(args, GmatRobertaEncoder(args, task.source_dictionary))

    def forward(
        self,
        src_tokens: Tensor,
        features_only: bool = False,
        return_all_hiddens: bool = False,
        classification_head_name: str | None = None,
        token_head_name: str | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, dict[str, Any]]:
        """As RoBERTa's; besides, ``token_head_name``: give every token the scores of this head."""
        x, extra = super().forward(
            src_tokens,
            features_only or token_head_name is not None,
            return_all_hiddens,
            classification_head_name,
            **kwargs,
        )
        return x if token_head_name is None else self.token_heads[token_head_name](x), extra

    def register_token_head(self, name: str, labels: int) -> None:
        """Add a head with ``labels`` scores for every token."""
        self.token_heads[name] = TokenHead(
            self.args.encoder_embed_dim, labels, self.args.pooler_dropout
        )

    def extract_memory(self, src_tokens: Tensor) -> Tensor:
        """The document in ``M`` vectors: memory as the last layer leaves it.

        Args:
            src_tokens: ``B x L``.

        Returns:
            ``B x M x C``. With compression this is all that the decompressing layers read.

        Raises:
            MemtxError: if the model has no memory.
        """
        if not self.args.memory_tokens:
            raise MemtxError("extract_memory needs memory, and --memory-tokens is 0")
        return self.encoder.sentence_encoder(src_tokens)["memory"][0].transpose(0, 1)

    def upgrade_state_dict_named(self, state_dict: dict[str, Any], name: str) -> None:
        """Fit a checkpoint of this model or of RoBERTa, with other positions or memory, to it.

        Raises:
            MemtxError: if its position table is longer than the model's.
        """
        super().upgrade_state_dict_named(state_dict, name)
        encoder, prefix = self.encoder.sentence_encoder, "encoder.sentence_encoder."
        surgery.tile_positions(
            state_dict, f"{prefix}embed_positions.weight", encoder.embed_positions
        )
        surgery.copy_memory_projections(self, state_dict)
        surgery.fit_heads(self, state_dict, "token_heads")

    def load_state_dict(self, state_dict, strict=True, model_cfg=None, args=None):
        """Load weights of a model with any number of memory tokens, or of RoBERTa.

        Raises:
            MemtxError: if the checkpoint is of another model.
        """
        memory = "encoder.sentence_encoder.memory"
        state_dict = surgery.fit_memory(self, state_dict, memory)
        try:
            return super().load_state_dict(state_dict, strict, model_cfg, args)
        except RuntimeError as cause:
            raise surgery.misfit(self, state_dict) from cause


class GmatRobertaEncoder(RobertaEncoder):
    """RoBERTa's encoder and masked-word head around a `GlobalMemoryEncoder`."""

    def build_encoder(self, args, dictionary, embed_tokens) -> nn.Module:
        plain = not args.memory_tokens and args.sparse_attention == "none"
        kind = TransformerEncoder if plain else GlobalMemoryEncoder
        return kind(args, dictionary, embed_tokens).apply(init_bert_params)


def complete(args: Any) -> None:
    """Fill in what neither flags nor preset say, as ``gmat_roberta.yaml`` has it."""
    for name, value in presets.read("gmat_roberta").items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    roberta_architecture(args)
    # fairseq's transformer does so, its RoBERTa does not.
    args.offload_activations = getattr(args, "offload_activations", False)
    args.checkpoint_activations = (
        getattr(args, "checkpoint_activations", False) or args.offload_activations
    )


def check(args: Any) -> None:
    """Refuse flags that make no sense together.

    Raises:
        MemtxError: with what to do.
    """
    if args.sparse_attention not in SCHEMES:
        raise MemtxError(
            f"--sparse-attention {args.sparse_attention} is unknown: use one of "
            f"{', '.join(SCHEMES)}"
        )
    for name in WHOLE_NUMBERS:
        least = 0 if name.endswith(("_tokens", "_layers")) else 1
        if getattr(args, name) < least:
            flag = name.replace("_", "-")
            raise MemtxError(f"--{flag} {getattr(args, name)} is too small: use {least} or more")
    for name in ("window_size", "lsh_buckets"):
        if getattr(args, name) % 2:
            flag = name.replace("_", "-")
            raise MemtxError(f"--{flag} {getattr(args, name)} is odd: use an even number")
    sizes.check_model(args)
    if args.spectral_norm_classification_head and args.quant_noise_pq:
        raise MemtxError(
            "--spectral-norm-classification-head and --quant-noise-pq cannot be used together: "
            "leave one out"
        )
    counts = [getattr(args, name) for name in STACK]
    for wanted, what in (
        (args.segments > 1, f"--segments {args.segments}"),
        (args.separate_memory_projections, "--separate-memory-projections"),
        (any(counts), "compression (--compress-layers and the like)"),
    ):
        if wanted and not args.memory_tokens:
            raise MemtxError(f"{what} needs memory, and --memory-tokens is 0: give some")
    if any(counts) and (sum(counts) != args.encoder_layers or not counts[0] or not counts[2]):
        raise MemtxError(
            "--compress-layers {} --memory-layers {} --decompress-layers {}".format(*counts)
            + f" do not fit --encoder-layers {args.encoder_layers}: they must add up to it, with "
            "at least one layer that compresses and one that decompresses"
        )
    if segment_length(args.max_positions, args.segments) < 2:
        raise MemtxError(
            f"--max-positions {args.max_positions} is too short for --segments {args.segments}"
        )


for name in ("gmat_roberta", "gmat_roberta_tiny", "gmat_roberta_base", "gmat_roberta_large"):
    presets.register("gmat_roberta", name, fill_up=complete)
