import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from PIL import Image

from tests.worker.lvlm.answering import Reply, Server, completion, serving, structured
from worker.lvlm import Answer, Call, LVLMError, Patience, Turn, load
from worker.lvlm.openai_api import LARGEST_ANSWER, OpenAILVLM

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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(status: int) -> None:
    with serving(Reply(body=completion("yes"))) as elsewhere:
        redirect = Reply(status, headers={"Location": elsewhere.url.replace("127.0.0.1", "localhost")})
        with serving(redirect) as server, lvlm(server) as model:
            with pytest.raises(LVLMError, match=f"status {status}"):
                model.ask(HELLO)
            assert len(server.requests) == 1
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        b"\xff\xfe{",
        b"[]",
        b"null",
        b"{}",
        b'{"error": {"message": "no room"}}',
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": "yes"}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        completion("yes")[:-3],
    ],
)
def test_an_answer_in_another_form_is_asked_for_again_and_then_refused(body: bytes) -> None:
    with serving(Reply(body=body)) as server, lvlm(server) as model:
        with pytest.raises(LVLMError, match=r"no answer in 3 tries.*no chat completion"):
            model.ask(HELLO)
        server.replies[:] = [Reply(body=body), Reply(body=completion("yes"))]
        assert model.ask(HELLO) == [Answer("yes")]


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}, (40, 2)),
        ({"prompt_tokens": None}, None),
        ("much", None),
        (None, None),
    ],
)
def test_tokens_are_those_that_the_server_counted(usage: object, tokens: tuple[int, int] | None) -> None:
    body = json.dumps(json.loads(completion("yes")) | {"usage": usage}).encode()
    with serving(Reply(body=body)) as server, lvlm(server) as model:
        answer = model.ask(HELLO)[0]
    assert (answer.text, answer.tokens) == ("yes", tokens)


def test_what_stands_in_the_body_counts_whatever_it_is_said_to_be() -> None:
    page = Reply(body=b"<html>Sign in</html>", headers={"Content-Type": "application/json"})
    answer = Reply(body=completion("yes"), headers={"Content-Type": "text/html"})
    with serving(page, answer) as server, lvlm(server) as model:
        assert model.ask(HELLO) == [Answer("yes")]
        assert len(server.requests) == 2


@pytest.mark.parametrize("half", [Reply(cut=20), Reply(cut=20, unannounced=True)])
def test_half_an_answer_is_asked_for_again(half: Reply) -> None:
    half.body = completion("half")
    with serving(half, Reply(body=completion("yes"))) as server, lvlm(server) as model:
        assert model.ask(HELLO) == [Answer("yes")]
        server.replies[:] = [half]
        with pytest.raises(LVLMError, match="no answer in 3 tries"):
            model.ask(HELLO)


def test_a_body_that_is_not_packed_as_it_says_is_asked_for_again() -> None:
    packed = Reply(body=b"this is not gzip", headers={"Content-Encoding": "gzip"})
    with serving(packed, Reply(body=completion("yes"))) as server, lvlm(server) as model:
        assert model.ask(HELLO) == [Answer("yes")]
        assert len(server.requests) == 2


def test_an_answer_that_ended_for_want_of_room_is_its_beginning() -> None:
    body = json.loads(completion("1 blue: the str"))
    body["choices"][0]["finish_reason"] = "length"
    with serving(Reply(body=json.dumps(body).encode())) as server, lvlm(server) as model:
        assert model.ask(HELLO) == [Answer("1 blue: the str")]


def test_an_answer_that_comes_byte_by_byte_has_no_more_time_than_another() -> None:
    slow = Reply(body=completion("slow"), pause=0.05)
    with serving(slow, Reply(body=completion("yes"))) as server:
        with lvlm(server, Patience(timeout=0.4, tries=2, first_wait=0.01)) as model:
            began = time.monotonic()
            assert model.ask(HELLO) == [Answer("yes")]
        assert time.monotonic() - began < 0.05 * len(slow.body)
        server.replies[:] = [slow]
        with (
            lvlm(server, Patience(timeout=0.2, tries=1)) as model,
            pytest.raises(LVLMError, match=r"took longer than 0\.2 seconds"),
        ):
            model.ask(HELLO)


def test_an_answer_without_an_end_is_not_kept_in_memory() -> None:
    endless = Reply(body=b" " * (LARGEST_ANSWER + 1))
    with (
        serving(endless) as server,
        lvlm(server, Patience(tries=1)) as model,
        pytest.raises(LVLMError, match=f"more than {LARGEST_ANSWER} bytes"),
    ):
        model.ask(HELLO)


@pytest.mark.parametrize("when", ["²", "-5", "soon", "0"])
def test_a_time_to_come_back_at_that_is_none_leaves_the_own_one(when: str) -> None:
    busy = Reply(429, headers={"Retry-After": when})
    with serving(busy, Reply(body=completion("yes"))) as server, lvlm(server) as model:
        assert model.ask(HELLO) == [Answer("yes")]
    assert server.times[1] - server.times[0] < 0.5


