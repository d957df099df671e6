# SPDX-License-Identifier: GPL-2.0-or-later
"""The only place that asks which Buildbot this is; each answer is pinned by a test."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from buildbot.interfaces import ILatentWorker
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot.process.workerforbuilder import States
from buildbot.worker.protocols import null
from twisted.internet import defer
from twisted.python.failure import Failure

NEXT_STEP = '_start_next_step_impl'  # runs one step of a Build; what it raises, nobody hears


def unclaimed(brdicts: Any) -> list[Any]:
    """The list in what a chooser has fetched: a ListResult on 4.3, a plain list on main."""
    rows = getattr(brdicts, 'data', brdicts)
    return list(rows)


def build_request(**facts: Any) -> Any:
    """A dataclass on main; on 4.3 it takes no arguments, and two names differ."""
    make: Any = BuildRequest
    if dataclasses.is_dataclass(BuildRequest):
        return make(**facts)
    made = make()
    made.submittedAt, made.waitedFor = facts.pop('submitted_at'), facts.pop('waited_for')
    for name, value in facts.items():
        setattr(made, name, value)
    return made


def waited_for(breq: Any) -> bool:
    """``waitedFor`` on 4.3, ``waited_for`` on main."""
    return bool(getattr(breq, 'waited_for', getattr(breq, 'waitedFor', False)))


def is_latent(worker: Any) -> bool:
    return bool(ILatentWorker.providedBy(worker))


def is_paused(worker: Any) -> bool:
    return bool(worker.isPaused())


def pause_reason(worker: Any) -> str | None:
    """As the person who paused it typed it."""
    reason = worker._pause_reason  # noqa: SLF001  there is no accessor
    return str(reason) if reason and worker.isPaused() else None


def is_graceful(worker: Any) -> bool:
    return bool(worker._graceful)  # noqa: SLF001  there is no accessor


def is_quarantined(worker: Any) -> bool:
    return worker.quarantine_timer is not None


def place_of(builder: Any, worker: Any) -> Any:
    """The WorkerForBuilder, where the worker has fully attached; None where it has not."""
    wfb = worker.workerforbuilders.get(builder.name)
    return wfb if wfb is not None and wfb.worker is worker and wfb in builder.workers else None


def busy_places(worker: Any) -> int:
    """As Buildbot counts them for ``max_builds``."""
    return sum(wfb.isBusy() for wfb in worker.workerforbuilders.values())


def runs_a_build(wfb: Any) -> bool:
    """A WorkerForBuilder is "busy" while it attaches, too; a latent one is DETACHED while the
    build that it was chosen for waits for it to start.
    """
    if wfb.state == States.BUILDING:
        return True
    return wfb.state == States.DETACHED and is_latent(wfb.worker)


def build_on(builder: Any, wfb: Any) -> Any:
    """The build that was just started on a place; None where there is none (any more)."""
    for build in reversed(builder.building):
        if build.workerforbuilder is wfb:
            return build
    return None


def newest_build(wfb: Any, breqs: list[Any]) -> Any:
    """The build that was just made for these requests; None where it cannot be told."""
    building = getattr(wfb.builder, 'building', None)
    build = building[-1] if building else None
    return build if build is not None and build.requests[:1] == breqs[:1] else None


def has_begun(build: Any) -> bool:
    """It is over, or a step of it was begun, so that Buildbot itself will end it."""
    return bool(build.finished or build.currentStep is not None or build.executedSteps)


def builds_in_place(master: Any) -> Iterator[tuple[str, Any, Any]]:
    """(worker's name, WorkerForBuilder, Build) of all builds, also of builders that have left the
    config while they run, and those that are finished and still have their places.
    """
    builders = set(master.botmaster.builders.values())
    for worker in all_workers(master):
        builders.update(wfb.builder for wfb in worker.workerforbuilders.values())
    for builder in builders:
        for build in builder.building:
            if build.workerforbuilder is not None:
                yield build.workername, build.workerforbuilder, build


def builds_going_on(master: Any) -> Iterator[tuple[str, Any, Any]]:
    """Those that are not finished."""
    return (one for one in builds_in_place(master) if not one[2].finished)


def requests_about_to_start(master: Any) -> set[int]:
    """Their builds are not counted among those of their builders yet."""
    return set(master.botmaster._starting_brid_to_cancel)  # noqa: SLF001


def all_workers(master: Any) -> list[Any]:
    return list(master.workers.workers.values())


def worker_named(master: Any, name: str) -> Any:
    return master.workers.workers.get(name)


def is_null(connection: Any) -> bool:
    """The connection of a LocalWorker."""
    return isinstance(connection, null.Connection)


def commands_by_id(connection: Any) -> Any:
    """msgpack: who receives updates, by command id; None on the other protocols."""
    protocol = getattr(connection, 'protocol', None)
    return getattr(protocol, 'command_id_to_command_map', None)


def service_named(master: Any, name: str) -> Any:
    """A service of the config; None where there is no such one."""
    manager = getattr(master, 'service_manager', None)
    return getattr(manager, 'namedServices', {}).get(name)


def failure_of(error: Exception) -> Failure:
    """An exception that was caught earlier, with its traceback."""
    return Failure(error, type(error), error.__traceback__)


def when_no_choice_is_made(master: Any, call: Any) -> defer.Deferred[Any]:
    """Between two builders of the distributor's loop."""
    resting: defer.Deferred[Any] = master.botmaster.brd.activity_lock.run(call)
    return resting


def lock_opened(lock: Any) -> None:
    """One of Buildbot's own locks has room that no release has made: whom it lets in is woken."""
    lock._tryWakeUp()  # noqa: SLF001  there is no other way to say so
    lock.release_subs.deliver()


def has_its_worker(build: Any) -> bool:
    """It is not of a connection that is lost."""
    return build.workerforbuilder is not None and build.workerforbuilder.worker is not None


def was_forgotten(build: Any) -> bool:
    """Its worker left before its first step, so nothing will ever end it."""
    return (
        not build.finished
        and build.workerforbuilder is not None
        and build.workerforbuilder.worker is None
        and build.currentStep is None
        and not build.executedSteps
        and build.buildid is not None
    )


def end_abandoned(build: Any, *, quarantine: bool = True) -> defer.Deferred[Any]:
    """A build whose ``startBuild`` has come to its end without a step. `quarantine`: the worker may
    be why.
    """
    if build.buildid is not None:
        cancelled = build.stopped and build.results != RETRY  # not by a lost connection
        results = CANCELLED if cancelled else RETRY
        reason = build.stopped_reason or 'its start failed'
        text = ['cancelled' if cancelled else 'retry', f'({reason})']
        return defer.maybeDeferred(build.buildFinished, text, results)
    # The database knows nothing of it. It would raise again at once if do_build_if has raised.
    build.finished = True
    build.results = RETRY if hasattr(build, 'do_build') else EXCEPTION
    for request in build.requests:
        build.builder.botmaster.remove_in_progress_buildrequest(request.id)
    wfb = build.workerforbuilder
    if quarantine and wfb.worker is not None:
        wfb.worker.putInQuarantine()  # as Buildbot does when a build cannot be prepared
    wfb.buildFinished()
    return defer.maybeDeferred(build.builder.buildFinished, build, wfb)


def is_in_place(build: Any) -> bool:
    """It has its worker, and its requests are neither complete nor given back."""
    return build in build.builder.building


def release_place(build: Any) -> None:
    """What ``Build.buildFinished`` does once the end is written."""
    if not is_in_place(build):
        return
    wfb = build.workerforbuilder
    wfb.buildFinished()
    build.builder.buildFinished(build, wfb)
    build._tryScheduleBuildsAfterLockUnlock(build_finished=True)  # noqa: SLF001  as it does


def stop_command(build: Any, why: str) -> defer.Deferred[Any]:
    """Of a step that nobody waits for any more, where one still runs on the worker."""
    command = getattr(build.currentStep, 'cmd', None)
    if command is None or not getattr(command, 'active', False):
        return defer.succeed(None)
    return defer.maybeDeferred(command.interrupt, why)


def end_as_retry(build: Any) -> defer.Deferred[Any]:
    ended: defer.Deferred[Any] = defer.maybeDeferred(
        build.buildFinished, ['worker', 'lost', 'while', 'starting'], RETRY
    )
    return ended
