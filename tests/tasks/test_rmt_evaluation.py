"""A text is evaluated alike by every command, batch size, number of workers and ensemble."""

import math

import pytest
import torch
from conftest import fail, succeed
from fairseq.sequence_generator import SequenceGenerator
from fairseq.sequence_scorer import SequenceScorer
from test_rmt_language_modeling import MODEL, PLUGIN, setup

from fairseq_memtx.errors import MemtxError
from fairseq_memtx.modules.state_holder import StatesOfModels

ROUNDED = 1e-6  # fairseq takes logarithms of probabilities in float32
BACKBONES = {
    "memory and cache": [],
    "memory": ["--cache-length", 0],
    "fairseq's layers": ["--cache-length", 0, "--backbone", "transformer"],
}


def random_model(data, seed: int = 1, *flags):
    """A task, a model in float64 whose memory matters, and a criterion."""
    task, model, criterion = setup(data, *flags)
    numbers = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=numbers)
    task.load_dataset("valid")
    return task, model.double().eval(), criterion


def loss_of(task, model, criterion, size, workers: int = 1) -> tuple[float, int]:
    """Loss of a token of the validation set, in nats, and number of tokens."""
    loss, tokens = 0.0, 0
    for worker in range(workers):
        iterator = task.get_batch_iterator(
            task.dataset("valid"), max_sentences=size, num_shards=workers, shard_id=worker
        )
        batches = list(iterator.next_epoch_itr(shuffle=False))
        for batch in batches:
            assert len(batch["target"]) <= (size or 99)
            result = task.valid_step(batch, model, criterion)
            loss, tokens = loss + result[0].item(), tokens + result[1]
    return loss / tokens, tokens


@pytest.mark.parametrize("kind", BACKBONES)
@pytest.mark.parametrize("flags", [[], ["--reset-memory-at-documents"]])
@pytest.mark.parametrize("streams", [1, 4, 5])
def test_no_validation_loss_depends_on_the_batch_size(toy_lm, kind, flags, streams):
    """Nor on the number of workers."""
    flags = [*BACKBONES[kind], *flags, "--valid-streams", streams]
    parts = random_model(toy_lm, 1, *flags)
    expected, tokens = loss_of(*parts, size=1)
    assert tokens == len(parts[0].dataset("valid"))
    for size, workers in [(2, 1), (3, 1), (8, 1), (None, 1), (1, 2), (3, 2), (2, 3)]:
        found = loss_of(*parts, size, workers)
        assert found == (pytest.approx(expected, abs=ROUNDED), tokens), (size, workers)


def test_how_many_streams_there_are_matters(toy_lm):
    """Otherwise the test above would say nothing; and one stream is the text as it is read."""
    parts = random_model(toy_lm)
    task, model, _ = parts
    whole = task.dataset("valid").read(0, len(task.dataset("valid"))).unsqueeze(0)
    source = torch.cat([whole.new_full((1, 1), 2), whole[:, :-1]], dim=1)
    log_probs = model(source)[0].log_softmax(-1).gather(2, whole.unsqueeze(2))
    one, _ = loss_of(*parts, size=3)
    assert one == pytest.approx(-log_probs.mean().item(), abs=ROUNDED)
    four, _ = loss_of(*random_model(toy_lm, 1, "--valid-streams", 4), size=3)
    assert abs(one - four) > 1e-4


def test_streams_that_make_no_sense(toy_lm):
    with pytest.raises(MemtxError, match="--valid-streams 0 is too small"):
        setup(toy_lm, "--valid-streams", 0)
    task, *_ = random_model(toy_lm, 1, "--valid-streams", 999)
    with pytest.raises(MemtxError, match="use a smaller --valid-streams or --tokens-per-sample"):
        task.get_batch_iterator(task.dataset("valid"))


