"""What tests change in their process reaches the solution in its own: mocks, seeds, the environment."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import pytest

from sandbox import Sandbox

CODE = """
import datetime, json, os, random, smtplib, subprocess, sys, time, urllib.request
import numpy as np
def fetch(url):
    with urllib.request.urlopen(url) as response:
        if response.status != 200: raise RuntimeError("status %s" % response.status)
        return json.loads(response.read())["n"] + ONE
def read(path):
    with open(path) as file:
        return [line.strip() for line in file] [:ONE]
def ask(): return int(input("n? ")) + ONE
def roll(): return [random.randint(0, 999) for _ in range(3)] + [int(np.random.randint(0, 999))][:ONE]
def home(): return os.environ.get("PLACE", "nowhere") + "!" * ONE
def now(): return datetime.datetime.now().year + ONE
def wait():
    time.sleep(50)
    return ONE
def run(command): return subprocess.run(command, capture_output=True).stdout.upper() * ONE
def mail(to):
    with smtplib.SMTP("host", 25) as server:
        server.login("a", "b")
        server.sendmail("me", to, "hi" * ONE)
def helper(x): return x
def uses(x): return helper(x) + ONE
def lines(): return [line.strip() for line in sys.stdin][:ONE]
class Shop:
    def price(self): return 1
    def total(self, n): return self.price() * n + ONE - 1
def where():
    open("made.txt", "w").write("x" * ONE)
    return os.path.basename(os.getcwd())
def logs(items):
    for item in items: print(item * ONE)
"""
HEAD = "import unittest, random, os, io, sys, pytest, json\nimport numpy as np\nfrom unittest import mock\nfrom unittest.mock import patch, MagicMock, Mock, mock_open, call\nfrom solution import *\n"

TESTS = {
    "a web page": "@patch('urllib.request.urlopen')\ndef test_a(opened):\n    response = opened.return_value.__enter__.return_value\n    response.status = 200\n    response.read.return_value = b'{\"n\": 4}'\n    assert fetch('http://x') == 5\n    opened.assert_called_once_with('http://x')",
    "an error of the web": "import urllib.error\ndef test_a():\n    with patch('urllib.request.urlopen', side_effect=urllib.error.URLError('down')):\n        with pytest.raises(urllib.error.URLError):\n            fetch('http://x')\n    with patch('urllib.request.urlopen') as opened:\n        opened.return_value.__enter__.return_value.status = 404\n        with pytest.raises(RuntimeError, match='status 404'):\n            fetch('http://x')\n    assert uses(1) == 2",
    "a file": "def test_a():\n    with patch('builtins.open', mock_open(read_data='one\\ntwo\\n')) as opened:\n        assert read('a.txt') == ['one']\n    opened.assert_called_once_with('a.txt')",
    "what is typed": "class T(unittest.TestCase):\n    @patch('builtins.input', side_effect=['4', '5'])\n    def test_a(self, typed):\n        self.assertEqual([ask(), ask()], [5, 6])\n        self.assertEqual(typed.call_count, 2)",
    "what is typed, by a function": "def test_a(monkeypatch):\n    monkeypatch.setattr('builtins.input', lambda prompt: '4')\n    assert ask() == 5",
    "seeds": "def test_a():\n    random.seed(3)\n    np.random.seed(4)\n    got = roll()\n    random.seed(3)\n    np.random.seed(4)\n    assert got == [random.randint(0, 999) for _ in range(3)] + [int(np.random.randint(0, 999))]",
    "the environment": "def test_a():\n    with patch.dict(os.environ, {'PLACE': 'here'}):\n        assert home() == 'here!'\n    assert home() == 'nowhere!'\ndef test_b(monkeypatch):\n    monkeypatch.setenv('PLACE', 'there')\n    assert home() == 'there!'\ndef test_c():\n    os.environ['PLACE'] = 'where'\n    assert home() == 'where!'",
    "the time": "def test_a():\n    with patch('datetime.datetime') as clock:\n        clock.now.return_value.year = 1999\n        assert now() == 2000",
    "a long sleep": "@patch('time.sleep', return_value=None)\ndef test_a(slept):\n    assert wait() == 1\n    slept.assert_called_once_with(50)",
    "another program": "@patch('subprocess.run')\ndef test_a(ran):\n    ran.return_value = Mock(stdout='abc')\n    assert run(['ls']) == 'ABC'\n    ran.assert_called_with(['ls'], capture_output=True)",
    "mail": "@patch('smtplib.SMTP')\ndef test_a(made):\n    mail('you')\n    server = made.return_value.__enter__.return_value\n    server.sendmail.assert_called_once_with('me', 'you', 'hi')",
    "a function of the solution": "def test_a():\n    with patch('solution.helper', return_value=7):\n        assert uses(1) == 8\n    assert uses(1) == 2",
    "a method of the solution": "def test_a():\n    with patch.object(Shop, 'price', return_value=5):\n        assert Shop().total(2) == 10\n    assert Shop().total(2) == 2",
    "standard input": "def test_a():\n    with patch('sys.stdin', io.StringIO('a\\nb\\n')):\n        assert lines() == ['a']",
    "standard output": "def test_a():\n    with patch('sys.stdout', new_callable=io.StringIO) as out:\n        logs(['a', 'b'])\n    assert out.getvalue() == 'a\\nb\\n'",
    "printing": "@patch('builtins.print')\ndef test_a(printed):\n    logs(['a', 'b'])\n    assert printed.call_args_list == [call('a'), call('b')]",
    "patchers that are started": "class T(unittest.TestCase):\n    def setUp(self):\n        self.patcher = patch('random.randint', return_value=7)\n        self.patcher.start()\n        self.addCleanup(self.patcher.stop)\n    def test_a(self):\n        self.assertEqual(roll()[:3], [7, 7, 7])\n        self.assertEqual(len(roll()), 4)",
}  # fmt: skip


@pytest.mark.parametrize("name", TESTS)
def test_the_solution_meets_what_the_tests_have_put_there(numeric_box: Sandbox, name: str) -> None:
    source = HEAD + TESTS[name]
    right = numeric_box.run_pytest(CODE.replace("ONE", "1"), source)
    assert right.verdict == "AC", (
        f"{name}: {[(t.name, t.reason, t.undecided, t.stderr[-200:]) for t in right.tests]}"
    )
    wrong = numeric_box.run_pytest(CODE.replace("ONE", "0"), source)
    assert wrong.verdict in ("WA", "RE"), f"{name} must be able to fail: {wrong}"


CHEATS = {
    "calls the mock and returns nothing": "import urllib.request\ndef fetch(url):\n    urllib.request.urlopen(url)",
    "returns the mock's own": "import urllib.request\ndef fetch(url):\n    return urllib.request.urlopen(url)",
    "tells the mock what to say": "import urllib.request\ndef fetch(url):\n    m = urllib.request.urlopen\n    m.return_value = 5\n    m.assert_called_once_with = lambda *a: None\n    m.configure_mock(side_effect=None)\n    return m()",
    "asks for what is hidden": "import urllib.request\ndef fetch(url):\n    m = urllib.request.urlopen(url)\n    return m.__class__.__init__.__globals__['sys'].exit(0)",
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_a_mock_lends_no_answer(numeric_box: Sandbox, name: str) -> None:
    source = HEAD + TESTS["a web page"].replace("import *", "import fetch")
    assert numeric_box.run_pytest(CHEATS[name], source).verdict in ("WA", "RE"), name
