"""Language models that can be given a text to continue or to score, as people write it.

Data flow: a prompt is cut into tokens as the text of the data folder was (`text_cutter`), goes on
in `TextWriter`, and what comes out is put together again. ``fairseq-interactive`` asks the task for
all three, and so does the hub interface of `RmtLanguageModel`.
"""

from pathlib import Path
from typing import Any, Sequence

from fairseq import utils
from fairseq.data import Dictionary, FairseqDataset, TruncatedDictionary
from fairseq.models import BaseFairseqModel
from fairseq.tasks.language_modeling import LanguageModelingTask
from torch import Tensor

from ..data.line_dictionary import LineDictionary
from ..data.prompts import PromptDataset
from ..data.text_encoders import WholeText, text_cutter
from ..modules.text_writer import TextWriter
from ..text.symbols import is_filling
from ..text.units import Bytes, Characters, Lines

UNITS = {"characters": Characters, "bytes": Bytes}


class PromptedLanguageModelingTask(LanguageModelingTask):
    """fairseq's language modelling, with prompts in plain text and of several lines."""

    cutter: Any = None  # how text becomes tokens; None before anybody asked

    @classmethod
    def setup_dictionary(
        cls, args: Any, **kwargs: Any
    ) -> tuple[Dictionary | None, Dictionary | None]:
        """The dictionary of the data folder, and the one of what is predicted."""
        if not args.data:
            return None, None
        folder = utils.split_paths(args.data)[0]
        dictionary = LineDictionary.load(str(Path(folder) / "dict.txt"))
        if args.output_dictionary_size < 0:
            return dictionary, dictionary
        return dictionary, TruncatedDictionary(dictionary, args.output_dictionary_size)

    def build_bpe(self, args: Any) -> Any:
        """What cuts prompts: as ``--bpe`` says, or else as the text of the data folder was cut."""
        name = getattr(args, "_name", None) or getattr(args, "bpe", None)
        if name in UNITS:
            self.cutter = UNITS[name]()
        elif name:
            self.cutter = super().build_bpe(args)
            if isinstance(self.cutter, WholeText):
                self.cutter = Lines(self.cutter)
        else:
            self.cutter = text_cutter(Path(utils.split_paths(self.args.data)[0]))
        return self.cutter

    def build_dataset_for_inference(
        self, src_tokens: Sequence[Tensor], src_lengths: Sequence[int], **kwargs: Any
    ) -> FairseqDataset:
        """Prompts, with ``</s>`` in front."""
        return PromptDataset(src_tokens, self.source_dictionary, self._first_token())

    def build_generator(
        self,
        models: Sequence[BaseFairseqModel],
        args: Any,
        seq_gen_cls: type | None = None,
        extra_gen_cls_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """fairseq's, except that the end of a line in a prompt does not end the text.

        What fills a dictionary up to a round size is never written.
        """
        if seq_gen_cls is None:
            seq_gen_cls = TextWriter
            filling = list(filter(is_filling, self.target_dictionary.symbols))
            extra_gen_cls_kwargs = {"tokens_to_suppress": filling, **(extra_gen_cls_kwargs or {})}
        return super().build_generator(models, args, seq_gen_cls, extra_gen_cls_kwargs, **kwargs)

    def inference_step(
        self,
        generator: Any,
        models: Sequence[BaseFairseqModel],
        sample: dict[str, Any],
        prefix_tokens: Tensor | None = None,
        constraints: Tensor | None = None,
    ) -> Any:
        """Continue the prompts, or score them."""
        if isinstance(generator, TextWriter):
            # In characters and bytes a line's end is one symbol among others.
            generator.writes_lines = isinstance(self.cutter, (Characters, Bytes))
        return super().inference_step(generator, models, sample, prefix_tokens, constraints)

    def _first_token(self) -> int:
        dictionary = self.source_dictionary
        return dictionary.bos() if self.args.add_bos_token else dictionary.eos()
