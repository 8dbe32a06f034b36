"""The pages of the default study in a real browser without network: `make test-browser`, after `make study`.

``GRADGAP_RESULTS`` names other results than those of the default study.

Chromium is driven through chromedriver's HTTP interface (W3C WebDriver). Screenshots go to results/screenshots/.
"""

import base64
import html
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

RESULTS = Path(os.environ.get("GRADGAP_RESULTS") or Path(__file__).parents[1] / "results")
SCREENSHOTS = RESULTS / "screenshots"
SIZES = {"desktop": (1440, 900), "tablet": (768, 1024), "phone": (390, 844)}
#: Seconds that a page may take until it can be used.
READY = 2.0
#: Settings of the explorer that are drawn.
SETTINGS = 240
#: What a page asked of any other place than this machine's files.
OUTSIDE = (
    "performance.getEntriesByType('resource').map(e => e.name).filter(u => !/^(file|data|blob):/.test(u))"
)


class Browser:
    """A headless Chromium that can reach nothing but files."""

    def __init__(self, driver: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._process = subprocess.Popen([driver, f"--port={port}", "--silent"])
        self._url = f"http://127.0.0.1:{port}/session"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        flags += ["--disable-ipc-flooding-protection"]  # hundreds of links are followed in a row
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

    def downloaded(self, button: str, folder: Path, files: int) -> list[Path]:
        """Press a button, and wait until so many files lie in a folder."""
        self.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.js("document.getElementById(arguments[0]).click()", button)
        end = time.time() + 20
        while time.time() < end:
            found = sorted(path for path in folder.iterdir() if path.suffix != ".crdownload")
            if len(found) == files and all(path.stat().st_size for path in found):
                return found
            time.sleep(0.1)
        raise AssertionError(f"{button}: {files} files expected; found {[path.name for path in found]}")

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

    def drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        """Press the mouse at one place and release it at another."""
        places = ((x, y), (x, y), ((x + to_x) / 2, (y + to_y) / 2), (to_x, to_y), (to_x, to_y))
        kinds = ("mouseMoved", "mousePressed", "mouseMoved", "mouseMoved", "mouseReleased")
        for k, (kind, (at_x, at_y)) in enumerate(zip(kinds, places, strict=True)):
            held = {"button": "left", "buttons": int(kind != "mouseReleased"), "clickCount": 1} if k else {}
            self.cdp("Input.dispatchMouseEvent", type=kind, x=at_x, y=at_y, **held)
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

    def screenshot(self, path: Path, whole: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = self.cdp("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
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
    assert browser.js(f"return {OUTSIDE}") == []


def expected(data, name, at, axis=None):
    """What the page should show of a variable: at a point, or along an axis through it."""
    chosen = {a: i for a, i in at.items() if a in data[name].dims and a != axis and not isinstance(i, str)}
    array = data[name].isel(chosen).astype(float)
    for other in [a for a in array.dims if a != axis]:
        how = {"mean": array.mean, "least": array.min, "largest": array.max}[at[other]]
        array = how(other, skipna=True)
    return array.to_numpy()


def close(found, wanted, scale=None, rtol=1e-4):
    """Equal to the four digits of the page; what is unknown is null, and what is infinite is not drawn."""
    found = np.array(found, float)
    wanted = np.where(np.isfinite(wanted), wanted, np.nan)
    tolerance = 1e-37 if scale is None else 1e-4 * np.nanmax(np.abs(scale), initial=0)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=max(tolerance, 1e-37))


#: Follows a link, and tells all that is then shown.
FOLLOW = """
window.history.replaceState(null, "", arguments[0]);
return follow().then(() => ({
  at: {...state.at}, variable: state.variable, across: state.across, by: state.by, link: hash(),
  readout: document.getElementById("readout").textContent,
  lines: state.across === null ? [] : document.getElementById("map").data.filter((t) => "meta" in t)
    .map((t) => [t.meta ?? null, [...t.y].map((y) => (y === undefined ? null : y))]),
  cells: shown.filter((row) => how().kind === "map" && row[0] === variable.long_name).map((row) => row[3]),
  curve: document.getElementById("right").hidden ? null : document.getElementById("curve").data
    .find((t) => t.name === "the point").y,
  run: curve() ? Object.keys(study.variables).find((k) => study.variables[k] === curve()) : null,
}));
"""


def link(study, data, variable, rng):
    """A link to a random setting of all controls."""
    dims = [axis for axis in data[variable].dims if data.sizes[axis] > 1]
    asked = {"study": study, "variable": variable}
    for axis in data.dims:
        values = data["failure_rate" if axis == "success_rate" else axis].values
        value = values[rng.integers(len(values))]
        asked[f"at.{axis}"] = str(value) if isinstance(value, str) else repr(value.item())
        if axis in ("replicate", "draw", "search") and rng.random() < 0.6:
            asked[f"at.{axis}"] = str(rng.choice(["mean", "least", "largest"]))
    if dims:
        asked["across"] = str(rng.choice(dims))
        others = [axis for axis in dims if axis != asked["across"]]
        if others and rng.random() < 0.8:
            asked["by"] = f"{rng.choice(['lines', 'map'])}:{rng.choice(others)}"
    return "#" + urllib.parse.urlencode(asked)


def test_random_settings_show_what_the_datasets_hold(explore):
    """Readout, lines, maps and curves against the netCDF, at settings drawn over all studies and variables."""
    rng = np.random.default_rng(20251008)
    files = sorted((RESULTS / "datasets").glob("*.nc"))
    datasets = {path.stem: xr.load_dataset(path) for path in files}
    settings = curves = 0
    for k in range(SETTINGS):
        study = list(datasets)[k % len(datasets)]
        data = datasets[study]
        held = explore.js("return Object.keys(DATA.studies[arguments[0]].variables)", study)
        # half of the settings where there are runs to show beside
        runs = [set(data[name].dims) - {"iteration"} for name in held if "iteration" in data[name].dims]
        beside = [name for name in held if set(data[name].dims) in runs]
        variable = str(rng.choice(beside if beside and rng.random() < 0.5 else held))
        asked = link(study, data, variable, rng)
        found = explore.js(FOLLOW, asked)
        assert found["variable"] == variable or found["variable"] == re.sub("_(low|high)$", "", variable), (
            asked
        )
        variable, at = found["variable"], found["at"]
        value = expected(data, variable, at).item()
        text = found["readout"].replace("−", "-")
        if "flag_meanings" in data[variable].attrs:
            word = data[variable].attrs["flag_meanings"].split()[int(value)].replace("_", " ")
            assert f" {word}, at" in text, asked
        elif np.isfinite(value):
            close(float(re.search(r" (-?[\d.]+(?:e[+-]?\d+)?)(?: \(.*?\))?, at ", text)[1]), value, rtol=6e-4)
        else:
            assert re.search(r" (none|infinite|-?infinite)(?: \(.*\))?, at ", text), (asked, text)
        across, kind, by = found["across"], *(found["by"] or ":").split(":")
        if kind == "map":
            whole = np.stack([expected(data, variable, {**at, by: j}, across) for j in range(data.sizes[by])])
            cells = np.array(found["cells"], float)
            close(np.where(np.isfinite(cells), cells, np.nan), whole.ravel(), whole[np.isfinite(whole)])
        for meta, y in found["lines"]:
            here = at if meta is None else {**at, by: meta}
            wanted = expected(data, variable, here, across)
            close(y, wanted, wanted[np.isfinite(wanted)])
        if found["curve"] is not None:
            run = found["run"] or variable
            assert (
                set(data[run].dims) - {"iteration"} >= {a for a in data[variable].dims if a != "iteration"}
                or not found["run"]
            )
            wanted = expected(data, run, at, "iteration" if found["run"] else by)
            close(found["curve"], wanted, wanted[np.isfinite(wanted)])
            curves += bool(found["run"])
        settings += 1
        if k % 8:
            continue
        # the link holds all that is shown: following it again changes nothing
        again = explore.js(FOLLOW, found["link"])
        axes = {*data[variable].dims, *(set(data[found["run"]].dims) - {"iteration"} if found["run"] else ())}
        for one in (found, again):
            one["at"] = {axis: i for axis, i in one["at"].items() if axis in axes}
        assert again == found
    assert settings >= 200
    assert curves >= 10


def test_a_curve_is_that_of_the_point_or_there_is_none(explore):
    """Where the runs that were kept have other coordinates than what is shown, no run is shown beside it."""
    for path in sorted((RESULTS / "datasets").glob("*.nc")):
        data = xr.load_dataset(path)
        several = {axis for axis in data.dims if data.sizes[axis] > 1 and axis != "iteration"}
        for name in explore.js("return Object.keys(DATA.studies[arguments[0]].variables)", path.stem):
            if name.endswith(("_low", "_high")):
                continue
            found = explore.js(FOLLOW, "#" + urllib.parse.urlencode({"study": path.stem, "variable": name}))
            if found["run"] and found["run"] != name:
                assert set(data[found["run"]].dims) & several == set(data[name].dims) & several, (
                    path.stem,
                    name,
                )


@pytest.fixture
def view(explore):
    """A view of two charts: a map, and the learning curve of its point."""
    asked = {
        "study": "phase_diagram",
        "variable": "final_failure_rate",
        "across": "length",
        "by": "map:learning_rate",
    }
    explore.js(FOLLOW, "#" + urllib.parse.urlencode(asked))
    return explore


def test_click_shows_the_learning_curve_of_the_point(view):
    data = xr.load_dataset(RESULTS / "datasets/phase_diagram.nc")
    column, row = data.sizes["length"] // 2 - 1, data.sizes["learning_rate"] // 2 - 1
    x, y = view.js(
        "const g = document.getElementById('map'); g.scrollIntoView({block: 'center'});"
        "const r = g.getBoundingClientRect(), l = g._fullLayout;"
        "const at = (a, v) => a._offset + a.d2p(v), axes = DATA.studies.phase_diagram.axes;"
        "return [r.left + at(l.xaxis, axes.length.values[arguments[0]]),"
        " r.top + at(l.yaxis, axes.learning_rate.values[arguments[1]])]",
        column,
        row,
    )
    view.click(x, y)
    at = view.js("return {...state.at}")
    assert (at["length"], at["learning_rate"]) == (column, row)
    curve = view.js("return [...document.getElementById('curve').data.find(t => t.name === 'the point').y]")
    close(curve, expected(data, "curve_failure_rate", at, "iteration"))


def test_controls_have_no_duplicate_and_no_text_that_is_cut(explore):
    for device, size in SIZES.items():
        explore.size(*size)
        for study in explore.js("return Object.keys(DATA.studies)"):
            explore.choose("study", study)
            texts = explore.js(
                "return [...document.querySelectorAll('select')].map(s => [...s.options].map(o => o.text))"
            )
            for options in texts:
                assert len(set(options)) == len(options), (study, options)
            explore.wait(f"document.documentElement.scrollWidth <= {size[0]}", 10)
            # nothing that plotly draws leaves its chart, once it has laid it out anew
            leaves = (
                "['map', 'curve'].filter(id => !document.getElementById(id).parentElement.hidden)"
                ".flatMap(id => { const box = document.getElementById(id).getBoundingClientRect();"
                " const texts = ['.xtitle', '.ytitle', '.xtick text', '.ytick text'].map(s => `#${id} ${s}`).join();"
                " return [...document.querySelectorAll(texts)].filter(t => { const r = t.getBoundingClientRect();"
                " return r.left < box.left - 2 || r.right > box.right + 2 ||"
                " r.top < box.top - 2 || r.bottom > box.bottom + 2; }).map(t => t.textContent); })"
            )
            end = time.time() + 5
            while (outside := explore.js(f"return {leaves}")) and time.time() < end:
                time.sleep(0.1)
            assert outside == [], (device, study)
            time.sleep(0.2)
            explore.screenshot(SCREENSHOTS / f"explore-{study}-{device}.png")


def test_keyboard_alone_moves_the_point(explore):
    explore.choose("study", "phase_diagram")
    before = explore.js("document.getElementById('map').focus(); return {...state.at}")
    explore.key("\ue014")  # arrow right
    explore.key("\ue013")  # arrow up
    after = explore.js("return {...state.at}")
    assert after["length"] == before["length"] + 1
    assert after["learning_rate"] == before["learning_rate"] + 1
    for _ in range(3):
        explore.key("\ue004")  # tab
    assert explore.js("return document.activeElement.tagName") in ("SELECT", "A", "BUTTON")


def test_two_points_can_be_pinned_and_compared(explore):
    explore.choose("study", "phase_diagram")
    values = []
    for i in (0, 1):
        explore.choose("at-length", str(i))
        values.append(explore.js("return at(variable, state.at).value"))
        explore.js("document.getElementById('pin').click()")
    table = explore.js("return document.querySelector('#pins table').innerText").replace("−", "-")
    assert float(table.split("A / B")[1].split()[0]) == pytest.approx(values[0] / values[1], rel=6e-4)
    names = explore.js("return document.getElementById('curve').data.map(t => t.name)")
    assert names == ["the point", "pin A", "pin B"]
    csv = explore.js("return csv()").splitlines()
    assert csv[0] == "chart,line,x,value,low,high"
    assert len(csv) > 10


def test_both_charts_can_be_saved_as_pictures(view, tmp_path):
    curve, chart = view.downloaded("png", tmp_path, 2)
    assert (curve.name, chart.name) == (
        "phase_diagram-final_failure_rate-run.png",
        "phase_diagram-final_failure_rate.png",
    )
    for path in (curve, chart):
        with Image.open(path) as image:
            assert image.size == (1800, 1120)
            colours = image.convert("RGB").getcolors(image.width * image.height)
        assert len(colours) > 50, f"{path.name} holds no chart"


def test_what_is_shown_can_be_saved_as_a_table(view, tmp_path):
    (path,) = view.downloaded("csv", tmp_path, 1)
    assert path.name == "phase_diagram-final_failure_rate.csv"
    data = xr.load_dataset(RESULTS / "datasets/phase_diagram.nc")
    table = pd.read_csv(path)
    cells = table[table["chart"] == table["chart"][0]]
    assert len(cells) == data.sizes["length"] * data.sizes["learning_rate"]
    at = view.js("return {...state.at}")
    rows = [
        expected(data, "final_failure_rate", {**at, "learning_rate": j}, "length")
        for j in range(data.sizes["learning_rate"])
    ]
    close(cells["value"], np.concatenate(rows))


def test_the_copied_link_leads_to_what_is_shown(view):
    view.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    view.cdp("Page.bringToFront")
    view.choose("at-length", "0")
    view.js("document.getElementById('link').click()")
    view.wait("document.getElementById('link').textContent === 'Link copied'")
    copied = view.js("return navigator.clipboard.readText()")
    assert copied == view.js("return window.location.href")
    shown = "return [state.variable, state.across, state.by, {...state.at}]"
    before = view.js(shown)
    view.choose("study", "length_scaling")
    assert view.js(shown) != before
    view.js(FOLLOW, "#" + copied.partition("#")[2])
    assert view.js(shown) == before


def test_a_zoom_can_be_undone(view):
    ranges = "return ['xaxis', 'yaxis'].map(a => document.getElementById('map')._fullLayout[a].range)"
    before = view.js(ranges)
    left, top, width, height = view.js(
        "const g = document.getElementById('map'); g.scrollIntoView({block: 'center'});"
        "const r = g.querySelector('.nsewdrag').getBoundingClientRect();"
        "return [r.left, r.top, r.width, r.height]"
    )
    view.drag(left + 0.3 * width, top + 0.3 * height, left + 0.7 * width, top + 0.7 * height)
    zoomed = view.js(ranges)
    assert all(abs(z[1] - z[0]) < 0.6 * abs(b[1] - b[0]) for z, b in zip(zoomed, before, strict=True))
    view.choose(
        "at-success_rate", view.js("return String((state.at.success_rate + 1) % size('success_rate'))")
    )
    assert view.js(ranges) == zoomed  # another point leaves the zoom
    view.js("document.getElementById('reset').click()")
    assert view.js(ranges) == before


def test_page_is_small_and_soon_ready(browser):
    """Processor time of the page counts, for other work on this machine makes the wall time longer."""
    assert page("explore.html").stat().st_size <= 5e6
    browser.size(*SIZES["desktop"])
    browser.cdp("Performance.enable", timeDomain="threadTicks")

    def busy():
        metrics = browser.cdp("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    walls, spent = [], []
    for _ in range(3):
        before = busy()
        browser.open(page("explore.html"))
        browser.wait("document.body.dataset.ready === 'yes'")
        after = busy()
        spent.append(after - before if after > before else after)  # a new process counts from nothing
        walls.append(float(browser.js("return document.body.dataset.milliseconds")) / 1000)
    size = page("explore.html").stat().st_size / 1e6
    print(f"explore.html: {size:.2f} MB; ready after {walls} s, of which {spent} s of processor time")
    assert min(spent) <= READY


@pytest.mark.parametrize("device", SIZES)
def test_index_shows_question_answer_and_figure_of_every_study(browser, device):
    browser.size(*SIZES[device])
    browser.open(page("index.html"))
    browser.wait("document.readyState === 'complete'")
    text = browser.js("return document.body.innerText")
    studies = sorted(path.stem for path in (RESULTS / "datasets").glob("*.nc"))
    assert sorted(browser.js("return [...document.querySelectorAll('article')].map(a => a.id)")) == studies
    for study in studies:
        answer = (RESULTS / f"analysis/{study}.answer.txt").read_text(encoding="utf-8").strip()
        verdict, _, sentence = answer.partition(": ")
        assert sentence in text
        assert verdict.split(", ")[0] in text
    assert browser.js("return document.documentElement.scrollWidth") <= SIZES[device][0]
    browser.js("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    browser.wait("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    for href in browser.js("return [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"):
        if not href.startswith("https://"):
            assert (RESULTS / href.split("#")[0]).exists(), href
    browser.screenshot(SCREENSHOTS / f"index-{device}.png")
    assert browser.complaints("SEVERE", "WARNING") == []


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


@pytest.mark.parametrize("device", SIZES)
def test_site_opens_without_internet(browser, device):
    """Pages of each kind: mathematics is set, pictures load, nothing is asked of the internet."""
    site = Path(__file__).parents[1] / "site"
    if not (site / "index.html").is_file():
        pytest.skip("needs site/: run `make site` first")
    browser.size(*SIZES[device])
    for name in ("index", "theory", "gallery", "glossary", "reproduce", "api_probe", "changelog"):
        browser.open(site / f"{name}.html")
        browser.wait("document.readyState === 'complete'")
        if name == "theory":
            browser.wait("document.querySelectorAll('mjx-container').length > 300")
            assert browser.js("return document.querySelectorAll('mjx-merror').length") == 0
        browser.wait(
            "[...document.images].every(i => i.loading === 'lazy' || (i.complete && i.naturalWidth > 0))"
        )
        assert browser.js(f"return {OUTSIDE}") == [], name
        raw = "[...document.querySelectorAll('a')].map(a => a.textContent).filter(t => t.includes('\\\\('))"
        assert browser.js(f"return {raw}") == [], name  # formulas are not set in menus
        assert browser.js("return document.documentElement.scrollWidth") <= SIZES[device][0] + 1, name
        browser.screenshot(SCREENSHOTS / f"site-{name}-{device}.png", whole=False)
    assert browser.complaints("SEVERE") == []


def test_links_of_the_site_lead_somewhere():
    site = Path(__file__).parents[1] / "site"
    if not (site / "index.html").is_file():
        pytest.skip("needs site/: run `make site` first")
    texts = {path: path.read_text(encoding="utf-8") for path in site.glob("*.html")}
    names = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    broken, seen = [], 0
    for path, text in texts.items():
        for href in re.findall(r'(?:href|src)="([^"]+)"', text):
            if re.match(r"[a-z]+:", href):
                continue
            file, _, anchor = html.unescape(urllib.parse.unquote(href)).partition("#")
            target = path if not file else (path.parent / file.split("?")[0])
            seen += 1
            known = target.exists() and (not anchor or target not in names or anchor in names[target])
            if not known and path.name not in ("search.html", "genindex.html", "py-modindex.html"):
                broken.append((path.name, href))
    assert seen > 500
    assert sorted(set(broken)) == []
