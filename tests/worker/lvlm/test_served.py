"""The OpenAI-compatible backend against real servers on this machine: it answers as the Transformers backend does."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image

from tests.worker.lvlm.families import save_family
from tests.worker.lvlm.serving import scoring, transformers_serve
from worker.lvlm import EMBEDDED, WEIGHTS, Answer, Call, Conversation, LVLMError, Patience, Turn, completion, openai_api
from worker.lvlm import transformers as backend
from worker.lvlm.openai_api import OpenAILVLM
from worker.lvlm.transformers import TransformersLVLM, load_transformers
from worker.method.critic import Case, ClassSpecification, Critique, criticise, describe
from worker.method.judge import CHOICES, judge
from worker.method.marks import draw_marks

HERE = frozenset({"127.0.0.1"})
ONCE = Patience(timeout=60.0, tries=1, at_once=2)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small only lose by threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def embedded() -> TransformersLVLM:
    """Without its own temperature: a server's scores are those of the model, which nobody has calibrated."""
    lvlm = load_transformers(str(WEIGHTS), name=EMBEDDED)
    lvlm.temperature = 1.0
    return lvlm


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TransformersLVLM:
    """Random weights: what it says depends on every pixel."""
    folder = tmp_path_factory.mktemp("tiny")
    save_family("Qwen3-VL", folder)
    return load_transformers(str(folder))


@pytest.fixture(scope="module")
def transformers_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with transformers_serve(WEIGHTS, tmp_path_factory.mktemp("serve") / "log") as url:
        yield url


@pytest.fixture
def any_mass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights spread over all tokens: take the choices however unlikely they are."""
    monkeypatch.setattr(backend, "LEAST_MASS", 0.0)
    monkeypatch.setattr(completion, "LEAST_MASS", 0.0)
    monkeypatch.setattr(openai_api, "TOP_LOGPROBS", 1000)


def over_http(url: str, model: str = "m") -> OpenAILVLM:
    return OpenAILVLM(model, url, allowed_hosts=HERE, patience=ONCE)


def case(seed: int, relevant: str, spurious: str) -> Case:
    """A stroke and a square in a corner, a cluster on each."""
    shades = np.random.default_rng(seed).integers(80, 256, 2)
    pixels, clusters = np.zeros((28, 28), dtype=np.uint8), np.full((28, 28), -1, dtype=np.int8)
    corner = slice(0, 5) if seed % 2 else slice(23, 28)
    pixels[corner, corner], clusters[corner, corner] = shades[0], 0
    pixels[8:20, 11 + seed : 14 + seed], clusters[8:20, 10 + seed : 15 + seed] = shades[1], 1
    return Case(
        draw_marks(Image.fromarray(pixels), clusters), str(seed), ClassSpecification(str(seed), relevant, spurious)
    )


STROKES, SQUARE = "the strokes of the digit", "a small grey square in a corner"
CASES = [case(0, STROKES, SQUARE), case(1, SQUARE, STROKES), case(2, STROKES, SQUARE), case(3, "", "")]


def test_transformers_serve_writes_what_the_same_model_writes_here(
    embedded: TransformersLVLM, transformers_url: str
) -> None:
    with over_http(transformers_url, str(WEIGHTS)) as served:
        critiques = criticise(embedded, CASES)
        assert criticise(served, CASES) == critiques
        assert describe(served, CASES) == describe(embedded, CASES)
        assert len({critique.text for critique in critiques}) > 1
        here, there = judge(embedded, CASES, critiques), judge(served, CASES, critiques)
    decided = [
        (mine, its)
        for critique, *pair in zip(critiques, here, there, strict=True)
        for said, mine, its in zip(critique.by_cluster, *pair, strict=True)
        if said  # of what the critic passed over neither is asked
    ]
    assert len(decided) >= len(CASES)
    assert [its.value for _, its in decided] == [
        "spurious" if mine.p_spurious > 0.5 else "relevant" for mine, _ in decided
    ]
    assert {its.reason for _, its in decided} == {"The LVLM gave no token scores: this is its word alone."}


def test_transformers_serve_gives_another_conversation_of_several_turns_the_same_answer(
    embedded: TransformersLVLM, transformers_url: str
) -> None:
    marks = CASES[0].marks
    pictures = (marks.image, marks.cluster_map, marks.overlay)
    talk = (Turn("user", "What is here?", pictures), Turn("assistant", "a digit"), Turn("user", "Is it relevant?"))
    with over_http(transformers_url, str(WEIGHTS)) as served:
        assert served.ask([talk], max_tokens=12) == embedded.ask([talk], max_tokens=12)


def test_a_model_that_the_server_does_not_serve_is_refused_with_its_words(transformers_url: str) -> None:
    with (
        over_http(transformers_url, "another") as served,
        pytest.raises(LVLMError, match=r"refused the question with status 400.*another"),
    ):
        served.ask([(Turn("user", "Hello"),)])


def test_scores_over_http_are_the_probabilities_of_the_same_model_here(embedded: TransformersLVLM) -> None:
    with scoring(embedded) as url, over_http(url) as served:
        critiques = criticise(embedded, CASES)
        assert criticise(served, CASES) == critiques
        assert describe(served, CASES) == describe(embedded, CASES)
        here, there = judge(embedded, CASES, critiques), judge(served, CASES, critiques)
    for mine, its in zip(here, there, strict=True):
        assert [verdict.p_spurious for verdict in its] == pytest.approx(
            [verdict.p_spurious for verdict in mine], abs=2e-3
        )
    assert len({round(verdict.p_spurious, 2) for verdicts in there for verdict in verdicts}) > 1


def test_over_http_each_picture_and_its_place_are_seen_as_here(tiny: TransformersLVLM, any_mass: None) -> None:
    marks = CASES[0].marks
    shown = [
        (marks.image, marks.cluster_map, marks.overlay),
        (marks.overlay, marks.cluster_map, marks.image),
        (marks.image, marks.cluster_map),
        (CASES[1].marks.image, marks.cluster_map, marks.overlay),
    ]
    talks = [(Turn("system", "the clusters"), Turn("user", "what is here?", pictures)) for pictures in shown]
    with scoring(tiny) as url, over_http(url) as served:
        assert served.ask(talks, max_tokens=12) == tiny.ask(talks, max_tokens=12)
        assert len({answer.text for answer in served.ask(talks, max_tokens=12)}) == len(shown)
        scored = [answer.choice_probabilities["spurious"] for answer in served.ask(talks, choices=CHOICES)]
    assert len({round(p, 6) for p in scored}) == len(shown)


def test_over_http_a_judge_about_to_say_something_else_is_asked_again_and_then_uncertain(
    tiny: TransformersLVLM,
) -> None:
    with scoring(tiny) as url, over_http(url) as served:
        ((verdict,),) = judge(served, CASES[:1], [Critique("", ("the square",))])
    assert (verdict.value, verdict.p_spurious) == ("uncertain", 0.5)
    assert "could not be read, asked twice" in verdict.reason


@pytest.mark.parametrize("scores", ["before", "after"])
def test_a_server_that_enforces_structure_lets_a_model_say_nothing_but_a_choice(
    tiny: TransformersLVLM, scores: Literal["before", "after"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores from before tell that the model was made to: that is no answer. Scores from after are all there is."""
    talk = (Turn("user", "what is here?", (CASES[0].marks.overlay,)),)
    with scoring(tiny, scores) as url, over_http(url) as served:
        (answer,) = served.ask([talk], choices=CHOICES)
        assert served._known.level == 0
        if scores == "before":
            assert answer in (Answer('{"answer": "spurious"}'), Answer('{"answer": "relevant"}'))
        else:
            assert answer.choice_probabilities == pytest.approx(after(tiny, talk, '{"answer": "'), abs=1e-3)
            assert answer.text == max(CHOICES, key=lambda choice: answer.choice_probabilities[choice])
        monkeypatch.setattr(openai_api, "EXTRAS", ((False, True),))
        (free,) = served.ask([talk], choices=CHOICES)
        assert free.choice_probabilities == {}
        assert free.text not in {answer.text, *CHOICES}


