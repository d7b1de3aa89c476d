"""The executor on a Ray cluster: tasks for stateless stages, pools of actors for those that hold a model."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from factory.core import PipelineError, Resources, WorkspaceError
from factory.engine.executor import Holder, Lost, Outcome, run_in_worker
from factory.engine.steps import Step
from factory.engine.worker import Done, Failed, Phase, Unit, needs_own_worker, run_unit

__all__ = ["RayExecutor", "connect", "refuse_infeasible"]

_CLUSTER_EVERY_S = 5.0

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def connect(address: str | None) -> bool:
    """Joins the cluster at `address` or RAY_ADDRESS; without either it starts one of its own on this machine.

    A cluster that somebody else runs here is never joined unasked: it would end with its owner. False when
    this process was connected already: whoever connected also disconnects.
    """
    if ray.is_initialized():
        return False
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "factory"}
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    where = address or os.environ.get("RAY_ADDRESS") or "local"
    if where == "local":
        ray.init(address="local", include_dashboard=False, **quiet)
        return True
    try:
        ray.init(address=where, **quiet)
    except ConnectionError as error:
        raise WorkspaceError(f"{where}: no Ray cluster answers; start one, or leave --address out") from error
    return True


class _Worker(Holder):
    """A holder that lives in an actor."""


class RayExecutor:
    """Runs units as Ray tasks and actor calls; Ray places and restarts, the receipts make it exactly once."""

    def __init__(self, steps: Sequence[Step], *, address: str | None = None) -> None:
        """Joins or starts a cluster; a PipelineError when no node of it can ever hold a worker of a step."""
        self._connected = connect(address)
        try:
            refuse_infeasible(steps)
        except PipelineError:
            self._disconnect()
            raise
        self._flying: dict[Any, tuple[Unit, Any]] = {}
        self._pools: dict[tuple[int, Phase], dict[Any, int]] = {}
        self._places: dict[Any, str] = {}
        self._cpus, self._cpus_read = 1.0, float("-inf")

    def _disconnect(self) -> None:
        if self._connected:
            ray.shutdown()

    def _cluster_cpus(self) -> float:
        """CPUs of the cluster as it is now: nodes come and go."""
        if time.monotonic() - self._cpus_read > _CLUSTER_EVERY_S:
            self._cpus = float(ray.cluster_resources().get("CPU", 1.0))
            self._cpus_read = time.monotonic()
        return self._cpus

    def _workers(self, step: Step, phase: Phase) -> int:
        if needs_own_worker(step, phase):
            return step.site.resources.workers or 1
        return step.site.resources.workers or max(2, int(self._cluster_cpus())) * 2

    def room(self, step: Step, phase: Phase) -> int:
        """Free places of the step's pool, or of its share of tasks."""
        places = self._workers(step, phase)
        if needs_own_worker(step, phase):
            places *= step.stage.concurrency
        return places - sum(1 for unit, _ in self._flying.values() if unit.step == step.index)

    def submit(self, step: Step, unit: Unit) -> None:
        """Starts a task, or calls the least busy actor of the step's pool."""
        if not needs_own_worker(step, unit.phase):
            options = _task_options(step.site.resources)
            ref = ray.remote(_run_task).options(**options).remote(step, unit)
            self._flying[ref] = (unit, None)
            return
        pool = self._pools.setdefault((step.index, unit.phase), {})
        idle = min(pool, key=lambda a: pool[a], default=None)
        if idle is None or (pool[idle] > 0 and len(pool) < self._workers(step, unit.phase)):
            idle = self._start(step, unit.phase)
            pool[idle] = 0
        pool[idle] += 1
        self._flying[idle.run.remote(unit)] = (unit, idle)

    def _start(self, step: Step, phase: Phase) -> Any:
        """A new actor. It reserves no CPU, or tasks of this run or another would wait for its end."""
        node = self._roomiest(step.site.resources)
        options = _task_options(step.site.resources) | {
            "num_cpus": 0,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=True) if node else "SPREAD",
            "max_concurrency": step.stage.concurrency + 1,
            "max_restarts": 0,
        }
        actor = ray.remote(_Worker).options(**options).remote(step, phase)
        self._places[actor] = node or ""
        return actor

    def _roomiest(self, wanted: Resources) -> str | None:
        """Of the nodes with CPUs enough that with fewest of this run's actors per CPU; null: Ray chooses."""
        if wanted.gpus or wanted.memory_gb or wanted.accelerator_type:
            return None  # these are reserved, so that Ray itself finds the node
        fit = {n["NodeID"]: n["Resources"]["CPU"] for n in _nodes() if _fits(wanted, n["Resources"])}
        held = list(self._places.values())
        return min(fit, key=lambda node: (held.count(node) + 1) / fit[node], default=None)

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        """Outcomes in finish order."""
        if not self._flying:
            return []
        ready, _ = ray.wait(list(self._flying), num_returns=1, timeout=timeout_s)
        if ready:
            more, _ = ray.wait(list(self._flying), num_returns=len(self._flying), timeout=0)
            ready = list({*ready, *more})
        found = []
        for ref in ready:
            unit, actor = self._flying.pop(ref)
            outcome = _outcome(ref)
            self._release(unit, actor, outcome)
            found.append((unit, outcome))
        return found

    def _release(self, unit: Unit, actor: Any, outcome: Outcome) -> None:
        pool = self._pools.get((unit.step, unit.phase), {})
        if actor is None or actor not in pool:
            return
        pool[actor] -= 1
        if isinstance(outcome, Lost):
            del pool[actor]
            del self._places[actor]
            ray.kill(actor)

    def close_step(self, step: Step) -> None:
        """Ends the actors of a sealed step."""
        for key in [k for k in self._pools if k[0] == step.index]:
            for actor in self._pools.pop(key):
                del self._places[actor]
                _end(actor)

    def close(self, *, early: bool = False) -> None:
        """Ends all actors, whose units then end with them; the cluster stays as it was found."""
        for ref, (_, actor) in self._flying.items():
            if actor is None:
                ray.cancel(ref, force=True)
        for pool in self._pools.values():
            for actor in pool:
                _end(actor)
        self._disconnect()


