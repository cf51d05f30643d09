"""A fuzzer for the HTTP API: seeded bytes that no caller in its senses would send, at a running front-end.

python -m tests.security.fuzz_http PORT [--inputs 10000] [--seed 1] [--token TOKEN]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.security.raw_http import FORM, RawCaller, request

#: Inputs between two looks at whether the front-end still answers.
BATCH_INPUTS = 50
#: How long an input's answer is waited for; most inputs are answered or cut off at once.
INPUT_TIMEOUT_S = 0.25
AT_ONCE = 8
#: How long a front-end that has been pressed may take to answer an honest call.
ANSWER_TIMEOUT_S = 60.0
MOST_READ_BYTES = 1_000_000

BODY = b"userId=fuzz&projectId=p&projectDir=anna%2Fflowers&trainType=classification"
PATHS = ["/", "/?taskId=0123456789abcdef0123456789abcdef", "/v1/tasks/x", "/v1/tasks/x/stop", "/v1/workers", "/readyz"]
PATHS += ["/v1/tasks/x/report", "/v1/tasks/x/log", "/v1/tasks/x/metrics", "/v1/tasks/x/artifacts/model.tflite"]
PATHS += ["/v1/check", "/v1/tasks/x/predict", "/v1/projects/x/y/predict"]
METHODS = ["GET", "POST", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "get", "", "G\x00T"]
ODD_BYTES = [
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n",
    b"\xff",
    b"\xc0\x80",
    b"\x7f",
    b":",
    b" ",
    b"\t",
    b"%",
    b"%zz",
    b"%00",
    b"\x0b",
]


def fuzz(port: int, inputs: int, seed: int, token: str = "") -> dict[str, int]:
    """Send so many inputs. Returns how many there were, how often the front-end did not answer an honest call after a
    batch, and how many answers were a 500. The same seed sends the same bytes, those of a batch in any order.
    """
    chance = random.Random(seed)
    counts = {"inputs": 0, "not_answering": 0, "server_errors": 0}
    authorization = [f"Authorization: Bearer {token}"] if token else []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while counts["inputs"] < inputs:
            size = min(BATCH_INPUTS, inputs - counts["inputs"])
            batch = [_in_pieces(chance.choice(KINDS)(chance, authorization), chance) for _ in range(size)]
            counts["server_errors"] += sum(pool.map(lambda pieces: _send(port, pieces), batch))
            counts["not_answering"] += not _answers(port)
            counts["inputs"] += size
    return counts


def _in_pieces(data: bytes, chance: random.Random) -> list[bytes]:
    """Most come whole, some byte groups apart from each other. An empty piece at the end says that nothing follows."""
    cuts = sorted(chance.sample(range(len(data) + 1), min(chance.choice([0, 0, 0, 1, 5]), len(data))))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [*pieces, b""] if chance.random() < 0.7 else pieces


def _send(port: int, pieces: list[bytes]) -> int:
    """The number of 500s among the answers."""
    answered = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S) as caller:
        caller.settimeout(INPUT_TIMEOUT_S)
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            if piece:
                caller.sendall(piece)
        if not pieces[-1]:
            caller.shutdown(socket.SHUT_WR)
        while len(answered) < MOST_READ_BYTES and (received := caller.recv(65536)):
            answered += received
    return answered.count(b"HTTP/1.1 500 ")


def _answers(port: int) -> bool:
    try:
        with RawCaller(port, ANSWER_TIMEOUT_S) as caller:
            return caller.ask("GET /healthz HTTP/1.1").status == 200
    except OSError:
        return False


# ---- kinds of input ----


def _head(chance: random.Random, more: list[str], method: str = "") -> list[str]:
    return [f"{method or chance.choice(METHODS[:5])} {chance.choice(PATHS)} HTTP/1.1", *more]


def _mutated(chance: random.Random, more: list[str]) -> bytes:
    """An honest request in which bytes were changed, put in, taken out or doubled."""
    data = bytearray(request(*_head(chance, [*more, FORM]), body=BODY if chance.random() < 0.7 else b""))
    for _ in range(chance.choice([1, 1, 2, 5, 30])):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                data[place:place] = chance.choice(ODD_BYTES)
            case 2:
                del data[place : place + chance.choice([1, 2, 20])]
            case _:
                data[place:place] = data[place : place + chance.choice([1, 10, 200])]
    return bytes(data)


def _smuggled(chance: random.Random, more: list[str]) -> bytes:
    """Two bodies' ends at once, and a request hidden behind one of them."""
    hidden = request("GET /v1/workers HTTP/1.1")
    body = chance.choice(
        [b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"5;ext=1\r\nhello\r\n0\r\n\r\n"]
    )
    coding = chance.choice(
        [
            "chunked",
            "Chunked",
            " chunked",
            "chunked\t",
            "xchunked",
            "identity, chunked",
            "chunked, chunked",
            '"chunked"',
            "",
        ]
    )
    length = chance.choice(["0", "5", str(len(body)), "+5", "-1", "5, 5", "5, 6", "0x5", "5 5", "9" * 30, "", "٥"])
    lines = [f"Transfer-Encoding:{chance.choice([' ', '', chr(9)])}{coding}", f"Content-Length: {length}"]
    lines += [f"Transfer-Encoding : {coding}", " Content-Length: 5", f"X: y\nTransfer-Encoding: {coding}"]
    chosen = chance.sample(lines, chance.randrange(1, 4))
    head = "\r\n".join([*_head(chance, [*more, FORM], "POST"), "Host: localhost", *chosen, "", ""])
    return head.encode("utf-8", "replace") + body + hidden


