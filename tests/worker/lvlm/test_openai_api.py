from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from PIL import Image

from tests.worker.lvlm.answering import Reply, Server, completion, serving
from worker.lvlm import Answer, Call, LVLMError, Patience, Turn, load
from worker.lvlm.openai_api import OpenAILVLM

HERE = frozenset({"127.0.0.1"})
QUICK = Patience(timeout=2.0, tries=3, first_wait=0.01)
HELLO = ((Turn("user", "Hello", (Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4)))),),)
CHOICES = ("spurious", "relevant")


@contextmanager
def lvlm(
    server: Server, patience: Patience = QUICK, calls: list[Call] | None = None, key: str = ""
) -> Iterator[OpenAILVLM]:
    with OpenAILVLM(
        "small",
        server.url,
        allowed_hosts=HERE,
        key=key,
        patience=patience,
        on_call=[].append if calls is None else calls.append,
    ) as model:
        yield model


def test_an_answer_comes_back_and_pictures_go_out_before_the_text() -> None:
    with serving(Reply(body=completion(" Good day. "))) as server, lvlm(server, key="secret") as model:
        answers = model.ask(HELLO, max_tokens=7)
    assert [answer.text for answer in answers] == ["Good day."]
    assert answers[0].choice_probabilities == {}
    (request,) = server.requests
    assert request["path"] == "/v1/chat/completions"
    assert (request["model"], request["max_tokens"], request["temperature"]) == ("small", 7, 0)
    content = request["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert content[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert server.seen_headers[0]["Authorization"] == "Bearer secret"


def test_answers_keep_the_order_of_the_questions_and_few_are_under_way_at_once() -> None:
    replies = [Reply(body=completion("late"), after=0.2), Reply(body=completion("soon"), after=0.02)]
    patience = Patience(timeout=5.0, at_once=2)
    with serving(*replies) as server, lvlm(server, patience) as model:
        answers = model.ask(HELLO * 6)
    assert sorted(answer.text for answer in answers) == ["late"] + ["soon"] * 5
    assert server.most_at_once == 2


def test_requests_begin_no_faster_than_the_rate_limit() -> None:
    with serving(Reply(body=completion("yes"))) as server, lvlm(server, Patience(per_minute=1200.0)) as model:
        model.ask(HELLO * 4)
    times = sorted(server.times)
    assert times[-1] - times[0] >= 0.12


def test_choices_are_read_from_the_scores_of_the_first_token() -> None:
    top = {" sp": 0.3, "Spurious": 0.3, "relevant": 0.2, "s": 0.1, "The": 0.05, "re": 0.05}
    with serving(Reply(body=completion("spurious", top))) as server, lvlm(server) as model:
        (answer,) = model.ask(HELLO, choices=CHOICES)
    assert answer.text == "spurious"
    assert answer.choice_probabilities == pytest.approx({"spurious": 0.7 / 0.95, "relevant": 0.25 / 0.95})
    assert server.requests[0]["logprobs"] is True


@pytest.mark.parametrize("top", [None, {}, {"The": 0.9, "spurious": 0.001}])
def test_without_scores_for_the_choices_only_the_words_come_back(top: dict[str, float] | None) -> None:
    with serving(Reply(body=completion("The cluster", top))) as server, lvlm(server) as model:
        (answer,) = model.ask(HELLO, choices=CHOICES)
    assert (answer.text, answer.choice_probabilities) == ("The cluster", {})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_or_failing_server_is_asked_again_and_every_try_is_recorded(status: int) -> None:
    calls: list[Call] = []
    with serving(Reply(status), Reply(body=completion("yes"))) as server, lvlm(server, calls=calls) as model:
        (answer,) = model.ask(HELLO)
    assert answer.text == "yes"
    assert [(call.host, call.images) for call in calls] == [("127.0.0.1", 2)] * 2
    assert all(call.bytes > 200 and call.at <= datetime.now(UTC) for call in calls)


@pytest.mark.parametrize("as_date", [False, True])
def test_a_server_that_says_when_to_come_back_is_obeyed(as_date: bool) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if as_date else "1"
    busy = Reply(429, headers={"Retry-After": when})
    with serving(busy, Reply(body=completion("yes"))) as server, lvlm(server) as model:
        model.ask(HELLO)
    assert server.times[1] - server.times[0] >= 0.9


def test_a_server_that_keeps_failing_ends_in_a_sentence() -> None:
    with serving(Reply(500)) as server, lvlm(server) as model:
        with pytest.raises(LVLMError, match=r"no answer in 3 tries; the last ended with status 500"):
            model.ask(HELLO)
        assert len(server.requests) == 3


def test_a_timeout_is_tried_again() -> None:
    slow, quick = Reply(body=completion("late"), after=0.6), Reply(body=completion("yes"))
    patience = Patience(timeout=0.2, tries=2, first_wait=0.01)
    with serving(slow, quick) as server, lvlm(server, patience) as model:
        assert model.ask(HELLO)[0].text == "yes"
        assert len(server.requests) == 2


def test_a_refusal_is_not_tried_again() -> None:
    with serving(Reply(401, b"wrong key")) as server, lvlm(server) as model:
        with pytest.raises(LVLMError, match="refused the question with status 401: wrong key"):
            model.ask(HELLO)
        assert len(server.requests) == 1


def test_a_redirect_is_not_followed() -> None:
    elsewhere = Reply(302, headers={"Location": "http://elsewhere.invalid/"})
    with serving(elsewhere) as server, lvlm(server) as model, pytest.raises(LVLMError, match="status 302"):
        model.ask(HELLO)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"choices": []}', b'{"choices": [{}]}'])
def test_an_answer_in_another_form_is_refused(body: bytes) -> None:
    with (
        serving(Reply(body=body)) as server,
        lvlm(server) as model,
        pytest.raises(LVLMError, match="no chat completion"),
    ):
        model.ask(HELLO)


@pytest.mark.parametrize("choices", [(), CHOICES])
def test_an_answer_without_words_is_an_empty_one(choices: tuple[str, ...]) -> None:
    with serving(Reply(body=completion(None))) as server, lvlm(server) as model:
        assert model.ask(HELLO, choices=choices) == [Answer("")]


def test_each_run_is_told_of_its_own_calls_at_one_pace() -> None:
    mine: list[Call] = []
    others: list[Call] = []
    with serving(Reply(body=completion("yes"))) as server, lvlm(server, Patience(per_minute=600.0)) as model:
        model.telling(mine.append).ask(HELLO)
        model.telling(others.append).ask(HELLO * 2)
    assert (len(mine), len(others)) == (1, 2)
    assert server.times[-1] - server.times[0] >= 0.18


def test_nothing_is_sent_to_a_host_that_is_not_allowed() -> None:
    with serving(Reply(body=completion("yes"))) as server:
        spec = f"openai:small@{server.url}"
        with pytest.raises(LVLMError, match=r"may not be sent to 127.0.0.1.*Nothing was sent"):
            load(spec, allowed_hosts=frozenset({"lvlm.hospital.example"}))
        assert server.requests == []


@pytest.mark.parametrize(
    "spec", ["openai:small", "openai:@http://127.0.0.1/v1", "openai:small@ftp://127.0.0.1", "gpt", ""]
)
def test_a_specification_of_no_lvlm_is_refused(spec: str) -> None:
    with pytest.raises(LVLMError):
        load(spec, allowed_hosts=HERE)