def refuse_infeasible(steps: Sequence[Step]) -> None:
    """Raises PipelineError for a step whose worker fits on no node; Ray itself would wait for ever."""
    nodes = [node["Resources"] for node in _nodes()]
    for step in steps:
        wanted = step.site.resources
        if wanted.wait_for_nodes or any(_fits(wanted, node) for node in nodes):
            continue
        there = "; ".join(sorted({_words(node) for node in nodes})) or "no node"
        raise PipelineError(
            f"{step.label}: a worker wants {_words(_wanted(wanted))}, the cluster has nodes of {there}; ask "
            f"for less in `resources: {step.name}`, or set `wait_for_nodes` there with an autoscaler"
        )


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _wanted(resources: Resources) -> dict[str, float]:
    wanted = {"CPU": resources.cpus, "GPU": resources.gpus}
    wanted["memory"] = (resources.memory_gb or 0.0) * 2**30
    if resources.accelerator_type:
        wanted[f"accelerator_type:{resources.accelerator_type}"] = 0.001
    return wanted


def _fits(resources: Resources, node: Mapping[str, float]) -> bool:
    return all(node.get(kind, 0.0) >= count for kind, count in _wanted(resources).items())


def _words(node: Mapping[str, float]) -> str:
    words = [f"{node.get('CPU', 0.0):g} CPUs", f"{node.get('GPU', 0.0):g} GPUs"]
    if node.get("memory"):
        words.append(f"{node['memory'] / 2**30:.1f} GiB")
    words += [kind.partition(":")[2] for kind in node if kind.startswith("accelerator_type:")]
    return ", ".join(words)


def _end(actor: Any) -> None:
    try:
        ray.get(actor.close.remote(), timeout=30)
    except RayError:
        logging.getLogger(__name__).debug("an actor did not close in time", exc_info=True)
    ray.kill(actor)


def _outcome(ref: Any) -> Outcome:
    try:
        result: Done | Failed = ray.get(ref)
    except RayTaskError as error:
        return Failed("StageError", f"{type(error.cause).__name__}: {error.cause}", str(error))
    except RayActorError as error:
        return Lost(f"a worker died: {str(error).splitlines()[0]}")
    except RayError as error:
        return Lost(f"{type(error).__name__}: {str(error).splitlines()[0]}")
    return result


def _task_options(resources: Resources) -> dict[str, Any]:
    threads = str(max(1, int(resources.cpus)))
    return {
        "num_cpus": resources.cpus,
        "num_gpus": resources.gpus,
        "memory": None if resources.memory_gb is None else int(resources.memory_gb * 2**30),
        "accelerator_type": resources.accelerator_type,
        "runtime_env": {"env_vars": dict.fromkeys(_THREAD_VARIABLES, threads)},
    }


def _run_task(step: Step, unit: Unit) -> Done | Failed:
    if unit.phase == "decide":
        return run_unit(step, unit, spread=_spread)
    return run_in_worker(step, unit)


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


def _spread(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """Runs the calls as tasks of the cluster, at most a few per CPU pending; results in order."""
    task = ray.remote(_call).options(num_cpus=0.5)
    window = max(4, 2 * int(ray.cluster_resources().get("CPU", 1)))
    pending: list[Any] = []
    for given in arguments:
        pending.append(task.remote(function, given))
        if len(pending) >= window:
            yield ray.get(pending.pop(0))
    while pending:
        yield ray.get(pending.pop(0))
