"""First file of a zygote: `python -I -S boot.py FD`. Makes this folder importable without the host side."""

import os
import sys
import types

if __name__ == "__main__":
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    package = types.ModuleType("sandbox")
    package.__path__ = [here]  # the host side's __init__ is not wanted here
    sys.modules["sandbox"] = package
    from sandbox.inside.zygote import main

    main(int(sys.argv[1]))
