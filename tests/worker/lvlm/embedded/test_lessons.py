from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import LlavaProcessor

from worker.lvlm.embedded import lessons, tints, wording
from worker.lvlm.embedded.batches import IGNORED, STATUSES, as_pixels, collate
from worker.lvlm.embedded.building import (
    HEADERS,
    IMAGE,
    PICTURE_TOKENS,
    SPECIAL,
    WIDTH,
    answer_words,
    build_model,
    build_processor,
    domain_words,
    spoken,
)
from worker.lvlm.embedded.lessons import Lesson, Material, draw_pictures, some_clusters
from worker.lvlm.embedded.pupils import draw_scenes
from worker.lvlm.embedded.scenes import Scene
from worker.lvlm.embedded.teaching import Listener, answer_loss
from worker.lvlm.embedded.tower import COLOURS, THINGS, TINTS, dense_labels
from worker.lvlm.transformers import as_messages
from worker.method.critic import ClassSpecification
from worker.method.marks import draw_marks

KINDS = [
    lessons.naming,
    lessons.heeding_simply,
    lessons.heeding,
    lessons.looking,
    lessons.listening,
    lessons.skimming,
    lessons.criticising,
    lessons.describing,
    lessons.judging,
]


@cache
def processor() -> LlavaProcessor:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:;()?!'-*/&"
    pieces = [f"##{letter}" for letter in letters]  # of words that do not exist
    return build_processor([*SPECIAL, "\n", *HEADERS, *dict.fromkeys([*letters, *pieces, *domain_words()])])


@cache
def material() -> Material:
    return draw_pictures(draw_scenes(12, np.random.default_rng(0)))


def lesson(kind: Callable[..., Lesson], index: int = 3) -> Lesson:
    return kind(material(), index, np.random.default_rng(index))


