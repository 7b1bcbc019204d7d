"""The contract of the Transformers backend, on a tiny LLaVA with random weights."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, SiglipVisionConfig

from worker.lvlm import Conversation, LVLMError, Turn, load
from worker.lvlm import transformers as backend
from worker.lvlm.embedded.building import IMAGE, PATCH, PICTURE, PICTURE_TOKENS, SPECIAL, build_processor
from worker.lvlm.transformers import TransformersLVLM, load_transformers

WORDS = [*SPECIAL, "\n", *"abcdefghijklmnopqrstuvwxyz", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")]
WORDS += ["what", "is", "here", "spurious", "relevant", "?", "respite", "spurt"]
CONTEXT = 400
CHOICES = ("spurious", "relevant")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved chat model, as people point the settings at."""
    path = tmp_path_factory.mktemp("lvlm") / "tiny"
    config = LlavaConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=PICTURE,
            patch_size=PATCH,
            vision_use_head=False,
        ),
        text_config=LlamaConfig(
            vocab_size=len(WORDS),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=CONTEXT,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=6,
            tie_word_embeddings=False,
        ),
        image_token_index=IMAGE,
        image_seq_length=PICTURE_TOKENS,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config)
    with torch.no_grad():
        # Random weights hardly differ in what they say: louder, they do.
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(6)
    model.half().save_pretrained(path)
    build_processor(WORDS).save_pretrained(path)
    return path


@pytest.fixture(scope="session")
def lvlm(folder: Path) -> TransformersLVLM:
    return load_transformers(str(folder))


