"""Why a tier cannot be had, in words that say what to change."""

from __future__ import annotations

import errno
import os
from typing import Any

from sandbox.model import Tier

__all__ = ["ORDER", "explain", "tiers_down_to"]

ORDER: tuple[Tier, ...] = ("namespaces", "landlock", "rlimits")

_DOCKER = "in a container, start it with --security-opt seccomp=unconfined (or a profile that allows it)"
_CURES: tuple[tuple[str, str], ...] = (
    (
        "unshare",
        "set user.max_user_namespaces above 0 and, where it exists, kernel.unprivileged_userns_clone=1 and"
        f" kernel.apparmor_restrict_unprivileged_userns=0; {_DOCKER}, or give it CAP_SYS_ADMIN",
    ),
    (
        "write(",
        "let this user map its own id: kernel.apparmor_restrict_unprivileged_userns=0, or run as root",
    ),
    (
        "mount",
        f"mounting must be allowed in the new namespaces; {_DOCKER}, --security-opt apparmor=unconfined",
    ),
    ("pivot_root", f"the root file system must be a mount that can be left; {_DOCKER}"),
    (
        "landlock",
        f"a kernel from 5.13 on with `landlock` in its lsm= list is needed; {_DOCKER} from 20.10.10 on",
    ),
    ("prctl(PR_SET_SECCOMP", "a kernel with CONFIG_SECCOMP_FILTER is needed"),
    ("seccomp", "the filter table is for x86-64; run on such a machine"),
    ("setresuid", "the user id must be mapped: run as an ordinary user, or give the container CAP_SETUID"),
)


def explain(tier: Tier, reply: dict[str, Any]) -> str:
    """One sentence: the call, the errno and the cure."""
    call, number = str(reply.get("call", "start")), int(reply.get("errno") or 0)
    name = errno.errorcode.get(number, str(number))
    what = (
        f"{call}: {os.strerror(number)} ({name})" if number else f"{call} failed: {reply.get('detail', '')}"
    )
    cure = next((cure for start, cure in _CURES if call.startswith(start)), "see the detail above")
    return f"tier '{tier}' is not available: {what}. Cure: {cure}."


def tiers_down_to(lowest: Tier, *, allow_unsafe: bool) -> list[Tier]:
    """The tiers that may be tried, strongest first."""
    allowed = list(ORDER[: ORDER.index(lowest) + 1])
    return allowed if allow_unsafe else [tier for tier in allowed if tier != "rlimits"]
