import copy

import torch
from torch import nn
from torch.nn import functional as F

from tests.worker.method.baselines.stripes import network, stripes
from worker.method.baselines import self_explaining
from worker.method.baselines.self_explaining import CRITIC_RATE

MADE = stripes(12, 0, against=0.1)


def critic() -> nn.Module:
    torch.manual_seed(0)
    return self_explaining.new_critic(1, 2)


def test_the_explanation_of_a_linear_model_is_its_weights_times_the_input() -> None:
    layer = nn.Linear(64, 2)
    model = nn.Sequential(nn.Flatten(), layer)
    found = self_explaining.explanation(model, MADE.images, MADE.labels)
    by_hand = (MADE.images.flatten(1) * layer.weight[MADE.labels]).clamp(min=0)
    torch.testing.assert_close(found.flatten(1), by_hand / by_hand.amax(dim=1, keepdim=True))


def test_an_image_that_nothing_speaks_for_has_an_empty_explanation() -> None:
    blank = torch.zeros(2, 1, 8, 8)
    assert not bool(self_explaining.explanation(network(), blank, torch.tensor([0, 1])).any())


def test_the_feedback_is_the_gradient_of_the_critics_losses_while_it_learns() -> None:
    model = network().train()
    loss, found = self_explaining.feedback(model, critic(), MADE.images, MADE.labels, batch_size=5)
    # The same, with every batch's critic kept as it was at its turn and one backward pass at the end.
    learning, total = critic(), torch.zeros(())
    optimiser = torch.optim.Adadelta(learning.parameters(), lr=CRITIC_RATE)
    for first in (0, 5, 10):
        images, labels = MADE.images[first : first + 5], MADE.labels[first : first + 5]
        as_it_was = copy.deepcopy(learning)
        shown = self_explaining.explanation(model, images, labels)
        total = total + F.cross_entropy(as_it_was(shown), labels) / 3
        optimiser.zero_grad()
        F.cross_entropy(learning(shown.detach()), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    total.backward()  # type: ignore[no-untyped-call]
    assert abs(loss - float(total.detach())) < 1e-6
    assert model.training
    for weight, gradient in zip(model.parameters(), found, strict=True):
        expected = torch.zeros_like(weight) if weight.grad is None else weight.grad
        torch.testing.assert_close(gradient, expected)
    assert any(bool(gradient.any()) for gradient in found)


def test_the_critics_loss_joins_the_learners_with_value_and_gradient() -> None:
    model = network()
    gradients = [torch.randn_like(weight) for weight in model.parameters()]
    scalar = self_explaining.with_gradient(model, 1.5, gradients)
    assert float(scalar.detach()) == 1.5
    (2 * scalar).backward()  # type: ignore[no-untyped-call]
    for weight, gradient in zip(model.parameters(), gradients, strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, 2 * gradient)


def test_a_critic_learns_the_class_from_explanations_that_show_it() -> None:
    made = stripes(200, 3, against=0.0)
    torch.manual_seed(0)
    told = torch.zeros(200, 1, 8, 8)
    told[torch.arange(200), 0, 7 * made.labels] = 1
    learning = self_explaining.new_critic(1, 2)
    optimiser = torch.optim.Adadelta(learning.parameters(), lr=CRITIC_RATE)
    for _ in range(150):
        optimiser.zero_grad()
        F.cross_entropy(learning(told), made.labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert float((learning(told).argmax(dim=1) == made.labels).float().mean()) > 0.95