@pytest.mark.parametrize("kind", BACKBONES)
def test_an_ensemble_has_a_state_for_each_model(toy_lm, kind):
    """Probabilities are the means of those that each model gives alone."""
    task, one, _ = random_model(toy_lm, 1, *BACKBONES[kind], "--valid-streams", 2)
    _, two, _ = random_model(toy_lm, 2, *BACKBONES[kind])
    scorer = SequenceScorer(task.target_dictionary)

    def scores(*models, size: int = 1):
        batches = task.eval_lm_dataloader(task.dataset("valid"), batch_size=size)
        found = [scorer.generate(models, batch) for batch in batches]
        return torch.cat([row[0]["positional_scores"] for rows in found for row in rows])

    alone = torch.stack([scores(one), scores(two)])
    expected = torch.logsumexp(alone, dim=0) - math.log(2)
    torch.testing.assert_close(scores(one, two), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(scores(two, one), expected, atol=1e-6, rtol=0)
    assert (alone[0] - alone[1]).abs().max() > 0.1
    # Both streams at once; the state of the first is none of the second's.
    both = scores(one, two, size=2)
    torch.testing.assert_close(both.sort().values, expected.sort().values, atol=1e-6, rtol=0)


def test_an_ensemble_writes_with_a_state_for_each_model(toy_lm):
    """Beam search through several segments; its scores are those of reading what it wrote."""
    task, one, _ = random_model(toy_lm, 1)
    _, two, _ = random_model(toy_lm, 2)
    generator = task.build_generator([one, two], _settings(beam=3, max_len_b=30))
    assert isinstance(generator, SequenceGenerator)
    dataset = task.build_dataset_for_inference([torch.tensor([5, 6, 7, 2])] * 2, [4, 4])
    batch = dataset.collater([dataset[0], dataset[1]])
    for row in task.inference_step(generator, [one, two], batch):
        written = row[0]["tokens"][None]
        source = torch.cat([written.new_full((1, 1), 2), written[:, :-1]], dim=1)
        probs = (one(source)[0].softmax(-1) + two(source)[0].softmax(-1)) / 2
        expected = probs.log().gather(2, written.unsqueeze(2)).flatten()
        found = row[0]["positional_scores"]
        torch.testing.assert_close(found, expected.to(found), atol=1e-4, rtol=1e-4)
    assert len(written[0]) > 8, "into another segment"


def _settings(**more):
    from fairseq.dataclass.configs import GenerationConfig
    from omegaconf import OmegaConf

    return OmegaConf.merge(OmegaConf.structured(GenerationConfig), more)


def test_models_of_other_segments_score_no_text_together(toy_lm):
    task, model, _ = random_model(toy_lm)
    args = model.decoder.args
    args.tokens_per_sample = 5
    task.build_model(args)
    with pytest.raises(MemtxError, match="segments of 5, 8 tokens"):
        task.eval_lm_dataloader(task.dataset("valid"))


@pytest.mark.training
def test_commands_agree(toy_lm, tmp_path):
    """Two checkpoints, alone and together, in all commands that score a text."""
    train = ["fairseq-train", toy_lm, *PLUGIN, *MODEL, "--disable-validation", "--max-update", 3]
    for seed in (1, 2):
        succeed(
            *train, "--no-epoch-checkpoints", "--save-dir", tmp_path / str(seed), "--seed", seed
        )
    paths = [str(tmp_path / f"{seed}/checkpoint_last.pt") for seed in (1, 2)]
    common = [toy_lm, *PLUGIN, "--gen-subset", "valid", "--path"]

    def positional(output: str, end: str) -> list[float]:
        lines = [line for line in output.splitlines() if line.startswith("P-")]
        return [float(score) for line in lines for score in line.split("\t")[1].split()]

    generate = ["fairseq-generate", *common, ":".join(paths), "--score-reference"]
    scores = positional(succeed(*generate, "--batch-size", 3), "P-")
    together = succeed("fairseq-eval-lm", *common, ":".join(paths), "--batch-size", 2)
    alone = [succeed("fairseq-eval-lm", *common, path) for path in paths]
    loss, *losses = (float(o.split("Loss (base 2): ")[1].split(",")[0]) for o in [together, *alone])
    assert loss < max(losses)
    assert loss == pytest.approx(-sum(scores) / len(scores), abs=2e-4)
    line = fail("fairseq-generate", *common, paths[0])
    assert "give --score-reference to score it, or prompts to fairseq-interactive" in line


def test_a_holder_for_each_model():
    states, one, two = StatesOfModels(), torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    assert states.of(one) is states.of(one) is not states.of(two)