def _odd_head(chance: random.Random, more: list[str]) -> bytes:
    """Folded lines, bare line ends, NULs, doubled and missing names, hosts of all kinds."""
    odd = [
        *(
            "X: a\r\n b",
            "X: a\r\n\tb",
            "X a",
            ": x",
            "X\x00: a",
            "X: a\x00b",
            "X: a\rb",
            "Ä: ö",
            "X:" + " " * 1000,
            "X: \x7f",
        ),
        *(
            "Host: a",
            "Host: localhost, b",
            "host: [::1",
            "Host: x@localhost",
            "Host:",
            "Host: localhost:99999",
            "Host: \xe4",
        ),
        *("Connection: close, keep-alive", "Connection: upgrade", "Upgrade: websocket", "Expect: 100-continue"),
        *("Expect: 200-ok", "Content-Encoding: gzip", "Range: bytes=0-", "Cookie: " + "a=b; " * 200, "Origin: null"),
        *("Authorization: Bearer", "Authorization: \xff", "Idempotency-Key: " + "k" * 5000, "Sec-Fetch-Site: x"),
        *("Access-Control-Request-Method: POST", "Content-Type: multipart/form-data; boundary=" + '"' * 3),
    ]
    end = chance.choice(["\r\n", "\r\n", "\n", "\r", "\n\r"])
    lines = [*_head(chance, more), "Host: localhost", *chance.choices(odd, k=chance.randrange(1, 6)), "", ""]
    return end.join(lines).encode("latin1")


