# SPDX-License-Identifier: MIT
"""Requests as bytes, with the answers that they must get: the tables of 21_rfc_test and 22_hostile_test consist of these."""

import contextlib
import dataclasses

A = b"the letter a\n"  # /a.txt
HOST = "Host: localhost"
GET_A = b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"

# This follows each vector. It must be answered, or never be read as a request.
NEXT = b"GET /a.txt?next HTTP/1.1\r\nHost: localhost\r\n\r\n"
BEHIND = b"GET /a.txt?behind HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclasses.dataclass(frozen=True)
class Vector:
    sent: bytes
    answers: tuple  # the status of each response
    closes: bool  # after the last of them
    name: str

    @property
    def whole(self):
        return self.sent + (BEHIND if self.closes else NEXT)


def _bytes(sent):
    return sent if isinstance(sent, bytes) else sent.encode("latin-1")


def _name(sent):
    """A short name: what is special about this vector."""
    usual = ["POST /a.txt HTTP/1.1\r\n", "GET /a.txt HTTP/1.1\r\n", f"{HOST}\r\n", "Transfer-Encoding: chunked\r\n\r\n"]
    for part in usual:
        sent = sent.removeprefix(part.encode())
    return repr(sent.split(b"\r\n\r\n")[0] or sent)[2:-1]


def last(sent, *answers, name=None):
    """The server must answer with this status and close the connection."""
    return Vector(_bytes(sent), answers, True, name or _name(_bytes(sent)))


refused = last  # for an error that ends the connection


def answered(sent, *answers, name=None):
    """The server must answer with this status, and then answer the next request."""
    return Vector(_bytes(sent), answers, False, name or _name(_bytes(sent)))


def head(line, *fields):
    return "\r\n".join([line, *fields]).encode("latin-1") + b"\r\n\r\n"


def get(*fields, host=HOST):
    """A request for /a.txt with these fields."""
    return head("GET /a.txt HTTP/1.1", *([host] if host else []), *fields)


def post(*fields, body=""):
    return head("POST /a.txt HTTP/1.1", HOST, *fields) + _bytes(body)


def chunks(body):
    """A request with this chunked body."""
    return post("Transfer-Encoding: chunked", body=body)


def at_once(client, data):
    client.send(data)


def bytewise(client, data):
    # The server may refuse it and close the connection before the last byte.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.send_bytewise(data)


def play(server, vector, send=at_once):
    """Sends the vector and BEHIND, and checks the answers to both."""
    with server.connect() as c:
        send(c, vector.whole)
        responses = [c.response() for _ in vector.answers]
        assert tuple(r.status for r in responses) == vector.answers
        if vector.closes:
            # If the body ends too early, the server only closes: the request has been answered.
            assert responses[-1].closes or responses[-1].status == 405
            c.expect_closed()
        else:
            r = c.response()
            assert (r.status, r.body) == (200, A)
            assert c.ask("/a.txt").body == A