@pytest.mark.parametrize("useless", [None, float("nan")])
def test_a_score_that_is_no_number_counts_for_nothing(useless: float | None) -> None:
    body = json.loads(completion("spurious", {"spurious": 0.5, "relevant": 0.25}))
    scores = body["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    scores.append({"token": "rel", "logprob": useless})
    with serving(Reply(body=json.dumps(body).encode())) as server, lvlm(server) as model:
        (answer,) = model.ask(HELLO, choices=CHOICES)
    assert answer.choice_probabilities == pytest.approx({"spurious": 2 / 3, "relevant": 1 / 3})


@pytest.mark.parametrize(
    "scores", [None, {}, {"content": None}, {"content": []}, {"content": [{"top_logprobs": None}]}]
)
def test_where_scores_should_be_and_are_not_the_words_come_back(scores: object) -> None:
    body = json.loads(completion("spurious"))
    body["choices"][0]["logprobs"] = scores
    with serving(Reply(body=json.dumps(body).encode())) as server, lvlm(server) as model:
        assert model.ask(HELLO, choices=CHOICES) == [Answer("spurious")]


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


def test_a_choice_is_asked_for_under_a_schema_and_words_are_not() -> None:
    with serving(Reply(body=structured('{"answer": "relevant"}'))) as server, lvlm(server) as model:
        model.ask(HELLO, choices=CHOICES)
        model.ask(HELLO)
    choice, words = server.requests
    form = choice["response_format"]
    assert (form["type"], form["json_schema"]["strict"]) == ("json_schema", True)
    assert form["json_schema"]["schema"]["properties"]["answer"]["enum"] == ["spurious", "relevant"]
    assert not {"response_format", "logprobs", "top_logprobs"} & words.keys()


@pytest.mark.parametrize("text", ['{"answer": "relevant"}', '{"answer":"relevant"}', ' {\n  "answer": "relevant"\n}\n'])
def test_a_structured_answer_without_scores_is_its_choice(text: str) -> None:
    with serving(Reply(body=structured(text))) as server, lvlm(server) as model:
        assert model.ask(HELLO, choices=CHOICES) == [Answer("relevant")]


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": "unclear"}',
        '{"answer": "Relevant"}',
        '{"answer": "relevant", "why": "it is"}',
        '{"answer": ["relevant"]}',
        '{"verdict": "relevant"}',
        '"relevant"',
        '{"answer": "relev',
        'Sure: {"answer": "relevant"}',
    ],
)
def test_a_structure_of_another_form_is_left_as_it_came(text: str) -> None:
    with serving(Reply(body=structured(text))) as server, lvlm(server) as model:
        assert model.ask(HELLO, choices=CHOICES) == [Answer(text)]


IN_SMALL = [("{", {"{": 1.0}), ('"answer', {'"answer': 1.0}), ('":', {'":': 1.0}), (' "', {' "': 1.0})]
IN_SMALL += [("rel", {"rel": 0.6, "sp": 0.2}), ("evant", {"evant": 1.0}), ('"}', {'"}': 1.0})]
IN_LARGE = [('{"answer": "', {'{"answer": "': 1.0}), ('relevant"}', {'relevant"}': 0.6, 'spurious"}': 0.2})]
WITH_QUOTE = [('{"answer":', {'{"answer":': 1.0}), (' "rel', {' "rel': 0.6, ' "sp': 0.2, " [": 0.2}), ('evant"}', {})]


@pytest.mark.parametrize("tokens", [IN_SMALL, IN_LARGE, WITH_QUOTE])
def test_a_structured_choice_has_the_probabilities_of_where_it_begins(
    tokens: list[tuple[str, dict[str, float]]],
) -> None:
    body = structured("".join(token for token, _ in tokens), tokens)
    with serving(Reply(body=body)) as server, lvlm(server) as model:
        (answer,) = model.ask(HELLO, choices=CHOICES)
    assert answer.text == "relevant"
    assert answer.choice_probabilities == pytest.approx({"spurious": 0.25, "relevant": 0.75})


def test_what_the_model_would_have_said_without_structure_goes_before() -> None:
    tokens = [("{", {"spurious": 0.6, "relevant": 0.2, "{": 0.01}), *IN_SMALL[1:]]
    with serving(Reply(body=structured('{"answer": "relevant"}', tokens))) as server, lvlm(server) as model:
        (answer,) = model.ask(HELLO, choices=CHOICES)
    assert answer.text == "spurious"
    assert answer.choice_probabilities == pytest.approx({"spurious": 0.75, "relevant": 0.25})


def test_a_choice_that_a_model_was_made_to_write_is_no_answer() -> None:
    tokens = [("{", {"I": 0.9, "{": 0.01}), *IN_SMALL[1:4], ("rel", {"un": 0.97, "rel": 0.01}), *IN_SMALL[5:]]
    with serving(Reply(body=structured('{"answer": "relevant"}', tokens))) as server, lvlm(server) as model:
        assert model.ask(HELLO, choices=CHOICES) == [Answer('{"answer": "relevant"}')]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("refused", "sent"),
    [
        ({"response_format"}, {"logprobs"}),
        ({"logprobs"}, {"response_format"}),
        ({"response_format", "logprobs"}, set()),
    ],
)
def test_what_a_server_refuses_is_left_out_from_then_on(status: int, refused: set[str], sent: set[str]) -> None:
    calls: list[Call] = []
    with serving(Reply(body=completion("relevant"))) as server, lvlm(server, calls=calls) as model:
        server.refuses = (refused, status)
        assert model.ask(HELLO, choices=CHOICES) == [Answer("relevant")]
        before = len(server.requests)
        assert model.telling(calls.append).ask(HELLO * 3, choices=CHOICES) == [Answer("relevant")] * 3
    assert before > 1
    assert len(server.requests) == before + 3 == len(calls)
    assert all(({"response_format", "logprobs"} & request.keys()) == sent for request in server.requests[before:])


def test_a_question_that_is_refused_whatever_is_left_out_changes_nothing_for_the_next() -> None:
    refusal, answer = Reply(400, b"too long"), Reply(body=completion("relevant"))
    with serving(*[refusal] * 4, answer) as server, lvlm(server) as model:
        with pytest.raises(LVLMError, match="refused the question with status 400: too long"):
            model.ask(HELLO, choices=CHOICES)
        assert len(server.requests) == 4
        model.ask(HELLO, choices=CHOICES)
    assert {"response_format", "logprobs"} <= server.requests[-1].keys()