def text(of: Lesson) -> str:
    return "".join(
        piece.text if piece.text.startswith((":", "\n")) else f" {piece.text}" for piece in of.answer
    ).strip()


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_of_a_lesson_is_unknown(kind: Callable[..., Lesson]) -> None:
    tokenizer = processor().tokenizer
    for index in range(10):
        of = lesson(kind, index)
        for said in (of.question[0].text, text(of)):
            assert tokenizer.unk_token_id not in tokenizer(said, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_holds_the_tokens_that_the_product_would_ask_with(kind: Callable[..., Lesson]) -> None:
    of = lesson(kind)
    batch = collate([of], material(), processor())
    asked = processor().apply_chat_template(
        [as_messages(of.question)],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )["input_ids"][0]
    assert torch.equal(batch.tokens[0, : len(asked)], asked)
    assert (batch.labels[0, : len(asked)] == IGNORED).all()
    assert int((batch.tokens == IMAGE).sum()) == PICTURE_TOKENS * (0 if of.scene is None else len(of.shown))
    written = batch.labels[0][batch.labels[0] != IGNORED]
    learned = " ".join(piece.text for piece in of.answer if piece.learned)
    assert (
        processor().tokenizer.decode(written[:-1]).split()
        == processor().tokenizer.decode(processor().tokenizer(learned, add_special_tokens=False)["input_ids"]).split()
    )


def test_the_pictures_of_a_lesson_are_those_the_processor_would_make() -> None:
    scene = material().scenes[3]
    marks = draw_marks(Image.fromarray(scene.image), scene.assignment)
    made = processor().image_processor([marks.image, marks.cluster_map, marks.overlay], return_tensors="pt")
    assert torch.allclose(made["pixel_values"], as_pixels(material().pictures[3]), atol=2 / 255)


def test_what_cannot_be_known_from_the_question_is_not_learned() -> None:
    assert [piece.learned for piece in lesson(lessons.listening).answer][:3] == [True, False, True]
    assert all(piece.learned for piece in lesson(lessons.criticising).answer)


def test_a_few_clusters_are_picked_with_the_rare_things_as_often_as_the_others() -> None:
    scene = material().scenes[3]
    clusters = len(np.unique(scene.assignment[scene.assignment >= 0]))
    others = (0.0,) * (len(scene.artefact) - 1)
    rare = Scene(**{**vars(scene), "artefact": (0.9, *others), "core": (0.0, *(1.0 for _ in others))})
    generator = np.random.default_rng(0)
    picks = [some_clusters(rare, generator) for _ in range(300)]
    alone = [pick[0] for pick in picks if len(pick) == 1]
    assert alone.count(1) / len(alone) == pytest.approx(0.5, abs=0.12)
    assert all(pick == sorted(set(pick)) and 1 <= len(pick) <= clusters for pick in picks)


def test_the_loss_is_the_mean_over_learned_tokens_as_the_model_itself_computes_it() -> None:
    batch = collate([lesson(lessons.looking, index) for index in range(3)], material(), processor())
    words = processor().tokenizer.convert_ids_to_tokens(range(len(processor().tokenizer)))
    model = build_model(words, torch.randn(len(words), WIDTH), 0).eval()
    with torch.inference_mode():
        ours, listened = answer_loss(model, batch, spoken(model), model.lm_head.weight[spoken(model)])
        theirs = model(
            input_ids=batch.tokens, attention_mask=batch.mask, pixel_values=batch.pictures, labels=batch.labels
        ).loss
    assert float(ours) == pytest.approx(float(theirs), rel=1e-4)
    assert float(listened) == 0


def test_every_word_that_names_a_thing_carries_its_status_in_question_and_answer() -> None:
    words = wording.Wording(
        ClassSpecification("7", "Look at the strokes", "the grey box and the empty part"),
        {"core": "relevant", "artefact": "spurious", "background": "spurious"},
        "relevant",
        (("the strokes", "core"), ("the grey box", "artefact"), ("the empty part", "background")),
    )
    said = [("grey square", "x"), ("digit strokes", "y")]
    of = lessons._each(words.specification, said, lessons.heard(words, "digits"), np.random.default_rng(0))
    batch = collate([of, lesson(lessons.looking)], material(), processor())
    decode = processor().tokenizer.convert_ids_to_tokens
    row, told, asked = batch.tokens[0], batch.told[0], batch.asked[0]
    names = {STATUSES[int(status)]: decode(row[told == status]) for status in told.unique() if status != IGNORED}
    assert names == {"relevant": ["the", "strokes"], "spurious": ["the", "grey", "box", "the", "empty", "part"]}
    names = {STATUSES[int(status)]: decode(row[asked == status]) for status in asked.unique() if status != IGNORED}
    assert names == {"relevant": ["digit", "strokes"], "spurious": ["grey", "square"]}
    assert (batch.told[1] == IGNORED).all()
    assert (batch.asked[1] == IGNORED).all()


def test_rows_are_kin_to_those_at_a_small_angle_the_nearest_first() -> None:
    rows = torch.tensor([[1.0, 0.0], [2.0, 0.2], [1.0, 0.9], [-1.0, 0.0]])
    assert lessons.kin(rows) == [[1, 2], [0, 2], [1, 0], []]


def test_a_word_is_also_asked_about_by_one_that_is_like_it_with_the_same_answer() -> None:
    words = ["knee", "patella", "frame", "border", "letter", "initial", "lesion", "mole"]
    recalling = lessons.recalling(words, torch.eye(4).repeat_interleave(2, dim=0))
    others = 0
    for index in range(40):
        of = lesson(recalling, index)
        told = dict(of.heard.told)
        for word, status in of.heard.asked:
            twin = words[words.index(word) ^ 1]
            assert status == told.get(word, told.get(twin, "unnamed")) or {word, twin} <= set(told)
            others += word not in told and twin in told
    assert others > 40


def test_no_word_that_is_held_out_is_recalled() -> None:
    held_out = sorted(wording.held_out_words())
    assert len(held_out) > 50
    recalling = lessons.recalling(
        [*held_out, "knee", "bone", "hair", "ruler", "shadow", "letter", "frame"], torch.eye(len(held_out) + 7)
    )
    asked = {word for index in range(40) for word, _ in lesson(recalling, index).heard.asked}
    assert asked
    assert asked.isdisjoint(held_out)


def test_writing_on_a_picture_changes_its_pictures_and_nothing_else() -> None:
    scenes = material().scenes
    written = draw_pictures(list(scenes) * 8, ["marker", "ignore"], np.random.default_rng(0))
    plain = material().pictures.repeat(8, 1, 1, 1, 1)
    changed = (written.pictures != plain).flatten(2).any(dim=2)
    assert 0.05 < float(changed[:, 0].float().mean()) < 0.25
    assert (changed[:, 0] == changed[:, 2]).all()
    assert not changed[:, 1].any()
    assert list(written.scenes) == list(scenes) * 8


def test_the_model_can_say_every_answer() -> None:
    ids = set(processor().tokenizer(" ".join(answer_words()), add_special_tokens=False)["input_ids"])
    ids |= set(processor().tokenizer.convert_tokens_to_ids([*HEADERS, "\n", "<|end|>"]))
    for kind in KINDS:
        for index in range(12):
            labels = collate([lesson(kind, index)], material(), processor()).labels
            assert set(labels[labels != IGNORED].tolist()) <= ids


def test_an_answer_that_the_model_cannot_say_is_refused() -> None:
    of = lesson(lessons.judging)
    words = processor().tokenizer.convert_ids_to_tokens(range(len(processor().tokenizer)))
    model = build_model(words, torch.randn(len(words), WIDTH), 0)
    batch = collate([of], material(), processor())
    with pytest.raises(ValueError, match="cannot say"):
        answer_loss(model, batch, torch.tensor([0, 1]), model.lm_head.weight[:2])


def test_words_at_random_are_recalled_with_the_side_they_stood_on() -> None:
    words = ["a", "knee", "bone", "hair", "ruler", "shadow", "letter", "##s", "frame", "plaster"]
    recalling = lessons.recalling(words, torch.eye(len(words)))
    seen = set()
    for index in range(40):
        of = lesson(recalling, index)
        text = of.question[0].text.split("\n")[0]
        fields = {part.split(": ")[0]: part for part in text.removesuffix(".").split(". ")[1:]}
        relevant, spurious = fields["Relevant"], fields["Spurious"]
        for given, said in zip(of.answer[::2], of.answer[1::2], strict=True):
            word = given.text.strip("\n;")
            assert not given.learned
            side = "relevant" if word in relevant else "spurious" if word in spurious else ""
            assert said.text.startswith(f"named as {side};" if side else "not named;")
            assert of.heard is not None
            assert dict(of.heard.asked)[word] == (side or "unnamed")
            seen.add(said.text)
    assert seen == {
        "named as relevant; relevant",
        "named as spurious; spurious",
        "not named; relevant",
        "not named; spurious",
    }


def test_the_listener_learns_a_status_from_the_layer_that_holds_it() -> None:
    batch = collate([lesson(lessons.heeding, index) for index in range(4)], material(), processor())
    assert (batch.told != IGNORED).any()
    assert (batch.asked != IGNORED).any()
    listener = Listener(WIDTH)
    holding = torch.zeros(*batch.tokens.shape, WIDTH)
    for statuses in (batch.told, batch.asked):
        known = statuses != IGNORED
        holding[known] = torch.nn.functional.one_hot(statuses[known], WIDTH).float()
    layers = [torch.zeros_like(holding), torch.zeros_like(holding), holding, holding, torch.zeros_like(holding)]
    optimizer = torch.optim.Adam(listener.parameters(), lr=0.1)
    first = listener.loss(layers, batch).item()
    assert first == pytest.approx(2 * np.log(len(STATUSES)), rel=1e-5)
    for _ in range(100):
        optimizer.zero_grad()
        loss = listener.loss(layers, batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


@pytest.mark.parametrize("index", [0, 5, -1])
def test_dense_labels_are_those_counted_pixel_by_pixel(index: int) -> None:
    scene = material().scenes[index]
    labels = dense_labels(scene).reshape(7, 7, THINGS + THINGS * COLOURS + TINTS)
    first = 3 * ["digits", "radiograph", "skin"].index(scene.domain)
    height, width = scene.assignment.shape
    near = [
        (int((row + 0.5) * height / 84), int((column + 0.5) * width / 84)) for row in range(84) for column in range(84)
    ]
    for patch in range(49):
        inside = [near[84 * (12 * (patch // 7) + y) + 12 * (patch % 7) + x] for y in range(12) for x in range(12)]
        got = labels[patch // 7, patch % 7]
        on_artefact = [at for at in inside if scene.artefact_pixels[at]]
        assert bool(got[first]) == (len(on_artefact) >= 12)
        for colour in range(6):
            both = sum(scene.assignment[at] == colour for at in on_artefact)
            assert bool(got[THINGS + 6 * first + colour]) == (both >= 12)
        others = [number for number in range(THINGS) if not first <= number < first + 3]
        assert not got[others].any()
        if got[first]:
            assert tints.TINTS[int(got[-TINTS:].nonzero()[0])] == wording.tint_of(scene, "artefact")


def test_a_critique_is_asked_in_every_manner_with_the_pictures_in_their_order() -> None:
    kinds = [of for index in range(60) for of in [lessons.criticising(material(), 3, np.random.default_rng(index))]]
    assert {of.shown for of in kinds} == {(0, 1, 2), (0, 2, 1), (1, 0, 2)}
    for of in kinds:
        first = {
            (0, 1, 2): "Three pictures: an image",
            (0, 2, 1): "the same under",
            (1, 0, 2): "Three pictures: the map",
        }
        assert first[of.shown] in of.question[0].text
    turned = [of.question[0].text.index("Spurious: ") < of.question[0].text.index("Relevant: ") for of in kinds]
    assert 5 < sum(turned) < 35
