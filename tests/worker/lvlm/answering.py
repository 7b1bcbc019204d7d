"""A server that speaks OpenAI's chat completions and says what it is told to."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    cut: int = 0  # bytes at the body's end that are announced and never sent
    unannounced: bool = False  # the body ends where the connection does, as old servers have it
    pause: float = 0.0  # before each byte of the body


@dataclass
class Server:
    url: str
    replies: list[Reply]
    requests: list[dict] = field(default_factory=list)
    seen_headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: Lock = field(default_factory=Lock)
    refuses: tuple[set[str], int] = (set(), 0)  # requests with one of these fields get this status


def completion(text: str | None, top: dict[str, float] | None = None) -> bytes:
    choice: dict = {"message": {"role": "assistant", "content": text}}
    if top is not None:
        scores = [{"token": token, "logprob": math.log(p)} for token, p in top.items()]
        choice["logprobs"] = {"content": [{"token": "x", "logprob": -1.0, "top_logprobs": scores}]}
    return json.dumps({"choices": [choice]}).encode()


def structured(text: str, tokens: list[tuple[str, dict[str, float]]] | None = None) -> bytes:
    """An answer under a schema: what was written, token by token, with those that stood beside each."""
    choice: dict = {"message": {"role": "assistant", "content": text}}
    if tokens is not None:
        choice["logprobs"] = {
            "content": [
                {"token": token, "top_logprobs": [{"token": other, "logprob": math.log(p)} for other, p in top.items()]}
                for token, top in tokens
            ]
        }
    return json.dumps({"choices": [choice]}).encode()


@contextmanager
def serving(*replies: Reply) -> Iterator[Server]:
    """A server that gives these replies in turn, the last one for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with server.lock:
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
                server.requests.append(json.loads(body) | {"path": self.path})
                server.seen_headers.append(dict(self.headers))
                server.times.append(time.monotonic())
                fields, status = server.refuses
                if fields & server.requests[-1].keys():
                    reply = Reply(status, b"unknown field")
                else:
                    reply = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
            time.sleep(reply.after)
            with server.lock:
                server.at_once -= 1
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if not reply.unannounced:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self._write(reply)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client's patience was over

        def _write(self, reply: Reply) -> None:
            sent = reply.body[: len(reply.body) - reply.cut]
            if not reply.pause:
                self.wfile.write(sent)
                return
            for byte in sent:
                time.sleep(reply.pause)
                self.wfile.write(bytes([byte]))

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_port}/v1", list(replies))
    thread = Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
