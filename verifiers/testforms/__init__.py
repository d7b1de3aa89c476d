"""Code tests: the one documented JSON form, and converters from the forms of public datasets."""

from __future__ import annotations

from verifiers.testforms.contests import (
    from_apps,
    from_code_contests,
    from_codeforces,
    from_livecodebench,
    from_prime,
)
from verifiers.testforms.detect import FORMS, convert, detect, from_am, read_tests
from verifiers.testforms.form import (
    AssertTests,
    BadTests,
    Call,
    CallTests,
    Checker,
    CodeTests,
    Io,
    PytestTests,
    StdinTests,
    dump_tests,
    parse_tests,
)
from verifiers.testforms.functions import from_humaneval, from_kodcode, from_mbpp, from_python
from verifiers.testforms.fusion import from_sandboxfusion

__all__ = [
    "FORMS",
    "AssertTests",
    "BadTests",
    "Call",
    "CallTests",
    "Checker",
    "CodeTests",
    "Io",
    "PytestTests",
    "StdinTests",
    "convert",
    "detect",
    "dump_tests",
    "from_am",
    "from_apps",
    "from_code_contests",
    "from_codeforces",
    "from_humaneval",
    "from_kodcode",
    "from_livecodebench",
    "from_mbpp",
    "from_prime",
    "from_python",
    "from_sandboxfusion",
    "parse_tests",
    "read_tests",
]