@pytest.fixture
def any_mass(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Random weights spread over all tokens: take the choices however unlikely they are."""
    monkeypatch.setattr(backend, "LEAST_MASS", 0.0)
    return


def picture(grey: int) -> Image.Image:
    return Image.new("L", (28, 28), grey).convert("RGB")


def question(text: str, *greys: int) -> Conversation:
    return (Turn("user", text, tuple(picture(grey) for grey in greys)),)


MIXED = [
    question("what is here?", 0, 120, 255),
    question("what?"),
    (Turn("system", "a b c"), *question("is here?", 30), Turn("assistant", "spurious"), Turn("user", "what is here?")),
    question("here is what is here?", 255, 0, 120),
]


def test_answers_in_a_batch_are_those_given_alone(lvlm: TransformersLVLM) -> None:
    together = lvlm.ask(MIXED, max_tokens=12)
    alone = [lvlm.ask([talk], max_tokens=12)[0] for talk in MIXED]
    assert together == alone
    assert len({answer.text for answer in alone}) > 1
    assert all(answer.choice_probabilities == {} for answer in alone)


def test_small_batches_change_nothing_and_keep_the_order(folder: Path, lvlm: TransformersLVLM) -> None:
    in_pairs = TransformersLVLM(lvlm.model, lvlm.processor, "pairs", batch_size=2)
    assert in_pairs.ask(MIXED, max_tokens=8) == lvlm.ask(MIXED, max_tokens=8)
    assert in_pairs.ask([], max_tokens=8) == []


def test_the_pictures_and_their_order_matter(lvlm: TransformersLVLM, any_mass: None) -> None:
    asked = [question("what?", 0, 120, 255), question("what?", 255, 120, 0), question("what?", 255, 120)]
    found = [answer.choice_probabilities["spurious"] for answer in lvlm.ask(asked, choices=CHOICES)]
    assert len({round(p, 6) for p in found}) == 3


def test_choices_have_the_probabilities_of_their_first_tokens(lvlm: TransformersLVLM, any_mass: None) -> None:
    answers = lvlm.ask(MIXED, choices=CHOICES)
    inputs = lvlm.processor(text="<|user|>what?<|assistant|>", return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        logits = lvlm.model(**inputs).logits[0, -1]
    wanted = logits[[WORDS.index(choice) for choice in CHOICES]].softmax(dim=0)
    assert list(answers[1].choice_probabilities.values()) == pytest.approx(wanted.tolist(), abs=1e-4)
    for answer in answers:
        assert sum(answer.choice_probabilities.values()) == pytest.approx(1)
        assert answer.text == max(CHOICES, key=lambda choice: answer.choice_probabilities[choice])


def test_a_model_about_to_say_something_else_gives_no_choice(
    lvlm: TransformersLVLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "LEAST_MASS", 1.0)
    (answer,) = lvlm.ask([question("what?")], choices=CHOICES)
    assert answer.choice_probabilities == {}
    assert answer.text in " ".join(WORDS)


def test_a_calibrated_model_is_less_sure(folder: Path, tmp_path: Path, any_mass: None) -> None:
    calibrated = tmp_path / "calibrated"
    shutil.copytree(folder, calibrated)
    config = json.loads((calibrated / "config.json").read_text())
    (calibrated / "config.json").write_text(json.dumps(config | {"choice_temperature": 2.0}))
    plain, cooled = (
        load(f"transformers:{path}").ask(MIXED, choices=CHOICES)[0].choice_probabilities
        for path in (folder, calibrated)
    )
    odds = [given["spurious"] / given["relevant"] for given in (plain, cooled)]
    assert odds[1] == pytest.approx(odds[0] ** 0.5, rel=1e-4)


def test_what_could_answer_differently_has_another_identity(
    folder: Path, lvlm: TransformersLVLM, tmp_path: Path
) -> None:
    assert load_transformers(str(folder)).identity == lvlm.identity != ""
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    assert load_transformers(str(copied)).identity == lvlm.identity
    calibrated, retrained = tmp_path / "calibrated", tmp_path / "retrained"
    shutil.copytree(folder, calibrated)
    config = json.loads((calibrated / "config.json").read_text())
    (calibrated / "config.json").write_text(json.dumps(config | {"choice_temperature": 2.0}))
    shutil.copytree(folder, retrained)
    weights = retrained / "model.safetensors"
    before = weights.stat()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = {load_transformers(str(path)).identity for path in (folder, calibrated, retrained)}
    assert len(found) == 3
    assert load_transformers(str(folder), dtype="bfloat16").identity not in found


def test_a_model_that_nobody_loaded_from_somewhere_has_no_identity(lvlm: TransformersLVLM) -> None:
    assert TransformersLVLM(lvlm.model, lvlm.processor, "pairs").identity == ""


def test_choices_that_begin_alike_are_refused(lvlm: TransformersLVLM) -> None:
    with pytest.raises(LVLMError, match="cannot tell sad and sun apart"):
        lvlm.ask([question("what?")], choices=("sad", "sun"))


def test_an_answer_is_cut_at_max_tokens(lvlm: TransformersLVLM) -> None:
    longer, cut = (lvlm.ask([MIXED[0]], max_tokens=room)[0].text for room in (12, 3))
    assert longer.startswith(cut)
    assert len(cut) < len(longer)


def test_tokens_are_counted_without_the_padding_of_a_batch(lvlm: TransformersLVLM, any_mass: None) -> None:
    together = [answer.tokens for answer in lvlm.ask(MIXED, max_tokens=3)]
    assert together == [lvlm.ask([talk], max_tokens=3)[0].tokens for talk in MIXED]
    assert len({read for read, _ in filter(None, together)}) > 1
    assert all(0 < written <= 3 for _, written in filter(None, together))
    chosen = lvlm.ask(MIXED, choices=CHOICES)
    assert [answer.tokens for answer in chosen] == [(read, 1) for read, _ in filter(None, together)]


def test_a_question_longer_than_the_context_is_refused_not_cut(lvlm: TransformersLVLM) -> None:
    with pytest.raises(LVLMError, match=rf"tokens.*holds {CONTEXT}"):
        lvlm.ask([question("what " * CONTEXT)])


def test_the_data_type_is_the_one_asked_for_whatever_the_checkpoint_has(folder: Path, lvlm: TransformersLVLM) -> None:
    assert lvlm.model.dtype == torch.float32
    assert load_transformers(str(folder), dtype="bfloat16").model.dtype == torch.bfloat16


def test_a_missing_folder_and_a_missing_file_are_named_at_once(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LVLMError, match="no folder /nowhere/at/all"):
        load("transformers:/nowhere/at/all")
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.safetensors").unlink()
    with pytest.raises(LVLMError, match=r"model\.safetensors"):
        load(f"transformers:{broken}")


def test_weights_in_a_pickle_are_not_read(folder: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(folder, pickled)
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(LVLMError, match="could not be loaded"):
        load(f"transformers:{pickled}")


def test_a_model_without_a_chat_template_is_refused(folder: Path, tmp_path: Path) -> None:
    mute = tmp_path / "mute"
    shutil.copytree(folder, mute)
    (mute / "chat_template.jinja").unlink()
    with pytest.raises(LVLMError, match="no chat template"):
        load(f"transformers:{mute}")
