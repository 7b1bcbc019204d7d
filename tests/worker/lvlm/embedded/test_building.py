from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from worker.lvlm.embedded.building import (
    FIRST_WORD,
    FREQUENT_WORDS,
    HEADERS,
    HEADS,
    NAME_LENGTH,
    PLACE_WORDS,
    SPECIAL,
    THING_WORDS,
    WIDTH,
    answer_words,
    build_model,
    spoken,
    turn,
    vocabulary,
)

WORDS = [*SPECIAL, "\n", *HEADERS, *dict.fromkeys((*THING_WORDS, *PLACE_WORDS))]


def embeddings() -> Tensor:
    made = torch.randn(len(WORDS), WIDTH, generator=torch.Generator().manual_seed(1)) / 2
    headers = [WORDS.index(header) for header in HEADERS]
    made[headers] *= NAME_LENGTH / made[headers].norm(dim=1, keepdim=True)
    return made


def meaning(words: str) -> Tensor:
    return torch.stack([embeddings()[WORDS.index(word)] for word in words.split()]).sum(dim=0)


def test_the_turn_keeps_lengths_and_is_the_same_each_time() -> None:
    assert torch.allclose(turn() @ turn().T, torch.eye(WIDTH), atol=1e-5)
    assert torch.equal(turn(), turn())


@torch.no_grad()
def test_the_untrained_model_finds_a_patch_by_its_header_and_hears_what_it_says() -> None:
    model = build_model(WORDS, embeddings(), 0)
    look = model.model.language_model.layers[0].self_attn
    assert isinstance(model.model.language_model.layers[0].input_layernorm, LlamaRMSNorm)
    things = ("grey square", "digit strokes", "empty background")
    patches = torch.stack(
        [
            (embeddings()[WORDS.index(header)] + meaning(things[index % 3])) @ turn()
            for index, header in enumerate(HEADERS)
        ]
    )
    headers = embeddings()[[WORDS.index(header) for header in HEADERS]]
    normed, asking = (torch.nn.functional.rms_norm(rows, (WIDTH,)) for rows in (patches, headers))
    size = WIDTH // HEADS
    scores = look.q_proj(asking)[:, :size] @ look.k_proj(torch.cat([normed, asking]))[:, :size].T / size**0.5
    attention = scores.softmax(dim=1)
    assert (attention[:, : len(HEADERS)].diagonal() > 0.9).all()
    value = look.v_proj(normed)
    heard = look.o_proj(torch.nn.functional.pad(value[:, :size], (0, WIDTH - size)))
    for index in range(len(HEADERS)):
        likeness = [float(torch.cosine_similarity(heard[index], meaning(thing), dim=0)) for thing in things]
        assert likeness.index(max(likeness)) == index % 3


def test_known_words_go_in_and_those_of_answers_out() -> None:
    words = [*WORDS, "hinge"]
    rows = torch.cat([embeddings(), torch.ones(1, WIDTH)])
    model = build_model(words, rows, 0)
    assert torch.equal(model.get_input_embeddings().weight, rows)
    said = [words.index(word) for word in answer_words() if word in words]
    assert spoken(model).tolist() == sorted(said)
    assert words.index("hinge") not in said
    scores = model.lm_head(rows)
    assert (scores[said].argmax(dim=1) == torch.tensor(said)).all()
    assert (scores[:, words.index("hinge")] == 0).all()


def test_the_vocabulary_has_the_words_of_answers_and_frequent_english_once_each(tmp_path: Path) -> None:
    pytest.importorskip("wordfreq")
    theirs = [f"[unused{number}]" for number in range(FIRST_WORD)] + [
        "the",
        "##ing",
        "knee",
        ";",
        ",",
        "##z",
        "caf\u00e9",
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(theirs), encoding="utf-8")
    words = vocabulary(tmp_path)
    assert words[: len(SPECIAL)] == list(SPECIAL)
    assert {"##ing", "##z", "hinge", "atypical", *answer_words()} <= set(words)
    assert len(words) == len(set(words)) > FREQUENT_WORDS * 0.9
    assert "caf\u00e9" not in words