def after(lvlm: TransformersLVLM, talk: Conversation, begun: str) -> dict[str, float]:
    """How the model goes on after an answer's beginning, if it must go on towards one of the choices."""
    inputs, tokenizer = lvlm._inputs([talk], 1), lvlm.processor.tokenizer
    beginning = tokenizer(begun, add_special_tokens=False, return_tensors="pt")["input_ids"]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], beginning], dim=1)
    for name in ("attention_mask", "mm_token_type_ids"):
        fill = int(name == "attention_mask")
        inputs[name] = torch.nn.functional.pad(inputs[name], (0, beginning.shape[1]), value=fill)
    with torch.inference_mode():
        scores = lvlm.model(**inputs).logits[0, -1].softmax(dim=0)
    mass = dict.fromkeys(CHOICES, 0.0)
    for token, p in enumerate(scores.tolist()):
        piece = tokenizer.decode([token])
        for choice in CHOICES:
            mass[choice] += p if piece and choice.startswith(piece) else 0.0
    return {choice: p / sum(mass.values()) for choice, p in mass.items()}


def test_a_server_whose_model_cannot_write_json_is_asked_without_structure_from_then_on(
    embedded: TransformersLVLM,
) -> None:
    calls: list[Call] = []
    talks = [(Turn("user", f"Is cluster {number} spurious or relevant?"),) for number in (1, 2)]
    with scoring(embedded) as url, over_http(url) as served:
        told = served.telling(calls.append)
        answers = [told.ask([talk], choices=CHOICES)[0] for talk in talks]
    assert len(calls) == 3
    for mine, its in zip(embedded.ask(talks, choices=CHOICES), answers, strict=True):
        assert its.choice_probabilities == pytest.approx(mine.choice_probabilities, abs=2e-3)


def test_over_http_a_question_too_long_for_the_model_ends_in_a_sentence(tiny: TransformersLVLM) -> None:
    with scoring(tiny) as url, over_http(url) as served, pytest.raises(LVLMError, match="gave no answer in 1 tries"):
        served.ask([(Turn("user", "what " * 5000),)])
