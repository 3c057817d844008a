"""Texts as batches: windows of all streams in order, for training, validation and scoring."""

from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, Callable

from fairseq import utils
from fairseq.data import iterators
from fairseq.distributed import utils as distributed_utils

from ..data import data_folder
from ..data.curriculum import SegmentCurriculum
from ..data.stream_iterator import StreamIterator, StreamStates
from ..data.streams import StreamGroups, StreamWindows, Text
from ..errors import MemtxError
from ..modules.state_holder import StatesOfModels
from .prompted_language_modeling import PromptedLanguageModelingTask


class StreamBatches(PromptedLanguageModelingTask):
    """A task whose sets are one text each, which is read in parallel streams.

    Attributes:
        states: of the streams of every set.
    """

    def __init__(self, args, dictionary, output_dictionary=None, targets=None) -> None:
        super().__init__(args, dictionary, output_dictionary, targets)
        stages = args.segment_curriculum or str(args.window_segments)
        self.curriculum = SegmentCurriculum(stages)
        self.segment_length = args.tokens_per_sample
        self.segment_lengths: set[int] = set()  # of all models: an ensemble has several
        self.states = StreamStates()

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs) -> None:
        """Load a split as one text."""
        folders = utils.split_paths(self.args.data)
        path = str(Path(folders[(epoch - 1) % len(folders)]) / split)
        binary = Path(f"{path}.bin")
        if not binary.exists():
            raise MemtxError(
                f"there is no {binary}: give the folder that fairseq-preprocess --only-source "
                "wrote, and the names of its sets"
            )
        data = data_folder.load(path, self.dictionary, self.args.dataset_impl, combine)
        self.datasets[split] = Text(data, data.sizes)

    def dataset(self, split: str) -> Text:
        """The text of a split."""
        return self.datasets[split]

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """A text's `_windows`; a dataset that is a number of prompts gets fairseq's iterator."""
        if isinstance(dataset, Text):
            return self._windows(dataset, *args, **kwargs)
        return super().get_batch_iterator(dataset, *args, **kwargs)

    def _windows(
        self,
        dataset: Text,
        max_sentences: int | None = None,
        num_shards: int = 1,
        shard_id: int = 0,
        num_workers: int = 0,
        epoch: int = 1,
        data_buffer_size: int = 0,
        holders: Callable[[], StatesOfModels] | None = None,
        **kwargs: Any,
    ) -> iterators.EpochBatchIterator:
        """Windows over all streams, in order: ``--batch-size`` a worker, or ``--valid-streams``.

        What ``holders`` gives is put into the batches of a group of streams, for callers that go
        past the task's steps. Validation gets the same iterator every time, as in all tasks of
        fairseq, and with it the same worker processes.
        """
        shard = {"worker": shard_id, "workers": num_shards}
        settings = {"num_workers": num_workers, "epoch": epoch, "buffer_size": data_buffer_size}
        split = next(name for name, text in self.datasets.items() if text is dataset)
        # fairseq skips invalid rows in training, and in validation only if it is told to.
        training = split == self.args.train_subset and kwargs.get("ignore_invalid_inputs", True)
        if holders is not None:
            return self._evaluation(dataset, split, max_sentences, holders, shard, settings)
        if not training:
            kept = (dataset, max_sentences, num_shards, shard_id, num_workers)
            if kept not in self.dataset_to_epoch_iter:
                self.dataset_to_epoch_iter[kept] = self._evaluation(
                    dataset, split, max_sentences, None, shard, settings
                )
            return self.dataset_to_epoch_iter[kept]
        if not max_sentences:
            raise MemtxError("--batch-size is missing: it is the number of parallel streams")

        def windows(updates: int) -> StreamWindows:
            """Those of an epoch that begins after so many updates."""
            return self._cut(
                dataset,
                streams=max_sentences * num_shards,
                window_segments=self._window_segments(updates, epoch),
                stride_segments=self.args.stride_segments,
                **shard,
            )

        return StreamIterator(
            self.states, windows, collate_fn=partial(_only_item, split, None), **settings
        )

    def _evaluation(
        self,
        text: Text,
        split: str,
        size: int | None,
        holders: Callable[[], StatesOfModels] | None,
        shard: dict[str, int],
        settings: dict[str, Any],
    ) -> iterators.EpochBatchIterator:
        """All streams of a text, ``size`` at a time; each segment is read once."""
        if len(self.segment_lengths) > 1:
            raise MemtxError(
                "the models of the ensemble read segments of "
                f"{', '.join(map(str, sorted(self.segment_lengths)))} tokens: only models with the "
                "same --tokens-per-sample can score a text together"
            )
        windows = self._cut(text, streams=self.args.valid_streams, flag="--valid-streams", **shard)
        groups = StreamGroups(windows, size or self.args.valid_streams)
        return iterators.EpochBatchIterator(
            groups,
            collate_fn=partial(_only_item, split, holders and defaultdict(holders)),
            batch_sampler=[[index] for index in range(len(groups))],
            reuse_dataloader=holders is None,
            **settings,
        )

    def _cut(self, text: Text, **layout: Any) -> StreamWindows:
        return StreamWindows(
            text,
            self.segment_length,
            cut_at_documents=self.args.reset_memory_at_documents,
            pad=self.dictionary.pad(),
            eos=self.dictionary.eos(),
            **layout,
        )

    def _window_segments(self, updates: int, epoch: int) -> Callable[[int], int]:
        """Segments of a window by its number, in an epoch that begins after so many updates."""
        frequencies = self.args.update_freq
        frequency = frequencies[min(epoch, len(frequencies)) - 1]
        return lambda window: self.curriculum.segments_at(updates + window // frequency)

    def eval_lm_dataloader(
        self,
        dataset: Text,
        batch_size: int | None = None,
        num_shards: int = 1,
        shard_id: int = 0,
        context_window: int = 0,
        **kwargs: Any,
    ):
        """Windows for ``fairseq-eval-lm``, as for validation; a context window is refused."""
        if distributed_utils.get_data_parallel_world_size() > 1:
            raise MemtxError(
                "each of several workers would read a part of the text and print the loss of that: "
                "run fairseq-eval-lm in one process, with --distributed-world-size 1"
            )
        if context_window:
            raise MemtxError(
                "--context-window feeds the text twice, which a recurrent memory would remember "
                "twice: leave it out, memory is the context"
            )
        # In this process, since the holder carries the state from batch to batch.
        return self.get_batch_iterator(
            dataset, batch_size, num_shards, shard_id, num_workers=0, holders=StatesOfModels
        ).next_epoch_itr(shuffle=False)


def _only_item(
    subset: str, holders: dict[int, StatesOfModels] | None, items: list[dict[str, Any]]
) -> dict[str, Any]:
    """An item is a batch already. (A function of the module can be sent to workers.)"""
    (batch,) = items
    batch["subset"] = subset
    if holders is not None:
        batch["net_input"]["holder"] = holders[batch["group"]]
    return batch
