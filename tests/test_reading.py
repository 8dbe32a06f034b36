"""Strict reading: whatever a file holds, it is taken or refused in one message, quickly, with file and line."""

import copy
import time
from pathlib import Path

import pytest
import yaml
from gradgap.errors import ConfigError
from gradgap.sweep import config, grid, reading
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NESTED = "\n".join(
    f"{name}: &{name} [{', '.join([what] * 10)}]"
    for name, what in zip("abcdef", ["1", *(f"*{n}" for n in "abcde")], strict=True)
)

#: What a file holds, the line that is named, and words of the message.
REFUSED = {
    "a number that is none": ("a: .nan", 1, ["a: ", ".nan", "finite"]),
    "an infinity": ("a: 1\nb: [1, -.inf]", 2, ["b[1]: ", "-.inf", "finite"]),
    "a number that YAML takes for a text": ("a: 1e-4", 1, ["1e-4", "write 1.0e-4"]),
    "a number beyond floats": ("a: 1.0e+400", 1, ["1.0e+400", "too large"]),
    "a number too close to 0": ("a: 1.0e-400", 1, ["1.0e-400", "0"]),
    "5,000 digits": ("a: " + "9" * 5000, 1, ["5000 digits"]),
    "41 digits": ("a: " + "9" * 41, 1, ["too long"]),
    "an octal number": ("a: 010", 1, ["010", "decimal"]),
    "a number in base 60": ("a: 1:30", 1, ["1:30", "decimal"]),
    "underscores": ("a: 1_000", 1, ["1_000", "decimal"]),
    "a key given twice": ("a: 1\nb: 2\na: 3", 1, ["given twice, on line 1 and on line 3"]),
    "a date": ("a: 2020-01-01", 1, ["2020-01-01", "date"]),
    "a date as a key": ("2020-01-01: 1", 1, ["2020-01-01", "date"]),
    "a number as a key": ("b: 1\n3: 1", 1, ["the key 3 (line 2)", "a name"]),
    "a list as a key": ("? [a]\n: 1", 1, ["a name"]),
    "an alias of itself": ("a: &x [*x]", 1, ["*x", "itself"]),
    "an alias of nothing": ("a: *x", 1, ["*x", "nothing"]),
    "a billion values by alias": (NESTED, None, ["more than 20000 values"]),
    "3,000 brackets": ("a: " + "[" * 3000 + "]" * 3000, 1, ["nested more than"]),
    "3,000 open brackets": ("[" * 3000, 1, ["nested more than"]),
    "100,000 values": ("a: [" + "1, " * 100_000 + "]", 1, ["more than 20000 values"]),
    "an object of Python": ("a: !!python/object:os.system x", 1, ["tag", "not allowed"]),
    "an open list": ("a: 1\nb: [1,\n", 3, ["not YAML"]),
    "a colon too many": ("a: 1\nb: c: d\n", 2, ["not YAML"]),
    "a tab": ("a:\n\tb: 1", 2, ["not YAML"]),
    "a control character": ("a: \x00", None, ["not YAML"]),
    "two documents": ("a: 1\n---\na: 2\n", 2, ["second document"]),
    "a merge key": ("a: &x {b: 1}\nc: {<<: *x}", 2, ["merge key"]),
    "a long text": ("a: " + "x" * 5000, 1, ["5000 letters"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_nobody_means_is_refused_with_its_line(case):
    text, line, words = REFUSED[case]
    started = time.perf_counter()
    with pytest.raises(ConfigError) as error:
        reading.parse(text, "my.yaml").refuse()
    assert time.perf_counter() - started < 2
    message = str(error.value)
    assert message.startswith("my.yaml" if line is None else f"my.yaml:{line}: ")
    for word in words:
        assert word in message


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigError, match="is a directory"):
        reading.read(tmp_path)
    with pytest.raises(ConfigError, match="no such file"):
        reading.read(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: not a text in UTF-8"):
        reading.read(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_bytes(b"a: 1\n" * 300_000)
    with pytest.raises(ConfigError, match="larger than"):
        reading.read(tmp_path / "large.yaml")


def test_what_is_written_plainly_is_read_as_it_is():
    found = reading.parse("a: [1, -2.5, 1.0e+2, yes, null, '010', x]\nb: &b {c: .5}\nd: *b", "my.yaml")
    found.refuse()
    assert found.content == {"a": [1, -2.5, 100.0, True, None, "010", "x"], "b": {"c": 0.5}, "d": {"c": 0.5}}
    assert found.lines["d", "c"] == 2
    assert found.texts["a", 2] == "1.0e+2"


def test_our_own_files_are_read_as_any_reader_of_yaml_reads_them(root):
    for path in ("config.yaml", "tests/smoke.yaml", "examples/config.yaml"):
        document = reading.read(root / path)
        document.refuse()
        assert document.content == yaml.safe_load((root / path).read_text())


TEXT = """\
seed: 7
shard_points: 1000
figures: { dpi: 60 }
studies:
  phase_diagram:
    family: [gated]
    length: [16, 64]
    failure_rate: [0.1, 0.01]
    rule: [GRPO, reinforce/token-mean]
    learning_rate: { from: 0.01, to: 10, per_decade: 4 }
    iterations: 100
  stagnation:
    length: [64]
    success_rate: [0.2]
    learning_rate: [0.1, 1.0e+1]
    window: 3
    iterations: 1000.0
  group_size:
    length: [16]
    failure_rate: [0.1]
    advantage: [rloo]
    aggregation: [token-mean]
    group_size: [4]
    replicates: 2
"""


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Kernels are compiled when they are first used, and that is not what is timed here."""
    config.parse(reading.parse(TEXT, "my.yaml"))


def taken(text: str, source: str = "my.yaml"):
    """A configuration, or the message with which it is refused; anything else is an error of the test."""
    started = time.perf_counter()
    try:
        found = config.parse(reading.parse(text, source))
    except ConfigError as error:
        found = str(error)
        assert all(line.startswith(source) for line in found.splitlines())
        assert 1 <= len(found.splitlines()) <= reading.MOST_PROBLEMS + 1
    else:
        for study in found.studies.values():
            for shard in grid.shards(study, found.shard_points, found.shard_seconds):
                path = Path("results/shards") / shard.study / f"{shard.name}.npz"
                assert path.parts[:2] == ("results", "shards")
                assert len(path.parts) == 4
                assert ".." not in path.parts
    assert time.perf_counter() - started < 5
    return found


def test_all_that_is_wrong_is_told_at_once():
    text = TEXT.replace("[16, 64]", "[16, 17, 1e3]").replace("seed: 7", "seeed: 7").replace("GRPO", "GRRPO")
    text = text.replace("window: 3", "windwo: 3").replace("per_decade: 4", "per_decade: 1.0e+8")
    message = taken(text)
    assert [line.partition(": ")[0] for line in message.splitlines()] == [
        f"my.yaml:{line}" for line in (1, 7, 7, 10, 16)
    ]
    for words in (
        "seeed: unknown key 'seeed'; did you mean 'seed'?",
        "length[1]: 17 is not allowed; it must be a whole number, at least 2, at most 1048576, even",
        "length[2]: 1e3 is a text to YAML; write 1.0e+3",
        "learning_rate.per_decade: 1.0e+8 is not allowed; it must be a number, above 0, at most 1000",
        "windwo: unknown key 'windwo'; did you mean 'window'?",
    ):
        assert words in message


def test_a_whole_number_may_be_written_with_a_point_or_a_power():
    plain = taken(TEXT)
    other = taken(
        TEXT.replace("[16, 64]", "[16.0, 6.4e+1]")
        .replace("1000.0", "1.0e+3")
        .replace("window: 3", "window: 3.0")
    )
    for name, study in plain.studies.items():
        assert grid.shards(study, 1000) == grid.shards(other.studies[name], 1000)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("length: [16, 64]", "length: [1.0e+16]"),
        ("replicates: 2", "replicates: 1000000000"),
        ("per_decade: 4", "per_decade: .nan"),
        ("to: 10,", "to: .inf,"),
        ("iterations: 100\n", "iterations: 1000000000000\n"),
        ("seed: 7", "seed: -1"),
        ("shard_points: 1000", "shard_points: 0"),
        ("window: 3", "window: 1.0e+30"),
    ],
)
def test_sizes_that_nothing_here_can_have(old, new):
    assert old in TEXT
    message = taken(TEXT.replace(old, new))
    assert isinstance(message, str)
    assert len(message.splitlines()) == 1


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**15, 10**60),
    st.floats(),
    st.text(max_size=12),
    st.dates(),
    st.binary(max_size=4),
    st.sampled_from(["{study}", "../../x", "a/b", "GRPO", "1e-4", "~", "%s", "{{ 1 }}", "<b>", "x" * 400]),
)
ANYTHING = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
RANGES = st.fixed_dictionaries(
    {
        "from": st.floats(1e-300, 1e300) | ODD,
        "to": st.floats(1e-300, 1e300) | ODD,
        "per_decade": st.floats(0, 1e9) | ODD,
    }
)
RAW = yaml.safe_load(TEXT)


def places(value, at=()):
    """Every place in a configuration."""
    yield at
    for key, part in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(part, (*at, key))


PLACES = [place for place in places(RAW) if place]
FUZZ = settings(
    max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@FUZZ
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), ANYTHING | RANGES | st.integers(1, 10**7)), min_size=1, max_size=3
    )
)
def test_any_value_anywhere(edits):
    raw = copy.deepcopy(RAW)
    for (*path, last), value in edits:
        place = raw
        for key in path:  # where an earlier edit has left something to edit
            try:
                place = place[key]
            except (KeyError, IndexError, TypeError):
                place = None
        if isinstance(place, dict) or (
            isinstance(place, list) and isinstance(last, int) and last < len(place)
        ):
            place[last] = value
    taken(yaml.dump(raw, allow_unicode=True, Dumper=yaml.SafeDumper))


@FUZZ
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(TEXT) - 1),
            st.integers(0, 8),
            st.text(max_size=4)
            | st.sampled_from(
                ["\n", "  ", "[", "{", "*a", "&a ", ": ", "- ", "9" * 50, "!!map ", "|", "0", "e+9"]
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_slip_of_the_hand(edits):
    text = TEXT
    for start, length, new in edits:
        text = text[:start] + new + text[start + length :]
    taken(text)


@FUZZ
@given(st.text(max_size=60))
def test_any_text(text):
    taken(text)
