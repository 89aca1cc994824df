# SPDX-License-Identifier: MIT
"""The statistics of the server: /stats.json, /metrics, /stats.html and /healthz."""

import json
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import asks_until_refused, wait_until

FIGURES = ("/stats.json", "/metrics", "/stats.html")
PATHS = (*FIGURES, "/healthz")


def stats(server):
    r = server.ask("/stats.json")
    assert r.status == 200 and r.get("Content-Type") == "application/json"
    assert r.get("Cache-Control") == "no-store"
    return json.loads(r.body)


def when_counted(server, enough):
    """Waits for the expected figures: the back ends report theirs a few times per second."""

    def look():
        seen = stats(server)
        return seen if enough(seen) else None

    return wait_until(look, "the figures are told")


def test_requests_are_counted_by_what_became_of_them(server):
    with server.connect() as c:
        for _ in range(20):
            assert c.ask("/a.txt").status == 200
        assert c.ask("/none").status == 404
    seen = when_counted(server, lambda s: s["requests"]["by_class"]["4xx"] == 1)
    pages = seen["cache"]
    assert sum(pages.values()) == 20
    assert pages["missed"] >= 1 and pages["at_once"] > 0
    assert seen["requests"]["content_bytes"] >= 20 * 13
    assert sum(seen["took"]["counts"]) == seen["requests"]["answered"]
    assert len(seen["took"]["counts"]) == len(seen["took"]["below_us"])
    assert sorted(seen["took"]["below_us"]) == seen["took"]["below_us"]


def test_a_limit_that_meets_a_client_is_counted(serve):
    server = serve(settings={"limits": {"target_bytes": 100}})
    assert server.ask("/" + "a" * 200).status == 414
    when_counted(server, lambda s: s["limits"]["target_bytes"] == 1)


def test_requests_that_are_too_many_are_counted(serve):
    server = serve(workers=1, settings={"limits": {"requests_per_second_per_address": 5, "requests_burst_per_address": 5}})
    with server.connect() as c:
        asks_until_refused(lambda: c.ask("/a.txt"), burst=5, a_second=5)

    def counted():  # requested as often as the limit allows
        r = server.ask("/stats.json")
        return r.status == 200 and json.loads(r.body)["limits"]["requests_per_second_per_address"] > 0

    wait_until(counted, "the figures are told")


def test_the_kept_pages_are_named(server):
    for _ in range(5):
        server.ask("/a.txt")
    seen = stats(server)
    kept = [page for core in seen["cores"] for page in core["cache"]["first_kept"]]
    assert "/a.txt" in {page["path"] for page in kept}


def test_what_else_the_cache_keeps_is_counted(serve):
    server = serve(workers=1, files={"a.txt": "a", "large.bin": bytes(200_000)})

    def kept():
        assert server.ask("/large.bin").status == 200 and server.ask("/none").status == 404
        cache = stats(server)["cores"][0]["cache"]
        return cache if cache["open_files"] and cache["absences"] else None

    cache = wait_until(kept, "a file and a missing name are kept")
    assert (cache["open_files"], cache["absences"]) == (1, 1)
    assert cache["most_open_files"] > 1 and cache["most_absences"] > 1
    metrics = server.ask("/metrics").text
    assert 'occwserv_cache_open_files{core="0"} 1\n' in metrics and 'occwserv_cache_absences{core="0"} 1\n' in metrics
    page = server.ask("/stats.html").text
    assert "Files kept open" in page and "Missing paths in the cache" in page


def test_connections_and_processes(server):
    held = [server.connect() for _ in range(3)]
    for c in held:
        assert c.ask("/a.txt").status == 200
    seen = when_counted(server, lambda s: sum(core["connections"]["parked"] for core in s["cores"]) >= 3)
    for core in seen["cores"]:
        names = {kind["name"] for kind in core["processes"]}
        assert {"parking", "back_end", "cache_control", "page_worker", "front_end_worker", "witness"} <= names
        for kind in core["processes"]:
            assert kind["count"] == kind["ready"] + kind["communicate"] + kind["kernel"] + kind["others"] > 0
    for c in held:
        c.close()


def test_slow_requests_are_named(server):
    server.ask("/a.txt?slow%22\u00e9")
    seen = when_counted(server, lambda s: any("a.txt" in slow["line"] for slow in s["slow"]))
    assert all(slow["took_us"] >= 0 and slow["status"] >= 200 for slow in seen["slow"])


def test_no_query_is_among_the_slow_requests(server):
    for target in ("/a.txt?token=secret", "/none?a?secret", "/%zz?secret", "http://a/?secret"):
        server.ask(target)
    when_counted(server, lambda s: len([slow for slow in s["slow"] if "?" in slow["line"]]) == 4)
    for path in FIGURES:
        assert "secret" not in server.ask(path).text
    assert "GET /a.txt?" in [slow["line"] for slow in stats(server)["slow"]]


