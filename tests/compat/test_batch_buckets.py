"""What fairseq still asks of numpy that numpy 2 has no longer."""

import numpy as np
import pytest
import torch
from conftest import build, succeed, train_flags, words
from fairseq.criterions.label_smoothed_cross_entropy import LabelSmoothedCrossEntropyCriterion
from fairseq.data import LanguagePairDataset, ListDataset, data_utils

from fairseq_memtx.compat import batch_buckets


def sentences(*lengths: int) -> ListDataset:
    rows = [torch.cat([torch.arange(4, 3 + length), torch.tensor([2])]) for length in lengths]
    return ListDataset(rows, lengths)


def test_buckets_are_those_of_fairseq():
    """The longest of each part, of the sizes that there are."""
    batch_buckets.mend()
    sizes = np.array([9, 3, 4, 7, 3, 5])
    assert data_utils.get_buckets(sizes, 1).tolist() == [9]
    assert data_utils.get_buckets(sizes, 3).tolist() == [3, 5, 9]


def test_padding_to_buckets_changes_no_loss():
    """``--num-batch-buckets`` pads rows to a few lengths; a model is to see nothing of it."""
    lengths, dictionary, model = (5, 2, 7, 3, 9), words(), build("controller")
    criterion = LabelSmoothedCrossEntropyCriterion(TaskOf(dictionary), True, 0.1)
    losses = []
    for buckets in (0, 2):
        source, target = sentences(*lengths), sentences(*reversed(lengths))
        sizes = np.array(lengths)
        data = LanguagePairDataset(
            source, sizes, dictionary, target, sizes[::-1].copy(), dictionary, num_buckets=buckets
        )
        batch = data.collater([data[i] for i in (1, 3)])
        assert batch["net_input"]["src_tokens"].shape[1] == (5 if buckets else 3)
        loss, size, log = criterion(model, batch)
        losses.append((loss.item(), size, log["nll_loss"].item()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


class TaskOf:
    def __init__(self, dictionary) -> None:
        self.target_dictionary = dictionary


@pytest.mark.training
def test_training_with_buckets(toy_data, tmp_path):
    flags = ["--num-batch-buckets", 3, "--max-update", 2, "--no-save"]
    assert "bucketing source lengths" in succeed(
        "fairseq-train", *train_flags(toy_data, tmp_path, *flags)
    )
