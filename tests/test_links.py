"""tools.links: dead addresses are found; a server on this machine plays the web."""

import http.server
import json
import threading

import forks
import pytest
import yaml
from notebook_rules import ROOT

from tools import links
from tools.__main__ import main


def line(status, uri="https://x", **more):
    return json.dumps({"filename": "book/a.md", "lineno": 3, "status": status, "uri": uri, "info": "why"} | more)


def test_of_what_sphinx_says_the_dead_are_listed():
    said = "\n".join(map(line, ("working", "broken", "redirected", "ignored", "timeout", "unchecked")))
    assert links.dead(said) == ["book/a.md:3: https://x (why)"] * 2
    assert links.dead(line("working")) == links.dead("") == []


def test_no_lab_runs_and_everything_else_is_the_books():
    config, ours = links.without_running(ROOT), yaml.safe_load((ROOT / "_config.yml").read_text())
    assert config["execute"] == {"execute_notebooks": "off"}
    assert config["repository"] == ours["repository"] and config["parse"] == ours["parse"]
    assert ours["sphinx"]["config"].items() <= config["sphinx"]["config"].items()


@pytest.fixture
def web():
    """The address of a server that has one page."""

    class OnePage(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/here" else 404)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *said):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OnePage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_a_book_with_a_dead_link_fails_and_says_which(web, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(links, "PYTHON", forks.python())
    (tmp_path / "_config.yml").write_text("title: x\nonly_build_toc_files: true\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    cell = "```{code-cell} ipython3\nraise RuntimeError\n```\n"
    head = "---\nfile_format: mystnb\nkernelspec: {name: python3, display_name: Python 3}\n---\n# Page\n\n"
    page = tmp_path / "page.md"
    page.write_text(f"{head}[here]({web}/here)\n\n{cell}")
    assert links.check(tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 links, 0 of them dead"
    page.write_text(f"{head}[here]({web}/here) and [there]({web}/there)\n\n{cell}")
    assert links.check(tmp_path) == 1
    said = capsys.readouterr().out.splitlines()
    assert f"{web}/there (404" in said[0] and said[1] == "2 links, 1 of them dead"
    page.unlink()
    assert links.check(tmp_path) == 1, "a book that cannot be read is no book without dead links"


def test_the_command_hands_on_what_was_found(monkeypatch):
    monkeypatch.setattr(links, "check", lambda root: 1)
    assert main(["links"]) == 1
