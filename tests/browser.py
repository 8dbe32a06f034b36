"""The two pages of the default study in a real browser without network: `make test-browser`, after `make study`.

``GRADGAP_RESULTS`` names other results than those of the default study.

Chromium is driven through chromedriver's HTTP interface (W3C WebDriver). Screenshots go to results/screenshots/.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

RESULTS = Path(os.environ.get("GRADGAP_RESULTS") or Path(__file__).parents[1] / "results")
SCREENSHOTS = RESULTS / "screenshots"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


class Browser:
    """A headless Chromium that can reach nothing but files."""

    def __init__(self, driver: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._process = subprocess.Popen([driver, f"--port={port}", "--silent"])
        self._url = f"http://127.0.0.1:{port}/session"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        options = {"args": flags, "binary": shutil.which("chromium")}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        for _ in range(100):
            try:
                session = self._call("", {"capabilities": {"alwaysMatch": capabilities}})
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        self._url += "/" + session["sessionId"]
        self.cdp("Network.enable")
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.cdp("Network.emulateNetworkConditions", **offline)

    def _call(self, path: str, body: dict | None = None, method: str = "POST"):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            self._url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def cdp(self, command: str, **parameters):
        """A command of the Chrome DevTools protocol."""
        return self._call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, path: Path) -> None:
        self._call("/url", {"url": path.resolve().as_uri()})

    def js(self, script: str, *arguments):
        """What a script returns."""
        return self._call("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, seconds: float = 30):
        """The first true value of an expression."""
        end = time.time() + seconds
        while time.time() < end:
            if found := self.js(f"return {script}"):
                return found
            time.sleep(0.1)
        raise AssertionError(f"never true: {script}")

    def choose(self, control: str, value: str) -> None:
        """Choose an option of a select, as a user does."""
        self.js(
            "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
            "if (s.value !== arguments[1]) throw new Error('no option ' + arguments[1]);"
            "s.dispatchEvent(new Event('change', {bubbles: true}))",
            control,
            value,
        )

    def key(self, key: str) -> None:
        """Press and release a key."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._call("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    def click(self, x: float, y: float) -> None:
        """Move the mouse there and click."""
        for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
            button = {"button": "left", "buttons": buttons, "clickCount": 1} if kind != "mouseMoved" else {}
            self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)
            time.sleep(0.15)

    def size(self, width: int, height: int) -> None:
        mobile = width < 600
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = self.cdp("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(image))

    def complaints(self, *levels: str) -> list[str]:
        """What the console was told since the last call, at these levels."""
        entries = self._call("/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in levels]

    def close(self) -> None:
        self._call("", method="DELETE")
        self._process.terminate()
        self._process.wait(timeout=10)


@pytest.fixture(scope="module")
def browser():
    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        pytest.skip("needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    opened = Browser(driver)
    yield opened
    opened.close()


def page(name: str) -> Path:
    path = RESULTS / name
    if not path.is_file():
        pytest.skip(f"needs {path}: run `make study` first")
    return path


@pytest.fixture
def explore(browser):
    browser.size(*SIZES["desktop"])
    browser.open(page("explore.html"))
    browser.wait("document.body.dataset.ready === 'yes'")
    yield browser
    assert browser.complaints("SEVERE", "WARNING") == []
    outside = (
        "performance.getEntriesByType('resource').map(e => e.name).filter(u => !/^(file|data|blob):/.test(u))"
    )
    assert browser.js(f"return {outside}") == []


def shown(browser) -> float:
    """The value that the page reads out."""
    text = browser.js("return document.getElementById('readout').textContent").replace("−", "-")
    found = re.search(r" (-?[\d.e+-]+), at", text)
    assert found, text
    return float(found[1])


def test_heat_map_shows_the_dataset(explore):
    data = xr.load_dataset(RESULTS / "datasets/phase_diagram.nc")
    explore.choose("study", "phase_diagram")
    explore.choose("variable", "final_failure_rate")
    explore.choose("across", "length")
    explore.choose("up", "learning_rate")
    rule = list(data.rule.values).index("GRPO")
    explore.choose("at-rule", str(rule))
    explore.choose("at-success_rate", "2")
    there = data.isel(family=0, success_rate=2, rule=rule)
    z = explore.js(
        "const t = document.getElementById('map').data[0];"
        "return t.z.map(row => row.map(x => t.colorbar.tickprefix ? 10 ** x : x))"
    )
    np.testing.assert_allclose(z, there.final_failure_rate.transpose("learning_rate", "length"), rtol=1e-6)
    for trace, name in (
        ("threshold, closed form", "critical_learning_rate_closed_form"),
        ("threshold, measured", "critical_learning_rate"),
    ):
        y = explore.js(f"return [...document.getElementById('map').data.find(t => t.name === '{trace}').y]")
        np.testing.assert_allclose(y, there[name], rtol=1e-6)
    link = explore.js("return document.querySelector('#links a').getAttribute('href')")
    assert (RESULTS / link).is_file()
    assert link.endswith("phase_diagram.csv")


def test_click_shows_the_learning_curve_of_the_point(explore):
    data = xr.load_dataset(RESULTS / "datasets/phase_diagram.nc")
    explore.choose("study", "phase_diagram")
    explore.choose("variable", "final_failure_rate")
    column, row = data.sizes["length"] // 2, data.sizes["learning_rate"] // 2
    x, y = explore.js(
        "const g = document.getElementById('map'), r = g.getBoundingClientRect(), l = g._fullLayout;"
        "const at = (a, v) => a._offset + a.d2p(v), s = Object.values(DATA.studies.phase_diagram.axes);"
        "const axes = DATA.studies.phase_diagram.axes;"
        "return [r.left + at(l.xaxis, axes.length.values[arguments[0]]),"
        " r.top + at(l.yaxis, axes.learning_rate.values[arguments[1]])]",
        column,
        row,
    )
    explore.click(x, y)
    at = explore.js("return {...state.at}")
    assert (at["length"], at["learning_rate"]) == (column, row)
    there = data.isel({axis: i for axis, i in at.items() if axis != "iteration"})
    assert shown(explore) == pytest.approx(float(there.final_failure_rate), rel=1e-5)
    curve = explore.js("return [...document.getElementById('curve').data[0].y]")
    np.testing.assert_allclose(curve, there.curve_failure_rate, rtol=1e-6)


def test_every_study_and_variable_can_be_chosen_and_reads_out_its_value(explore):
    studies = explore.js("return [...document.getElementById('study').options].map(o => o.value)")
    assert sorted(studies) == sorted(path.stem for path in (RESULTS / "datasets").glob("*.nc"))
    for study in studies:
        data = xr.load_dataset(RESULTS / f"datasets/{study}.nc")
        explore.choose("study", study)
        variables = explore.js("return [...document.getElementById('variable').options].map(o => o.value)")
        left_out = explore.js("return DATA.studies[arguments[0]].left_out", study)
        assert sorted([*variables, *left_out]) == sorted(data.data_vars)
        for name in variables:
            explore.choose("variable", name)
            for up in explore.js("return [...document.getElementById('up').options].map(o => o.value)"):
                explore.choose("up", up)
            at = explore.js("return {...state.at}")
            expected = data[name].isel({axis: at[axis] for axis in data[name].dims}).item()
            if "flag_values" in data[name].attrs:
                meaning = data[name].attrs["flag_meanings"].split()[int(expected)]
                assert f" {meaning}, at" in explore.js(
                    "return document.getElementById('readout').textContent"
                )
            elif np.isfinite(expected):
                assert shown(explore) == pytest.approx(expected, rel=1e-5, abs=1e-37), (study, name)


def test_keyboard_alone_moves_the_point(explore):
    before = explore.js("document.getElementById('at-length').focus(); return state.at.length")
    explore.key("\ue015")  # arrow down
    assert explore.js("return state.at.length") == before + 1
    for _ in range(3):
        explore.key("\ue004")  # tab
    assert explore.js("return document.activeElement.tagName") in ("SELECT", "A")


@pytest.mark.parametrize("device", SIZES)
def test_page_fits_the_screen(explore, device):
    explore.size(*SIZES[device])
    time.sleep(1)
    for study in explore.js("return Object.keys(DATA.studies)"):
        explore.choose("study", study)
        time.sleep(0.3)
        explore.screenshot(SCREENSHOTS / f"explore-{study}-{device}.png")
        assert explore.js("return document.documentElement.scrollWidth") <= SIZES[device][0]
        for chart in ("map", "curve"):
            box = explore.js(
                "const e = document.getElementById(arguments[0]); const r = e.getBoundingClientRect();"
                "return e.hidden ? null : [r.width, e._fullLayout.width, e._fullLayout.height]",
                chart,
            )
            assert box is None or (box[1] <= box[0] + 1 and box[2] > 300)


def test_page_is_small_enough():
    assert page("explore.html").stat().st_size < 10e6


def test_report_shows_every_figure_and_table_with_its_caption(browser):
    browser.size(*SIZES["desktop"])
    browser.open(page("report.html"))
    browser.wait("document.body.innerText.includes('RESULTS')")
    for device, size in SIZES.items():
        browser.size(*size)
        browser.screenshot(SCREENSHOTS / f"report-{device}.png")
    browser.size(*SIZES["desktop"])
    by_text = "[...document.querySelectorAll('a, button')].find(e => e.innerText.trim() === '{}')"
    browser.js(f"{by_text.format('Figures')}.click()")
    figures = sorted(path.stem for path in (RESULTS / "figures").glob("*.png"))
    for study in figures:
        browser.wait(f"document.body.innerText.includes('{study}')")
    browser.screenshot(SCREENSHOTS / "report-figures.png")
    browser.open(page("report.html"))
    browser.wait(by_text.format("Tables"))
    browser.js(f"{by_text.format('Tables')}.click()")
    browser.wait("document.body.innerText.includes('exponents, predicted and measured')")
    text = page("report.html").read_text(encoding="utf-8")
    captions = sorted(path.stem for path in (RESULTS / "analysis").glob("*.rst"))
    assert set(captions) <= set(figures)  # a study may have a second figure, with the same caption
    for study in captions:
        first = (RESULTS / f"analysis/{study}.rst").read_text(encoding="utf-8").split("**")[1]
        assert f"<strong>{first}</strong>" in text
    assert browser.complaints("SEVERE") == []  # a library that Snakemake packs in warns of itself
