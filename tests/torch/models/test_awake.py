"""What begins as nothing in an untrained model has a say in its result."""

import pytest
import torch

from rpgen.models.awake import awaken


class Beginner(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = torch.nn.Parameter(torch.zeros(1))
        self.alpha_cross_attn = torch.nn.Parameter(torch.zeros(1))
        self.projection = torch.nn.Parameter(torch.zeros(3, 8))
        self.trained = torch.nn.Parameter(torch.ones(3, 8))
        self.bias = torch.nn.Parameter(torch.zeros(8))
        self.register_buffer("codes", torch.zeros(5, 4))
        self.register_buffer("counts", torch.zeros(5, 4, dtype=torch.int64))
        self.register_buffer("computed", torch.zeros(5, 4), persistent=False)


def test_gates_open_and_matrices_of_zeros_are_filled() -> None:
    model = Beginner()
    awaken(model, seed=0)
    assert model.gate.item() == 0.5
    assert model.alpha_cross_attn.item() == 0.5
    assert model.projection.count_nonzero() == 24
    assert model.get_buffer("codes").count_nonzero() == 20
    lengths = model.get_buffer("codes").norm(dim=1)
    assert torch.allclose(lengths, torch.full((5,), 0.02 * 2))


def test_the_rest_is_left_alone() -> None:
    model = Beginner()
    awaken(model, seed=0)
    assert torch.equal(model.trained, torch.ones(3, 8))
    for name in ("counts", "computed"):
        assert not model.get_buffer(name).any()
    assert not model.bias.any()


def test_the_same_seed_gives_the_same_weights() -> None:
    first, second, third = Beginner(), Beginner(), Beginner()
    awaken(first, seed=0)
    awaken(second, seed=0)
    awaken(third, seed=1)
    assert torch.equal(first.projection, second.projection)
    assert not torch.equal(first.projection, third.projection)


def test_batch_norms_without_data_amplify_as_they_are_told() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3))
    trained = model[1].running_mean
    assert trained is not None
    trained.fill_(0.1)
    awaken(model, seed=0)
    assert model[0].weight.eq(1).all()
    awaken(model, seed=0, norm_gain=4.0)
    assert model[0].weight.eq(4).all()
    assert model[1].weight.eq(1).all()


def test_each_layer_lets_through_as_much_as_it_is_told() -> None:
    given = torch.randn(64, 200, generator=torch.Generator().manual_seed(0))
    narrow, wide = torch.nn.Linear(200, 300), torch.nn.Linear(200, 300)
    with torch.no_grad():
        narrow.weight.normal_(0, 0.001)
        wide.weight.normal_(0, 2.0)
    before = wide.weight.clone()
    awaken(torch.nn.ModuleList([narrow, wide]), seed=0, fan_gain=1.5)
    with torch.no_grad():
        through = narrow(given) - narrow.bias
    assert float(through.std()) == pytest.approx(1.5, rel=0.05)
    assert torch.equal(wide.weight, before)


def test_a_weight_of_length_and_direction_gets_another_length() -> None:
    given = torch.randn(2, 64, 500, generator=torch.Generator().manual_seed(0))
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(64, 64, 3, bias=False))
    with torch.no_grad():
        layer.weight = 1e-3 * layer.weight
    direction = layer.parametrizations.weight.original1.clone()
    awaken(layer, seed=0, fan_gain=1.0)
    with torch.no_grad():
        through = layer(given)
    assert float(through.std()) == pytest.approx(1.0, rel=0.05)
    assert torch.equal(layer.parametrizations.weight.original1, direction)


def test_a_transposed_convolution_sums_over_what_reaches_one_output() -> None:
    given = torch.randn(2, 64, 20, 20, generator=torch.Generator().manual_seed(0))
    layer = torch.nn.ConvTranspose2d(64, 64, kernel_size=4, stride=4, bias=False)
    with torch.no_grad():
        layer.weight.normal_(0, 0.001)
    awaken(layer, seed=0, fan_gain=1.0)
    with torch.no_grad():
        through = layer(given)
    assert float(through.std()) == pytest.approx(1.0, rel=0.05)


class Seeing(torch.nn.Module):
    """A batch norm behind a convolution whose weights are small, then one that has seen data."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.trained = torch.nn.BatchNorm2d(4)
        torch.nn.init.normal_(self.convolution.weight, std=0.02)
        torch.nn.init.normal_(self.norm.weight, std=0.02)
        mean = self.trained.running_mean
        assert mean is not None
        mean.fill_(0.5)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.trained(self.norm(self.convolution(pictures)))
        return found


def test_batch_norms_take_what_a_batch_of_noise_shows_them() -> None:
    torch.manual_seed(0)
    model = Seeing().eval().requires_grad_(False)
    pictures = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert model.norm(model.convolution(pictures)).std() < 0.01
    awaken(model, seed=0, norm_gain=1.0, norm_data=[4, 3, 16, 16])
    assert 0.9 < float(model.norm(model.convolution(pictures)).std()) < 1.1
    assert not any(module.training for module in model.modules())
    assert model.norm.momentum == torch.nn.BatchNorm2d(4).momentum
    before = model.trained.running_mean
    assert before is not None
    assert before.eq(0.5).all()
    again = Seeing().eval().requires_grad_(False)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(pictures), model(pictures))


def test_the_same_seed_shows_the_same_noise() -> None:
    seen = []
    for _ in range(2):
        torch.manual_seed(0)
        model = Seeing()
        torch.manual_seed(7)
        state = torch.get_rng_state()
        awaken(model, seed=0, norm_gain=1.0, norm_data=[4, 3, 16, 16])
        assert torch.equal(torch.get_rng_state(), state)
        seen.append(model.norm.running_var)
    assert torch.equal(seen[0], seen[1])
