"""The contract of the Transformers backend, kept with every family of models: see ``families``."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.smolvlm import processing_smolvlm

from tests.worker.lvlm.families import CONTEXT, FAMILIES, SIDE, save_family
from worker.lvlm import Conversation, LVLMError, Turn
from worker.lvlm import transformers as backend
from worker.lvlm.transformers import TransformersLVLM, load_transformers
from worker.method.critic import Case, ClassSpecification, Critique, criticise
from worker.method.judge import CHOICES, judge
from worker.method.marks import draw_marks

ROOM = 12  # tokens


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small only lose by threads: on a busy machine these tests took ten times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def no_package_for_videos() -> Iterator[None]:
    """SmolVLM's processor wants one that spells numbers, which only videos need."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processing_smolvlm, "num2words", str)
        yield


@pytest.fixture(scope="module", params=list(FAMILIES))
def folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, no_package_for_videos: None
) -> Path:
    path = tmp_path_factory.mktemp("family")
    save_family(request.param, path)
    return path


@pytest.fixture(scope="module")
def lvlm(folder: Path) -> TransformersLVLM:
    return load_transformers(str(folder))


@pytest.fixture
def any_mass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights spread over all tokens: take the choices however unlikely they are."""
    monkeypatch.setattr(backend, "LEAST_MASS", 0.0)


def picture(seed: int, width: int = SIDE) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (SIDE, width, 3), dtype=np.uint8))


def question(text: str, *seeds: int, width: int = SIDE) -> Conversation:
    return (Turn("user", text, tuple(picture(seed, width) for seed in seeds)),)


THREE = question("what is here?", 1, 2, 3)
MIXED = [
    THREE,
    question("what is the cluster?"),
    question("is the digit here, or is the cluster?", 4, 5, 6, width=48),
    question("what is the blue cluster? " * 4),
    (
        Turn("system", "the clusters"),
        *question("is the digit here?", 7),
        Turn("assistant", "relevant"),
        Turn("user", "what is here?"),
    ),
    question("what?", 3, 2, 1),
]


def spurious(lvlm: TransformersLVLM, asked: list[Conversation]) -> list[float]:
    return [answer.choice_probabilities["spurious"] for answer in lvlm.ask(asked, choices=CHOICES)]


def written(lvlm: TransformersLVLM, asked: Conversation) -> list[int]:
    """The tokens of an answer, each the likeliest after all before it, as one pass over the whole text gives it."""
    inputs = lvlm._inputs([asked], ROOM)
    ahead = inputs["input_ids"].shape[1]
    for _ in range(ROOM):
        with torch.inference_mode():
            token = lvlm.model(**inputs, use_cache=False).logits[:, -1:].argmax(dim=2)
        beside = {"attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 0}
        inputs |= {"input_ids": torch.cat([inputs["input_ids"], token], dim=1)}
        inputs |= {
            name: torch.nn.functional.pad(inputs[name], (0, 1), value=value)
            for name, value in beside.items()
            if name in inputs
        }
    return inputs["input_ids"][0, ahead:].tolist()


def counted(lvlm: TransformersLVLM, asked: Conversation, tokens: list[str]) -> list[int]:
    """How often each of the tokens is in the prompt."""
    prompt = lvlm._inputs([asked], 1)["input_ids"][0].tolist()
    return [prompt.count(lvlm.processor.tokenizer.convert_tokens_to_ids(token)) for token in tokens]


def as_text(lvlm: TransformersLVLM, tokens: list[int]) -> str:
    return lvlm.processor.decode(tokens, skip_special_tokens=True).strip()


@contextmanager
def saying(lvlm: TransformersLVLM, token: int, instead_of: int) -> Iterator[list[int]]:
    """The model says one token where it would have said another; yields a list that grows by one with every pass.

    The same token twice changes nothing.
    """
    passes: list[int] = []

    def swap(_: object, __: object, logits: torch.Tensor) -> torch.Tensor:
        order = list(range(logits.shape[-1]))
        order[token], order[instead_of] = instead_of, token
        passes.append(len(logits))
        return logits[..., order]

    hook = lvlm.model.get_output_embeddings().register_forward_hook(swap)
    try:
        yield passes
    finally:
        hook.remove()


def test_each_of_three_pictures_in_a_turn_and_their_order_are_seen(lvlm: TransformersLVLM, any_mass: None) -> None:
    shown = [(1, 2, 3), (9, 2, 3), (1, 9, 3), (1, 2, 9), (3, 2, 1), (1, 2)]
    found = spurious(lvlm, [question("what is here?", *seeds) for seeds in shown])
    assert len({round(p, 5) for p in found}) == len(shown)


def test_pictures_are_encoded_once_however_long_the_answer_and_the_judge_sees_none(
    lvlm: TransformersLVLM, any_mass: None
) -> None:
    calls: list[int] = []
    tower = next(
        part
        for name, part in lvlm.model.named_modules()
        if name.rpartition(".")[2] in {"vision_tower", "visual"} or name.endswith("model.vision_model")
    )
    hook = tower.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        lvlm.ask([THREE], max_tokens=ROOM)
        assert len(calls) == 1
        judge(lvlm, [CASE], [Critique("", ("the square", "the strokes"))])
        assert len(calls) == 1
    finally:
        hook.remove()


def test_answers_in_a_batch_are_those_given_alone(lvlm: TransformersLVLM) -> None:
    alone = [lvlm.ask([talk], max_tokens=ROOM)[0] for talk in MIXED]
    assert lvlm.ask(MIXED, max_tokens=ROOM) == alone
    assert len({answer.text for answer in alone}) > len(MIXED) // 2
    assert all(answer.choice_probabilities == {} for answer in alone)


def test_an_answer_is_the_likeliest_token_after_token(lvlm: TransformersLVLM) -> None:
    assert lvlm.ask([THREE], max_tokens=ROOM)[0].text == as_text(lvlm, written(lvlm, THREE))


def test_a_conversation_without_a_picture_is_answered_by_its_text(folder: Path, any_mass: None) -> None:
    fresh = load_transformers(str(folder))  # it has never seen a picture
    found = spurious(fresh, [question("what is the cluster?"), question("what is the digit?")])
    assert found[0] != pytest.approx(found[1], abs=1e-5)
    fresh.ask([THREE], max_tokens=2)
    assert spurious(fresh, [question("what is the cluster?")]) == pytest.approx(found[:1], abs=1e-5)


def test_choices_have_a_distribution_which_is_the_same_in_a_batch_and_alone(
    lvlm: TransformersLVLM, any_mass: None
) -> None:
    together = lvlm.ask(MIXED, choices=CHOICES)
    for talk, answer in zip(MIXED, together, strict=True):
        (alone,) = lvlm.ask([talk], choices=CHOICES)
        assert answer.choice_probabilities == pytest.approx(alone.choice_probabilities, abs=1e-5)
        assert set(answer.choice_probabilities) == set(CHOICES)
        assert sum(answer.choice_probabilities.values()) == pytest.approx(1)
        assert all(0 < p < 1 for p in answer.choice_probabilities.values())
        assert answer.text == max(CHOICES, key=lambda choice: answer.choice_probabilities[choice])


def test_choices_are_scored_as_the_first_token_of_an_answer_would_be(lvlm: TransformersLVLM, any_mass: None) -> None:
    inputs = lvlm._inputs(MIXED, 1)
    first = lvlm.model.generate(**inputs, max_new_tokens=1, output_logits=True, return_dict_in_generate=True)
    scores = first.logits[0].softmax(dim=1)
    begins = lvlm._first_tokens(CHOICES)
    for choice, tokens in begins.items():
        words = [lvlm.processor.tokenizer.decode([token]).strip().lower() for token in tokens]
        assert all(word and choice.startswith(word) for word in words)
    mass = torch.stack([scores[:, tokens].sum(dim=1) for tokens in begins.values()])
    assert spurious(lvlm, MIXED) == pytest.approx((mass[0] / mass.sum(dim=0)).tolist(), abs=1e-5)


def test_an_answer_ends_with_the_end_token_while_the_rest_of_the_batch_goes_on(lvlm: TransformersLVLM) -> None:
    plain = written(lvlm, THREE)
    last = next(token for token in reversed(plain) if token not in plain[:2])
    end = lvlm.processor.tokenizer.eos_token_id
    with saying(lvlm, end, instead_of=last) as passes:
        (alone,) = lvlm.ask([THREE], max_tokens=ROOM)
        assert len(passes) == plain.index(last) + 1
        passes.clear()
        together = lvlm.ask(MIXED, max_tokens=ROOM)
        assert len(passes) == ROOM
        assert together == [lvlm.ask([talk], max_tokens=ROOM)[0] for talk in MIXED]
    assert alone == together[0]
    assert alone.text == as_text(lvlm, plain[: plain.index(last)])


def test_an_answer_cut_at_max_tokens_is_its_beginning_and_says_nothing_of_the_cut(lvlm: TransformersLVLM) -> None:
    plain = written(lvlm, THREE)
    with saying(lvlm, plain[0], instead_of=plain[0]) as passes:
        (cut,) = lvlm.ask([THREE], max_tokens=3)
    assert len(passes) == 3
    assert cut.text == as_text(lvlm, plain[:3])
    assert cut.choice_probabilities == {}


def test_what_a_checkpoint_says_of_sampling_and_of_repetition_is_not_followed(
    folder: Path, lvlm: TransformersLVLM, tmp_path: Path
) -> None:
    lively = tmp_path / "lively"
    shutil.copytree(folder, lively)
    published = json.loads((lively / "generation_config.json").read_text())
    published |= {"do_sample": True, "temperature": 5.0, "repetition_penalty": 5.0, "no_repeat_ngram_size": 1}
    (lively / "generation_config.json").write_text(json.dumps(published))
    assert load_transformers(str(lively)).ask(MIXED, max_tokens=ROOM) == lvlm.ask(MIXED, max_tokens=ROOM)


def test_the_models_own_tokens_in_a_text_are_words_like_others(lvlm: TransformersLVLM) -> None:
    own = [lvlm.processor.image_token, lvlm.processor.tokenizer.eos_token]
    for token in own:
        for seeds in ((), (1, 2, 3)):
            asked = question(f"what {token} is here? {token * 2}", *seeds)
            assert counted(lvlm, asked, own) == counted(lvlm, question("what is here?", *seeds), own)
            assert len(lvlm.ask([asked], max_tokens=2)) == 1


def test_a_question_longer_than_the_context_is_refused(lvlm: TransformersLVLM) -> None:
    with pytest.raises(LVLMError, match=rf"tokens.*holds {CONTEXT}"):
        lvlm.ask([question("what " * CONTEXT)])


def test_half_precision_is_computed_throughout(folder: Path, any_mass: None) -> None:
    half = load_transformers(str(folder), dtype="bfloat16")
    assert half.ask([THREE], max_tokens=2)[0].choice_probabilities == {}
    assert all(0 < p < 1 for p in spurious(half, MIXED))


MARKS = draw_marks(picture(1), np.repeat([[0, 1]], 2, axis=0).astype(np.int8), size=SIDE)
CASE = Case(MARKS, "digit", ClassSpecification("digit", "the strokes", "the square"))


def test_a_critique_that_cannot_be_read_leaves_every_cluster_uncertain(lvlm: TransformersLVLM) -> None:
    """It is asked for again first, with the answer and a reminder, which every template has to take."""
    (critique,) = criticise(lvlm, [CASE])
    assert critique.by_cluster == ("", "")
    ((first, second),) = judge(lvlm, [CASE], [critique])
    assert (first.value, first.p_spurious) == (second.value, second.p_spurious) == ("uncertain", 0.5)
    assert first.reason == "The critic said nothing of region 1 that could be read."


def test_a_judge_about_to_say_something_else_is_asked_again_and_then_uncertain(
    lvlm: TransformersLVLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "LEAST_MASS", 1.0)
    ((verdict,),) = judge(lvlm, [CASE], [Critique("", ("the square",))])
    assert (verdict.value, verdict.p_spurious) == ("uncertain", 0.5)
    assert "could not be read, asked twice" in verdict.reason


def test_the_judge_reads_the_probability_of_its_two_words(lvlm: TransformersLVLM, any_mass: None) -> None:
    ((first, second),) = judge(lvlm, [CASE], [Critique("", ("the square", "the strokes"))], thresholds=(0.0, 1.0))
    assert first.value == second.value == "uncertain"
    assert first.p_spurious != pytest.approx(second.p_spurious, abs=1e-5)
    assert "between the thresholds 0 and 1" in first.reason


def test_a_model_that_may_think_aloud_is_asked_to_answer_at_once(tmp_path: Path) -> None:
    save_family("Qwen3.5", tmp_path)
    lvlm = load_transformers(str(tmp_path))
    prompt = lvlm.processor.decode(lvlm._inputs([THREE], 1)["input_ids"][0])
    assert prompt.endswith("<think>\n\n</think>\n\n")


def test_a_package_that_a_family_needs_and_that_is_missing_is_named(
    tmp_path: Path, no_package_for_videos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_family("SmolVLM", tmp_path)
    monkeypatch.setattr(processing_smolvlm, "num2words", None)
    with pytest.raises(LVLMError, match=r"could not be loaded.*num2words"):
        load_transformers(str(tmp_path))
