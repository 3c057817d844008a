"""Long rows, of which only the end has gradients."""

import pytest
import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_memtx.modules import truncated_backpropagation
from fairseq_memtx.modules.truncated_backpropagation import near_the_answers

LENGTH = 4  # T


@pytest.fixture(params=["rmt_lm_tiny", "armt_lm_tiny"])
def model(request):
    arguments = [
        "--task", "facts_in_noise", "--arch", request.param, "--tokens-per-sample", str(LENGTH),
        "--memory-tokens", "2", "--dropout", "0",
    ]  # fmt: skip
    parser = options.get_training_parser()
    cfg = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
    torch.manual_seed(1)
    model = tasks.setup_task(cfg.task).build_model(cfg.model).double()
    for name, weight in model.named_parameters():
        if name.endswith("value_proj.weight"):
            torch.nn.init.normal_(weight)  # or nothing is written into a layer's memory
    return model


def batch_of(segments: int, *predicted: int) -> dict:
    tokens = torch.randint(
        4, 60, (2, segments * LENGTH), generator=torch.Generator().manual_seed(2)
    )
    return {"net_input": {"src_tokens": tokens, "predicted": torch.tensor([predicted] * 2)}}


def gradients(model, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_gradients_go_as_far_as_they_are_to(model, depth, monkeypatch):
    """Against the loop segment by segment, with the state detached where they end."""
    monkeypatch.setattr(truncated_backpropagation, "WINDOW", 2)
    sample = batch_of(7, 5 * LENGTH + 1, 7 * LENGTH - 1)  # the first answer is in the sixth segment
    near = near_the_answers(sample, model, LENGTH, depth)["net_input"]
    assert near["src_tokens"].size(1) == (depth + 2) * LENGTH
    found = gradients(model, model(**near)[0].square().sum())

    loop, state, outputs = model.decoder.loop, None, []
    tokens = sample["net_input"]["src_tokens"]
    state = loop.begin({}, len(tokens))
    for number, segment in enumerate(tokens.split(LENGTH, dim=1)):
        if 0 < number == 5 - depth:
            state = {name: tensor.detach() for name, tensor in state.items()}
        rows, state = loop.read_segment(segment, state, None)
        outputs.append(model.decoder.output_layer(rows))
    asked = torch.cat(outputs, dim=1)[:, sample["net_input"]["predicted"][0]]
    expected = gradients(model, asked.square().sum())
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-9, atol=1e-12), name


def test_short_rows_stay_as_they_are(model):
    sample = batch_of(3, 3 * LENGTH - 1)
    assert near_the_answers(sample, model, LENGTH, 2) is sample
    assert near_the_answers(sample, model, LENGTH, 9) is sample
