"""Texts of a user as a model reads them.

Shapes: ``B`` texts of ``L`` tokens.
"""

from argparse import Namespace
from typing import Any

import torch
from fairseq.data import LanguagePairDataset
from torch import Tensor

from ..data.folder_pieces import languages_of, record_of
from ..errors import MemtxError
from ..tasks.prompted_language_modeling import PromptedLanguageModelingTask
from .text_rows import Rows
from .trained_model import TrainedModel


def encode(trained: TrainedModel, text: str) -> Tensor:
    """Tokens of a text, cut as the model's was; without ``</s>`` behind it.

    A text of a folder without a record, and one for a generated task, is words between spaces.

    Raises:
        MemtxError: if there is nothing in it.
    """
    task = trained.task
    if isinstance(task, PromptedLanguageModelingTask):
        cut = task.build_bpe(trained.cfg.bpe).encode
    else:
        record = record_of(task)
        language = languages_of(task, record)[0] if record and record.languages else "en"
        cut = record.cutter(language) if record else str
    words = cut(text)
    if not words.strip():
        raise MemtxError("--text is empty: give a text")
    line = task.source_dictionary.encode_line(words, add_if_not_exist=False, append_eos=False)
    tokens: Tensor = line.long()
    return tokens


def batch(trained: TrainedModel, texts: list[str]) -> dict[str, Any]:
    """A batch of texts; translations are those that the model makes itself."""
    rows = [encode(trained, text) for text in texts]
    dictionary = trained.task.source_dictionary
    before, behind = (torch.tensor([n]) for n in (dictionary.bos(), dictionary.eos()))
    if trained.is_translator:
        rows = [torch.cat([row, behind]) for row in rows]
        return _translated(trained, rows)
    if trained.is_recurrent:
        rows = [torch.cat([behind, row]) for row in rows]  # what stands before a text's first token
    else:
        rows = [torch.cat([before, row, behind]) for row in rows]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, True, dictionary.pad())
    lengths = torch.tensor([len(row) for row in rows])
    return {"net_input": {"src_tokens": tokens, "src_lengths": lengths}, "nsentences": len(rows)}


def rows(trained: TrainedModel, texts: list[str]) -> Rows:
    """Texts, as long as the shortest of them, whose memory is handed on before their last segment.

    Raises:
        MemtxError: if there is but one segment.
    """
    tokens = [encode(trained, text) for text in texts]
    shortest, length = min(map(len, tokens)), trained.model.decoder.segment_length
    whole = torch.stack([row[:shortest] for row in tokens])
    border = (shortest - 2) // length * length
    if border < 1:
        raise MemtxError(
            f"--text has {shortest} tokens, which is one segment of {length}: memory is handed on "
            "in longer ones"
        )
    first = torch.full((len(whole), 1), trained.task.source_dictionary.eos())
    return Rows(torch.cat([first, whole[:, :-1]], dim=1), whole, border)


def _translated(trained: TrainedModel, rows: list[Tensor]) -> dict[str, Any]:
    task, lengths = trained.task, [len(row) for row in rows]
    asked = task.build_dataset_for_inference(rows, lengths)
    generator = task.build_generator([trained.model], Namespace(beam=1))
    made = []
    for number in range(len(rows)):
        with torch.no_grad():
            found = task.inference_step(generator, [trained.model], asked.collater([asked[number]]))
        made.append(found[0][0]["tokens"].cpu())
    pairs = LanguagePairDataset(
        rows, lengths, task.source_dictionary, made, [len(target) for target in made],
        task.target_dictionary,
    )  # fmt: skip
    batch: dict[str, Any] = pairs.collater([pairs[number] for number in range(len(rows))])
    return batch