def _huge_head(chance: random.Random, more: list[str]) -> bytes:
    """Long targets, long values, and thousands of lines."""
    size = chance.choice([1_000, 20_000, 40_000, 300_000])
    match chance.randrange(4):
        case 0:
            return request(f"GET /{'a' * size} HTTP/1.1", *more)
        case 1:
            return request("GET /healthz HTTP/1.1", f"X: {'b' * size}", *more)
        case 2:
            return request("GET /healthz HTTP/1.1", *(f"X{number}: y" for number in range(size // 10)), *more)
        case _:
            return request(f"GET /?{'a=b&' * (size // 4)} HTTP/1.1", *more)


def _odd_target(chance: random.Random, more: list[str]) -> bytes:
    targets = [
        *(
            "*",
            "http://localhost/",
            "//evil/",
            "/%",
            "/%zz",
            "/%00",
            "/..%2f..",
            "/v1/tasks/%ff",
            "/v1/tasks/%2e%2e/stop",
        ),
        *(
            "/?taskId=%ff",
            "/?taskId=%",
            "/?taskId[]=a",
            "/?" + "&" * 500,
            "/?taskId=a&taskId=b",
            "/?a;b;c",
            "/#x",
            "?",
            "/\\",
        ),
        *("/v1/tasks/" + "%41" * 3000, "/?taskId=" + "é", "/?token=x", "localhost:80", "/ /x", "/v1/tasks//stop"),
    ]
    return request(f"{chance.choice(METHODS)} {chance.choice(targets)} {chance.choice(VERSIONS)}", *more)


VERSIONS = ["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.10", "http/1.1", "HTTP/", "", "HTTP/1.1 x"]


def _odd_chunks(chance: random.Random, more: list[str]) -> bytes:
    sizes = [
        b"5",
        b"0",
        b"-1",
        b"5 ",
        b" 5",
        b"0x5",
        b"5;a=b",
        b"zz",
        b"",
        b"f" * 20,
        b"00000005",
        b"5\n",
        b"+5",
        b"5_0",
        b"7f",
    ]
    body = b"".join(
        chance.choice(sizes) + chance.choice([b"\r\n", b"\n", b""]) + b"hello" + chance.choice([b"\r\n", b"\n", b""])
        for _ in range(chance.randrange(1, 40))
    )
    return request(*_head(chance, [*more, FORM, "Transfer-Encoding: chunked"], "POST")) + body + b"0\r\n\r\n"


def _odd_form(chance: random.Random, more: list[str]) -> bytes:
    """Bad percent-encodings, many fields, values of all kinds."""
    fields = [
        *(
            b"a=%",
            b"a=%zz",
            b"%=%",
            b"=",
            b"&",
            b"a=%00",
            b"a=\xff\xfe",
            b"userId=%ed%a0%80",
            b"projectDir=%2e%2e%2f%2e%2e",
        ),
        *(
            b"projectDir=" + b"a%2F" * 2000,
            b"epochs=" + b"9" * 5000,
            b"epochs=1e999",
            b"learningRate=nan",
            b"exports=,,,",
        ),
        *(b"trainType=classification", b"userId=a", b"projectId=b", b"projectDir=anna/flowers", b"a=b&" * 300, b"a;b"),
    ]
    return request(
        *_head(chance, [*more, FORM], "POST"), body=b"&".join(chance.choices(fields, k=chance.randrange(1, 9)))
    )


def _odd_multipart(chance: random.Random, more: list[str]) -> bytes:
    boundary = chance.choice(["x", "", '"x"', '"', "x" * 300, "--", "x; boundary=y", "\xe4"])
    parts = [
        *(b'Content-Disposition: form-data; name="userId"\r\n\r\na\r\n', b"\r\n\r\n", b"", b"\r\n", b"no headers"),
        *(
            b'Content-Disposition: form-data; name="f"; filename="a"\r\n\r\nx\r\n',
            b"Content-Disposition: attachment\r\n\r\n\r\n",
        ),
        *(b"Content-Disposition: form-data; name=\xff\r\n\r\na\r\n", b"X: " + b"y" * 20_000 + b"\r\n\r\na\r\n"),
        *(
            b"Content-Disposition: form-data; name*=utf-8''%ff\r\n\r\na\r\n",
            b"Content-Disposition: form-data; name=\r\n\r\n\r\n",
        ),
        *(b'Content-Disposition: form-data; name*0="a"; name*1*=x\r\n\r\na\r\n', b"A:b\r\n" * 2000 + b"\r\na\r\n"),
    ]
    body = b"".join(b"--x\r\n" + part for part in chance.choices(parts, k=chance.choice([1, 3, 150, 2000])))[:60_000]
    body += chance.choice([b"--x--\r\n", b"--x--", b"", b"--x"])
    return request("POST / HTTP/1.1", *more, f"Content-Type: multipart/form-data; boundary={boundary}", body=body)


def _odd_json(chance: random.Random, more: list[str]) -> bytes:
    depth = chance.choice([10, 1000, 30_000])
    texts = [
        *(
            b'{"a":' * depth,
            b"[" * depth,
            b'{"userId":' + b"[" * depth + b"]" * depth + b"}",
            b"{}",
            b"[]",
            b"null",
            b"1e9999",
        ),
        *(
            b'{"userId": "\\ud800"}',
            b'{"a": 1' + b"0" * 20_000 + b"}",
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b"\xff\xfe{\x00}\x00",
        ),
        *(
            b'{"a": 1, "a": 2}',
            b'{"": ""}',
            b'{"userId": {"a": "b"}}',
            b'"' + b"a" * 50_000,
            b'{"a": "\\u0000"}',
            b"\xef\xbb\xbf{}",
        ),
        json.dumps({str(number): number for number in range(3000)}).encode(),
        json.dumps(
            {"userId": "\ud800", "projectId": "p", "projectDir": "anna/flowers", "trainType": "classification"}
        ).encode(),
    ]
    return request("POST / HTTP/1.1", *more, "Content-Type: application/json", body=chance.choice(texts))


def _pipeline(chance: random.Random, more: list[str]) -> bytes:
    """Many requests in one go, some of them broken."""
    kinds = [_mutated, _odd_target, _odd_form]
    honest = request("GET /healthz HTTP/1.1")
    return b"".join(
        chance.choice(kinds)(chance, more) if chance.random() < 0.2 else honest
        for _ in range(chance.choice([2, 10, 100]))
    )


def _half(chance: random.Random, more: list[str]) -> bytes:
    whole = request("POST / HTTP/1.1", *more, FORM, body=BODY)
    return whole[: chance.randrange(len(whole))]


def _noise(chance: random.Random, _: list[str]) -> bytes:
    first = chance.choice([b"", b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n" * 50, b"GET "])
    return first + chance.randbytes(chance.choice([1, 100, 5000]))


KINDS: list[Callable[[random.Random, list[str]], bytes]] = [
    *(_mutated, _smuggled, _odd_head, _huge_head, _odd_target, _odd_chunks, _odd_form, _odd_multipart, _odd_json),
    *(_pipeline, _half, _noise),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--token", default="")
    arguments = parser.parse_args()
    print(json.dumps(fuzz(arguments.port, arguments.inputs, arguments.seed, arguments.token)))


if __name__ == "__main__":
    main()
