"""Handing a command to a Ray cluster as a job, and following what it prints."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from factory.core import FactoryError, PipelineError, WorkspaceError

__all__ = ["EXCLUDED", "submit"]

EXCLUDED = (
    *("/.venv/", "/.git/", "/workspace/", "**/__pycache__/", "/.mypy_cache/", "/.ruff_cache/", "/dist/"),
    *("**/.env", "**/.env.*", "**/*.pem", "**/*.key"),
)
"""Left out of the working folder that goes up to the cluster."""


def submit(
    entrypoint: str,
    *,
    address: str,
    working_dir: str,
    env: Mapping[str, str],
    follow: bool,
    excludes: Sequence[str] = EXCLUDED,
) -> str:
    """Submits a job to the dashboard at `address` (`http://head:8265`) and gives its id.

    With `follow` it prints the job's output until it ends, and raises FactoryError when it did not succeed.
    """
    _use_token()
    try:
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobStatus, JobSubmissionClient
    except ImportError as error:
        raise PipelineError("submitting needs ray[default]; install the extra 'cluster'") from error
    try:
        client = JobSubmissionClient(address)
        job = client.submit_job(
            entrypoint=entrypoint,
            runtime_env={"working_dir": working_dir, "excludes": list(excludes), "env_vars": dict(env)},
        )
    except AuthenticationError as error:
        raise WorkspaceError(
            f"{address}: wants a token; copy the head's ~/.ray/auth_token here, or set RAY_AUTH_TOKEN"
        ) from error
    except (ConnectionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WorkspaceError(
            f"{address}: no Ray head takes jobs there ({reason}); `ray start --head` starts one"
        ) from error
    if follow:
        asyncio.run(_tail(client, job))
        status = client.get_job_status(job)
        if status != JobStatus.SUCCEEDED:
            raise FactoryError(f"job {job}: {status}; its log is above, and behind `ray job logs {job}`")
    return str(job)


async def _tail(client: Any, job: str) -> None:
    async for lines in client.tail_job_logs(job):
        sys.stdout.write(lines)
        sys.stdout.flush()


def _use_token() -> None:
    """Sends the token where there is one; Ray reads this variable when it is first imported."""
    held = os.environ.get("RAY_AUTH_TOKEN_PATH", os.path.expanduser("~/.ray/auth_token"))
    if "RAY_AUTH_TOKEN" in os.environ or os.path.exists(held):
        os.environ.setdefault("RAY_AUTH_MODE", "token")
