"""Values of the library and of pandas that cross between a solution and its tests, and are compared there."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import pytest

from sandbox import Sandbox

HEAD = """
import array, collections, datetime, decimal, enum, fractions, ipaddress, itertools, pathlib, time, types, uuid, zoneinfo
from dataclasses import dataclass
Pair = collections.namedtuple("Pair", "left right")
class Color(enum.Enum):
    RED = 1
    BLUE = 2
class Size(enum.IntEnum):
    S = 1
    L = 2
@dataclass
class Point:
    x: int
    y: int = 0
utc = datetime.timezone.utc
"""
VALUES = {
    "date": ("datetime.date(2024, 2, 29)", "datetime.date(2024, 3, 1)"),
    "datetime": ("datetime.datetime(2024, 1, 2, 3, 4, 5)", "datetime.datetime(2024, 1, 2, 3, 4, 6)"),
    "datetime with a zone": ("datetime.datetime(2024, 1, 2, tzinfo=utc)", "datetime.datetime(2024, 1, 2)"),
    "timedelta": ("datetime.timedelta(hours=25)", "datetime.timedelta(hours=24)"),
    "time": ("datetime.time(1, 2)", "datetime.time(2, 1)"),
    "Path": ("pathlib.Path('a/b')", "pathlib.Path('a/c')"),
    "UUID": ("uuid.UUID(int=5)", "uuid.UUID(int=6)"),
    "Decimal": ("decimal.Decimal('1.10')", "decimal.Decimal('1.11')"),
    "Fraction": ("fractions.Fraction(1, 3)", "fractions.Fraction(1, 4)"),
    "address": ("ipaddress.ip_address('10.0.0.1')", "ipaddress.ip_address('10.0.0.2')"),
    "array": ("array.array('i', [1, 2])", "array.array('i', [2, 1])"),
    "keys": ("{1: 2, 3: 4}.keys()", "{1: 2, 4: 4}.keys()"),
    "items": ("{1: 2}.items()", "{1: 3}.items()"),
    "namedtuple": ("Pair(1, [2])", "Pair(1, [3])"),
    "slice": ("slice(1, 2)", "slice(1, 3)"),
    "namespace": ("types.SimpleNamespace(a=1)", "types.SimpleNamespace(a=2)"),
    "chained": ("collections.ChainMap({1: 2})", "collections.ChainMap({1: 3})"),
    "ellipsis": ("...", "None"),
    "nested": ("{'a': [datetime.date(2024, 1, 1), {pathlib.Path('x')}]}", "{'a': [datetime.date(2024, 1, 1), {pathlib.Path('y')}]}"),
    "keys of a dict": ("{datetime.date(2024, 1, 1): Pair(1, 2)}", "{datetime.date(2024, 1, 1): Pair(2, 2)}"),
    "enum": ("Color.RED", "Color.BLUE"),
    "number of an enum": ("Size.S", "Size.L"),
    "dataclass": ("Point(1, 2)", "Point(1, 3)"),
    "datetime64": ("np.datetime64('2024-01-01')", "np.datetime64('2024-01-02')"),
    "Timestamp": ("pd.Timestamp('2024-01-01', tz='UTC')", "pd.Timestamp('2024-01-02', tz='UTC')"),
    "Timedelta": ("pd.Timedelta('1 day')", "pd.Timedelta('2 days')"),
}  # fmt: skip


PACKAGES = {"np.": "import numpy as np\n", "pd.": "import pandas as pd\n"}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_equals_its_like_and_no_other(numeric_box: Sandbox, name: str) -> None:
    right, wrong = VALUES[name]
    packages = "".join(line for mark, line in PACKAGES.items() if mark in right)
    code = f"{packages}{HEAD}def f(): return {right}\ndef echo(x): return x\n"
    # What the tests define themselves is another class: they take it from the solution.
    shared = name in ("enum", "number of an enum", "dataclass")
    own = "from solution import *\n" if shared else packages + HEAD
    tests = f"{own}from solution import f, echo\ndef test_f():\n    want = {{}}\n    assert f() == want and want == f()\n    assert echo(want) == want\n    assert str(f()) == str(want)"
    assert numeric_box.run_pytest(code, tests.format(right)).verdict == "AC", name
    assert numeric_box.run_pytest(code, tests.format(wrong)).verdict == "WA", name


TABLES = {
    "DataFrame": ("pd.DataFrame({'a': [1, 2], 'b': ['x', None]}, index=['r', 's'])", "pd.testing.assert_frame_equal(f(), {})", "pd.DataFrame({'a': [1, 3], 'b': ['x', None]}, index=['r', 's'])"),
    "DataFrame by equals": ("pd.DataFrame({'t': pd.to_datetime(['2024-01-01', None])})", "assert f().equals({})", "pd.DataFrame({'t': pd.to_datetime(['2024-01-02', None])})"),
    "Series": ("pd.Series([1.5, None], name='s')", "pd.testing.assert_series_equal(f(), {})", "pd.Series([1.5, 2], name='s')"),
    "Series by all": ("pd.Series([1, 2])", "assert (f() == {}).all()", "pd.Series([1, 3])"),
    "grouped": ("pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]}).groupby('k').v.sum()", "pd.testing.assert_series_equal(f(), {})", "pd.DataFrame({'k': list('abb'), 'v': [1, 2, 3]}).groupby('k').v.sum()"),
    "Index": ("pd.Index(['a', 'b'], name='i')", "pd.testing.assert_index_equal(f(), {})", "pd.Index(['a', 'c'], name='i')"),
    "text array": ("np.array(['a', 'bc'])", "assert np.array_equal(f(), {})", "np.array(['a', 'bd'])"),
    "object array": ("np.array([1, 'a', None], dtype=object)", "assert f().tolist() == {}.tolist()", "np.array([1, 'b', None], dtype=object)"),
    "times": ("np.array(['2024-01-01'], dtype='M8[D]')", "assert (f() == {}).all()", "np.array(['2024-01-02'], dtype='M8[D]')"),
}  # fmt: skip


@pytest.mark.parametrize("numeric_box", ["namespaces"], indirect=True)
@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_compared_as_one(numeric_box: Sandbox, name: str) -> None:
    right, compare, wrong = TABLES[name]
    code = f"import numpy as np\nimport pandas as pd\ndef f(): return {right}"
    tests = f"import numpy as np\nimport pandas as pd\nfrom solution import f\ndef test_f():\n    {compare}"
    assert numeric_box.run_pytest(code, tests.replace("{}", right)).verdict == "AC", name
    assert numeric_box.run_pytest(code, tests.replace("{}", wrong)).verdict in ("WA", "RE"), name