def test_metrics_are_what_prometheus_reads(server):
    with server.connect() as c:
        for _ in range(7):
            c.ask("/a.txt")
    when_counted(server, lambda s: s["requests"]["by_class"]["2xx"] >= 7)
    r = server.ask("/metrics")
    assert r.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(r.text)}
    of_class = {s.labels["class"]: s.value for s in families["occwserv_requests"].samples}
    assert of_class["2xx"] >= 7
    duration = families["occwserv_request_duration_seconds"]
    assert duration.type == "histogram"
    buckets = [s.value for s in duration.samples if s.name.endswith("_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] > 0
    assert families["occwserv_connections"].type == "gauge"
    assert all(family.documentation for family in families.values())


def test_the_page_is_whole_without_scripts(server):
    r = server.ask("/stats.html")
    assert r.get("Content-Type") == "text/html; charset=utf-8"
    assert "default-src 'none'" in r.get("Content-Security-Policy")
    assert "<table>" in r.text and "page_worker" in r.text and "Requests answered" in r.text
    assert "http://" not in r.text.replace("http://www.w3.org/", "")


def test_health(server):
    r = server.ask("/healthz")
    assert (r.status, r.body) == (200, b"ok\n")


@pytest.mark.parametrize("path", PATHS)
def test_head_has_no_content(server, path):
    with server.connect() as c:
        assert c.ask(path, method="HEAD").body == b""
        assert c.ask("/a.txt").status == 200


PASSED_ON = ("X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For:", "x-forwarded-proto: https",
             "X-Forwarded-Host: localhost", "Forwarded: for=127.0.0.1", "forwarded: for=unknown", "X-Real-IP: 127.0.0.1",
             "Via: 1.1 proxy", "CF-Connecting-IP: 203.0.113.7")
PROXIES = {
    "nobody": {},
    "X-Forwarded-For": {"proxy": [{"from": "127.0.0.1", "header": "X-Forwarded-For"}]},
    "Forwarded": {"proxy": [{"from": "127.0.0.1", "header": "Forwarded"}]},
}


@pytest.mark.parametrize("named", PROXIES)
def test_what_a_proxy_passes_on_is_not_from_this_machine(serve, named):
    """Whether the proxy is configured or not, and whether it names its client or not."""
    server = serve(settings=PROXIES[named])
    with server.connect() as c:
        for path in PATHS:
            assert c.ask(path).status == 200
            for field in PASSED_ON:
                assert c.ask(path, field).status == 404, (path, field)
                assert c.ask(path, "X: y", field, "Y: z").status == 404, (path, field)


def test_what_the_proxy_protocol_introduces(serve):
    server = serve(settings={"proxy": [{"from": "127.0.0.1", "protocol": True}]})
    local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
    unspecified = b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"
    for introduction, status in ((b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", 200), (local, 200), (unspecified, 404),
                                 (b"PROXY TCP6 ::1 ::1 1 2\r\n", 200), (b"PROXY UNKNOWN\r\n", 404),
                                 (b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n", 404)):
        for path in PATHS:
            with server.connect() as c:
                c.send(introduction)
                assert c.ask(path).status == status, (introduction, path)


HOSTS = {"localhost": 200, "LocalHost.:8080": 200, "127.0.0.1": 200, "127.1.2.3:80": 200, "[::1]:8080": 200,
         "[::ffff:127.0.0.1]": 200, "example.org": 404, "localhost.example.org": 404, "127.0.0.1.example.org": 404,
         "10.0.0.1": 404, "[2001:db8::1]": 404, "0.0.0.0": 404, "127.1": 404, "2130706433": 404, "a%2e": 404}


@pytest.mark.parametrize("path", FIGURES)
def test_the_host_is_this_machine(server, path):
    """DNS rebinding: a page in a browser on this machine may use a name that resolves to 127.0.0.1."""
    with server.connect() as c:
        for host, status in HOSTS.items():
            r = c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").response()
            assert r.status == status, host
            r = c.send(f"GET http://{host}{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").response()
            assert r.status == status, f"{host} in the target"
            assert c.send(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n").response().status == 200, host


def test_a_proxy_that_adds_nothing(server):
    """As nginx forwards requests by default."""
    for path in PATHS:
        r = server.ask(path, "Connection: close", version="HTTP/1.0")
        assert r.status == (200 if path == "/healthz" else 404)


@pytest.mark.parametrize("path", PATHS)
def test_only_permitted_clients_see_statistics(serve, path):
    server = serve(settings={"stats": {"allow": "none"}})
    assert server.ask(path).status == 404


def test_while_draining_it_says_so(serve):
    server = serve(workers=1, files={"large.bin": b"x" * (20 * 1024 * 1024)})
    with server.connect(receive_buffer=4096) as slow, server.connect() as c:
        slow.request("/large.bin")
        slow.read_exactly(1000)
        c.send("GET /healthz HTTP/1.1\r\n")  # a request has begun, so the connection is not closed
        wait_until(lambda: sum(k["connections"]["parked"] for k in stats(server)["cores"]) >= 1, "it is parked")
        server.signal(signal.SIGTERM)
        wait_until(lambda: "no new connections" in server.error_log.read_text(), "it drains")
        wait_until(lambda: not accepts(server), "it accepts no more")
        answer = c.send("Host: a\r\n\r\n").rest()
        assert answer.startswith(b"HTTP/1.1 503 ") and answer.endswith(b"\r\n\r\ndraining\n")
        slow.reset()
    server.wait()
    assert "exception" not in server.error_log.read_text(), "to say so is no failure"


def accepts(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return False
    return True
