"""Sliders of the labs: one moved in JupyterLab by keyboard, and the gallery of lab 1; each, live, at both its ends."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from browsing import ROOT
from live_sliders import CALL, up_to_slider
from playwright.sync_api import expect

LABS = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if not path.name.startswith("_")]
WITH_SLIDER = [path for path in LABS if CALL in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_SLIDER, ids=lambda path: path.stem)
def test_every_slider_draws_its_first_and_its_last_values(path, tmp_path):
    command = [sys.executable, Path(__file__).with_name("live_sliders.py"), path]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    shown, drawn = map(int, re.search(r"(\d+) live: (\d+) panels drawn", result.stdout).groups())
    assert shown >= 1 and drawn >= 3 * shown


# --- one slider, in JupyterLab ---------------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def jupyter(tmp_path):
    """A JupyterLab of its own, without anything of the user's: its address, a token, and the folder that it shows."""
    port, token, folder = free_port(), secrets.token_hex(16), tmp_path / "labs"
    folder.mkdir()
    own = {"JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR"}
    own |= {"JUPYTERLAB_WORKSPACES_DIR"}
    left = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}  # Agg would show no figure
    environment = left | {name: str(tmp_path / name.lower()) for name in own} | {"JUPYTER_PREFER_ENV_PATH": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    options = [f"--port={port}", f"--IdentityProvider.token={token}", f"--notebook-dir={folder}", "--no-browser"]
    options += ["--ip=127.0.0.1", "--allow-root", "--expose-app-in-browser", "--ServerApp.port_retries=0"]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log, cwd=folder
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, tmp_path / "log")
            yield f"http://127.0.0.1:{port}", token, folder
        finally:
            server.terminate()
            server.wait(timeout=60)


def wait_for(url, server, log, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab does not answer.\n{log.read_text()}")


def run_all(open_page, address, token):
    """The page of the lab, with a kernel that runs all of its cells."""
    page = open_page(f"{address}/lab/tree/lab.ipynb?token={token}", viewport={"width": 1280, "height": 1000})
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel")
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    return page


def test_in_jupyterlab_the_slider_moves_by_keyboard_and_the_figure_changes(jupyter, open_page):
    address, token, folder = jupyter
    lab = up_to_slider(ROOT / "notebooks" / "02_noise.ipynb")
    lab.cells[-1].outputs = []
    nbformat.write(lab, folder / "lab.ipynb")
    page = run_all(open_page, address, token)

    slider = page.get_by_role("slider")
    slider.wait_for(timeout=300_000)  # the cells before it have run
    readout, figure = page.locator(".widget-readout"), page.locator(".widget-vbox .jp-OutputArea-output img")
    before, said = figure.get_attribute("src"), readout.inner_text()
    assert before.startswith("data:image/")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(readout).not_to_have_text(said)
    name = page.locator(".widget-hslider .widget-label").inner_text()
    expect(page.locator(".widget-html [role=alert]")).to_have_text(f"{name} = {readout.inner_text()}")
    expect(figure).not_to_have_attribute("src", before)
    page.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(said)
    expect(figure).to_have_attribute("src", before)


def test_in_jupyterlab_an_image_is_chosen_by_click_and_by_keyboard_and_judged(jupyter, open_page):
    address, token, folder = jupyter
    lab = nbformat.read(ROOT / "notebooks" / "01_question.ipynb", as_version=4)
    last = next(place for place, cell in enumerate(lab.cells) if "show_gallery(" in cell.source)
    lab.cells = lab.cells[: last + 1]
    nbformat.write(lab, folder / "lab.ipynb")
    page = run_all(open_page, address, token)

    line = page.locator(".widget-html-content p")
    line.wait_for(timeout=300_000)  # the cells before it have run
    chosen = page.get_by_role("button", name=re.compile(r"^image \d+, chosen$"))
    expect(line).to_contain_text("10 of 10 chosen: accuracy")
    expect(line).to_have_role("alert")
    expect(chosen).to_have_count(10)
    name = chosen.first.inner_text().removesuffix(", chosen")
    chosen.first.click()
    expect(line).to_contain_text("9 of 10 chosen")
    page.get_by_role("button", name=f"{name}, not chosen", exact=True).press("Space")
    expect(line).to_contain_text("10 of 10 chosen")
    page.get_by_role("button", name="none").click()
    expect(chosen).to_have_count(0)
