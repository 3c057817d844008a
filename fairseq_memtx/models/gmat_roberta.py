"""GMAT: a RoBERTa that reads long documents through a global memory, arXiv:2006.03274.

The paper's authors published no code, and of the paper we know the abstract and what others wrote:
this is an independent implementation.

Data flow: `GlobalMemoryEncoder` puts ``M`` learned vectors in front of the tokens. In its layers
memory attends to everything, and a token to memory and its neighbours (`memory.neighbourhoods`).
Heads get the tokens alone, so that all of fairseq's tasks for RoBERTa work on.

Shapes: ``B`` batch, ``L`` tokens, ``M`` memory tokens, ``C`` channels.
"""

from argparse import ArgumentParser
from typing import Any, Self

from fairseq.models import register_model
from fairseq.models.roberta import RobertaEncoder, RobertaModel
from fairseq.models.transformer import TransformerEncoder
from fairseq.modules.transformer_sentence_encoder import init_bert_params
from torch import Tensor, nn

from ..checkpoints import surgery
from ..data import data_folder
from ..errors import MemtxError
from ..flags import presets
from ..flags.ignored_flags import NEVER, Ignored
from ..modules.gmat_encoder import GlobalMemoryEncoder
from ..modules.token_head import TokenHead
from ..modules.training_watch import watch
from . import gmat_flags

CRITERIONS_OF_TASK = {
    "masked_lm": ("masked_lm",),
    "sentence_prediction": ("sentence_prediction",),
    "sequence_tagging": ("sequence_tagging",),
    "extractive_qa": ("extractive_qa",),
    "reading": ("extractive_qa",),
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
            "inspect_interval",
            "it is about memory, and --memory-tokens is 0",
            when=lambda args: not args.memory_tokens,
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
        Ignored(
            "attention_kernel",
            "without memory, --sparse-attention none is fairseq's RoBERTa",
            when=lambda args: is_roberta(args),
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
    def add_args(parser: ArgumentParser) -> None:
        """Add RoBERTa's flags and GMAT's."""
        RobertaModel.add_args(parser)
        gmat_flags.add(parser)

    @classmethod
    def build_model(cls, args, task) -> Self:
        """Build the model of a command line or of a hydra configuration; flags are checked."""
        args = presets.as_namespace(args, cls)
        gmat_flags.complete(args)
        if getattr(args, "max_positions", None) is None:
            args.max_positions = getattr(args, "tokens_per_sample", None) or task.max_positions()
        gmat_flags.check(args)
        data_folder.check(task)
        return watch(cls(args, GmatRobertaEncoder(args, task.source_dictionary)), args)

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
        """The document ``B x L`` in ``M`` vectors, ``B x M x C``: memory after the last layer.

        With compression this is all that the decompressing layers read.
        """
        if not self.args.memory_tokens:
            raise MemtxError("extract_memory needs memory, and --memory-tokens is 0")
        return self.encoder.sentence_encoder(src_tokens)["memory"][0].transpose(0, 1)

    def upgrade_state_dict_named(self, state_dict: dict[str, Any], name: str) -> None:
        """Fit a checkpoint of this model or of RoBERTa, with other positions or memory, to it."""
        super().upgrade_state_dict_named(state_dict, name)
        encoder, prefix = self.encoder.sentence_encoder, "encoder.sentence_encoder."
        surgery.tile_positions(
            state_dict, f"{prefix}embed_positions.weight", encoder.embed_positions
        )
        surgery.copy_memory_projections(self, state_dict)
        surgery.fit_heads(self, state_dict, "token_heads")

    def load_state_dict(self, state_dict, strict=True, model_cfg=None, args=None):
        """Load weights of a model with any number of memory tokens, or of RoBERTa."""
        memory = "encoder.sentence_encoder.memory"
        state_dict = surgery.fit_memory(self, state_dict, memory)
        try:
            return super().load_state_dict(state_dict, strict, model_cfg, args)
        except RuntimeError as cause:
            raise surgery.misfit(self, state_dict) from cause


def is_roberta(args: Any) -> bool:
    """Whether nothing of GMAT is asked for."""
    return not args.memory_tokens and args.sparse_attention == "none"


class GmatRobertaEncoder(RobertaEncoder):
    """RoBERTa's encoder and masked-word head around a `GlobalMemoryEncoder`."""

    def build_encoder(self, args, dictionary, embed_tokens) -> nn.Module:
        kind = TransformerEncoder if is_roberta(args) else GlobalMemoryEncoder
        return kind(args, dictionary, embed_tokens).apply(init_bert_params)


for name in ("gmat_roberta", "gmat_roberta_tiny", "gmat_roberta_base", "gmat_roberta_large"):
    presets.register("gmat_roberta", name, fill_up=gmat_flags.complete)
