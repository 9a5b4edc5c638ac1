"""Proxy files: written whole, read strictly."""

import json
import math

import pytest

from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.proxies.files import ProxyFile, read, write

CONTENT = ProxyFile(
    name="mine",
    formula="2.0 * params",
    constants=[2.0],
    statistics=["params"],
    measurement=[{"seed": 0}],
    fingerprint=["00"],
    raw_batch=4,
    sketch_batch=16,
    evidence=[{"tau": None}],
    coverage=None,
    labels={},
)


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "mine.json", CONTENT)
    proxy, content = read(tmp_path / "mine.json")
    assert content == CONTENT
    assert proxy.name == "mine"
    assert proxy.formula.text == parse(CONTENT.formula).text
    assert (proxy.raw_batch, proxy.sketch_batch) == (4, 16)


def test_keys_of_a_file(tmp_path):
    write(tmp_path / "mine.json", CONTENT)
    assert list(json.loads((tmp_path / "mine.json").read_text())) == [
        "measurement",
        "fingerprint",
        "raw_batch",
        "sketch_batch",
        "eznas_proxy",
        "name",
        "formula",
        "constants",
        "statistics",
        "evidence",
        "coverage",
        "labels",
        "untested",
    ]


@pytest.mark.parametrize("key", sorted(set(ProxyFile.model_fields) - {"eznas_proxy", "untested"}))
def test_every_key_is_needed_and_has_a_type(tmp_path, key):
    complete = CONTENT.model_dump()
    without_key = {k: v for k, v in complete.items() if k != key}
    of_wrong_type = complete | {key: 3 if key == "name" else "text"}
    for content in (without_key, of_wrong_type):
        if key == "formula" and content is of_wrong_type:
            continue  # any text is a text; whether it is a formula is tested below
        (tmp_path / "mine.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=rf"mine\.json: {key}"):
            read(tmp_path / "mine.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"formula": "2.0 * parms"}, r"unknown name 'parms'; did you mean 'params'.*position 7"),
        ({"formula": "weight"}, "NetScalar"),
        ({"formula": ""}, "expected a number"),
        ({"eznas_proxy": 3}, "format 3, expected 2"),
        ({"more": 1}, "more: Extra inputs"),
        ({"raw_batch": 1}, "raw_batch: .* 2"),
        ({"sketch_batch": -5}, "sketch_batch: .* 2"),
        ({"raw_batch": 2.5}, "raw_batch: .*integer"),
        ({"raw_batch": 10**12}, "raw_batch: .*4096"),
        ({"sketch_batch": 10**400}, "sketch_batch: .*4096"),
        ({"raw_batch": math.inf}, "raw_batch: .*finite"),
        ({"constants": [math.nan]}, r"constants\.0: .*finite"),
        ({"coverage": -math.inf}, "coverage: .*finite"),
        ({"evidence": [{"tau": math.nan}]}, "damaged"),
        ({"measurement": [{"a": "\ud800"}]}, "damaged"),
        ({"formula": "params * 1e999"}, "must be finite"),
        ({"formula": "params\x1b[31m"}, r"position 7, at '\\x1b'"),
        ({"formula": "params" + " " * 30_000}, "30006 characters, at most 20000"),
        ({"formula": "p" * 19_000}, "unknown name 'ppp"),
        ({"name": "a\x1b[31m"}, r"proxy name 'a\\x1b\[31m': expected printable"),
        ({"name": "two\nlines"}, r"proxy name 'two\\nlines'"),
        ({"name": "a" * 30_000}, "name: .*20000"),
        ({"\x1b[31m": 1}, r"\\x1b\[31m: Extra inputs"),
    ],
)
def test_a_bad_value_is_refused_by_name(tmp_path, change, message):
    (tmp_path / "mine.json").write_text(json.dumps(CONTENT.model_dump() | change))
    with pytest.raises(InputError, match=rf"mine\.json: .*{message}") as caught:
        read(tmp_path / "mine.json")
    assert str(caught.value).isprintable()


def test_a_formula_is_read_in_its_printed_form(tmp_path):
    """Blanks may be control characters of a terminal."""
    with_odd_blanks = CONTENT.model_copy(update={"formula": "2\x85* \r params\x1c"})
    write(tmp_path / "mine.json", with_odd_blanks)
    assert read(tmp_path / "mine.json")[1] == CONTENT


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"3", b"[" * 99_999, b"\xff\xfe", b"\0"])
def test_a_file_that_is_no_json_object(tmp_path, content):
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.json: ") as caught:
        read(tmp_path / "mine.json")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "mine.json")
    with pytest.raises(InputError, match="directory"):
        read(tmp_path)


def test_constants_in_the_order_of_the_text():
    text = "-3.0 * params + 1.5 * log(params) / 7.0"
    assert parse(text).constants() == [-3.0, 1.5, 7.0]
