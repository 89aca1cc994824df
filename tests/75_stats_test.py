# SPDX-License-Identifier: MIT
"""What the server tells of itself: /stats.json, /metrics, /stats.html and /healthz."""

import json
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import asks_until_refused, wait_until

PATHS = ("/stats.json", "/metrics", "/stats.html", "/healthz")


def stats(server):
    r = server.ask("/stats.json")
    assert r.status == 200 and r.get("Content-Type") == "application/json"
    assert r.get("Cache-Control") == "no-store"
    return json.loads(r.body)


def when_counted(server, enough):
    """The figures once they are as they should be: the back ends tell theirs some times a second."""

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

    def counted():  # asked as often as the limit lets us
        r = server.ask("/stats.json")
        return r.status == 200 and json.loads(r.body)["limits"]["requests_per_second_per_address"] > 0

    wait_until(counted, "the figures are told")


def test_the_kept_pages_are_named(server):
    for _ in range(5):
        server.ask("/a.txt")
    seen = stats(server)
    kept = [page for core in seen["cores"] for page in core["cache"]["first_kept"]]
    assert "/a.txt" in {page["path"] for page in kept}


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


@pytest.mark.parametrize("path", PATHS)
def test_nobody_but_who_may(serve, path):
    server = serve(settings={"stats": {"allow": "none"}})
    assert server.ask(path).status == 404


def test_while_draining_it_says_so(serve):
    server = serve(workers=1, files={"large.bin": b"x" * (20 * 1024 * 1024)})
    with server.connect(receive_buffer=4096) as slow, server.connect() as c:
        slow.request("/large.bin")
        slow.read_exactly(1000)
        c.send("GET /healthz HTTP/1.1\r\n")  # a request has begun, so its connection is not closed
        wait_until(lambda: sum(k["connections"]["parked"] for k in stats(server)["cores"]) >= 1, "it is parked")
        server.signal(signal.SIGTERM)
        wait_until(lambda: "no new connections" in server.error_log.read_text(), "it drains")
        wait_until(lambda: not accepts(server), "it accepts no more")
        answer = c.send("Host: a\r\n\r\n").rest()
        assert answer.startswith(b"HTTP/1.1 503 ") and answer.endswith(b"\r\n\r\ndraining\n")
        slow.reset()
    server.wait()


def accepts(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return False
    return True
