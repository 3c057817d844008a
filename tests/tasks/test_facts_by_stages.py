"""A curriculum over facts: what is told in a stage, in training and in validation."""

from fairseq_memtx.tasks.facts_in_noise import FactsInNoiseConfig, FactsInNoiseTask


def people_in(task, split):
    rows = task.datasets[split]
    words = {w for row in rows for w in row["source"].tolist()}
    names = [task.dictionary.index(name) for name in task.teller.people]
    return [words & {name} != set() for name in names]


def test_a_stage_of_two_facts_is_about_the_first_two_people_and_the_last_about_all():
    flags = FactsInNoiseConfig(
        facts=4, names=6, segments=None, segment_curriculum="2x2:0.9,2", train_size=40,
        valid_size=40, seed=1,
    )  # fmt: skip
    task = FactsInNoiseTask(flags)
    for split in ("train", "valid"):
        task.load_dataset(split)
        assert people_in(task, split) == [True, True, False, False, False, False]
    for _ in range(2):
        task.state.merge_state_dict({"place": task.stages.validated(task.state.place, 0.95)})
    task.load_dataset("train", epoch=2)
    task.begin_valid_epoch(2, None)
    assert people_in(task, "train") == people_in(task, "valid") == [True] * 6
