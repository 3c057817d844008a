"""When gradients are NaN, fairseq says where it began, also for an encoder's dict of lists."""

import torch
from fairseq.nan_detector import NanDetector


class Encoder(torch.nn.Module):
    """Gives what fairseq's encoders give."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, x):
        return {"encoder_out": [self.layer(x)], "encoder_padding_mask": []}


def test_a_dict_of_lists_is_gone_through(caplog):
    encoder = Encoder()
    with NanDetector(encoder):
        out = encoder(torch.ones(3, 2))["encoder_out"][0]
        (out * float("nan")).sum().backward()
    assert "NaN detected in output of layer" in caplog.text
    assert "backward" in caplog.text
