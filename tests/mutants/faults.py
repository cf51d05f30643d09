"""The planted faults. Each is one change of one place; `old` stands exactly once in its file."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    name: str
    file: str
    old: str
    new: str


FAULTS = (
    Fault(
        "answer before commit",
        "broker/shell.py",
        "            self._journal.append(records, {change.task.task_id: change.task for change in changes}.values())\n"
        "        # This process may have been stopped meanwhile, and another broker may lead.\n"
        "        self._journal.confirm()\n"
        "        for effect in effects:\n            self._carry_out(effect)\n",
        "            pass\n"
        "        for effect in effects:\n            self._carry_out(effect)\n"
        "        self._journal.append(records, {change.task.task_id: change.task for change in changes}.values())\n",
    ),
    Fault(
        "an answer of a broker that may no longer lead",
        "broker/shell.py",
        "        self._journal.confirm()\n        for effect in effects:\n",
        "        for effect in effects:\n",
    ),
    Fault(
        "a failed commit is survived",
        "broker/__main__.py",
        "        end_without_journal(error)\n",
        "        pass\n",
    ),
    Fault(
        "bad photos cost a warm process",
        "trainer_worker/agent/core.py",
        "(failure is not None and failure.failure_class in RETIRING_CLASSES)",
        "failure is not None",
    ),
    Fault(
        "names write lines into logs",
        "conf/logs.py",
        "bounded(printable(self.formatMessage(record)))",
        "bounded(self.formatMessage(record))",
    ),
    Fault(
        "a worker that does not fit is welcome",
        "broker/core.py",
        "        if unfit := why_unfit(hello.versions):\n",
        "        if (unfit := why_unfit(hello.versions)) and not hello.worker:\n",
    ),
    Fault(
        "keys with a wrong character are taken",
        "conf/worker_keys.py",
        " or checksum != _checksum(content):",
        ":",
    ),
    Fault(
        "a GPU that TensorFlow cannot use is promised",
        "trainer_worker/agent/machine.py",
        "        suggested, self._gpu = self._gpu, gpu_label(devices)\n",
        "        suggested = self._gpu\n",
    ),
    Fault(
        "a vanished journal is made anew",
        "broker/sqlite_journal/file.py",
        "if was_made and is_blank(path):",
        "if False:",
    ),
    Fault(
        "two brokers lead over one database",
        "broker/postgres_journal/leadership.py",
        "            if row is not None and row[0]:\n",
        "            if row is not None:\n",
    ),
    Fault(
        "a commit of an earlier leader",
        "broker/postgres_journal/journal.py",
        '                self._db.execute("SELECT hold_term(%s)", [self.term])\n',
        "",
    ),
    Fault(
        "a long text is found by how it begins",
        "broker/postgres_journal/lists.py",
        "if len(data) > KEPT_BYTES:",
        "if False:",
    ),
    Fault("stale attempt accepted", "broker/core.py", " and task.attempt == result.attempt:", ":"),
    Fault(
        "another worker's result counts",
        "broker/core.py",
        "        if task is not None and worker.task_id == task.task_id and task.attempt",
        "        if task is not None and task.task_id in self.holders and task.attempt",
    ),
    Fault(
        "progress is published whoever sent it",
        "broker/core.py",
        "        if not holder.publish_key or not hmac.compare_digest(holder.publish_key, message.publish_key):\n",
        "        if False:\n",
    ),
    Fault(
        "a usable model is recorded again and again",
        "broker/core.py",
        "progress.usable is None or task is None or progress.usable == task.usable:",
        "progress.usable is None or task is None:",
    ),
    Fault(
        "events of the past forget who held the task",
        "broker/past_events.py",
        "            return evolve(Task(spec, attempt=attempt), record)\n",
        "            return Task(spec, attempt=attempt)\n",
    ),
    Fault(
        "a deleted fact goes unmentioned",
        "broker/sqlite_journal/journal.py",
        "UPDATE pruned SET up_to = max(up_to, (",
        "UPDATE pruned SET up_to = min(up_to, (",
    ),
    Fault(
        "lost start never sent again",
        "broker/core.py",
        "            self._send_start(worker, self.tasks[worker.task_id])\n",
        "            pass\n",
    ),
    Fault(
        "unknown attempt never stopped",
        "broker/core.py",
        "                order = m.Stop(holds.task_id, holds.attempt, unknown=True)\n",
        "                pass\n",
    ),
    Fault(
        "cancel does not ride on heartbeats",
        "broker/core.py",
        "                order = policy.pending_order(task)\n            else:\n",
        "                order = None\n            else:\n",
    ),
    Fault(
        "result of a cancelled task counts as done",
        "broker/attempts.py",
        "            self._record(task.task_id, f.Cancelled(task.attempt, progress))\n        elif result.trained",
        "            self._record(task.task_id, f.Done(task.attempt, result.trained))\n        elif result.trained",
    ),
    Fault(
        "lost worker's cancelled task is tried again",
        "broker/attempts.py",
        "            if task.cancel_requested:\n                self._record(task.task_id, f.Cancelled",
        "            if False:\n                self._record(task.task_id, f.Cancelled",
    ),
    Fault(
        "leases end right after a restart of the broker",
        "broker/core.py",
        "        self.offers.begin(now.monotonic_s)\n        self.workers.hear_all(now.monotonic_s)\n",
        "        self.offers.begin(now.monotonic_s)\n",
    ),
    Fault(
        "a paused broker gives its workers up",
        "broker/core.py",
        "        if now_s - self._checked_at_s > self.settings.lease_ttl_s / 2:\n",
        "        if False:\n",
    ),
    Fault(
        "messages do not keep a lease alive",
        "broker/core.py",
        "        self.workers.heard(worker, self._now.monotonic_s)\n        match",
        "        match",
    ),
    Fault(
        "a worker that is lost keeps its lease",
        "broker/core.py",
        "            self._lose(oldest, ",
        "            self.workers.remove(oldest) if oldest else (oldest, ",
    ),
    Fault(
        "the same task twice for one taskId",
        "broker/submissions.py",
        "        known = self.tasks.get(spec.task_id) or self.recent.get(spec.task_id)\n",
        "        known = self.recent.get(spec.task_id)\n",
    ),
    Fault("a dead start takes the name", "broker/workers.py", "hello.start_id < namesake.start_id", "False"),
    Fault("attempt not raised", "broker/facts.py", "attempt=fact.end.attempt + 1,", "attempt=fact.end.attempt,"),
    Fault("hand-back counted", "broker/attempts.py", "HAND_BACKS[code], counted=False)", "HAND_BACKS[code])"),
    Fault("endless attempts", "broker/policy.py", "if of_this_class < limit and len(", "if True or len("),
    Fault(
        "a lease does not leave the queue",
        "broker/state.py",
        "            self.waiting.start(task.task_id)\n",
        "            pass\n",
    ),
    Fault(
        "a late copy of a start is taken again",
        "trainer_worker/agent/core.py",
        "        if self.work is not None or key in self._ended_attempts:\n",
        "        if self.work is not None:\n",
    ),
    Fault(
        "result sent once only",
        "trainer_worker/agent/core.py",
        "                self._out += [Send(result) for result, _ in self.outbox.values()]\n",
        "                self._out += [Send(result) for result, _ in self.outbox.values()]\n"
        "                self.outbox.clear()\n",
    ),
    Fault(
        "a draining worker says that it is ready",
        "trainer_worker/agent/core.py",
        "        if self._leave_by_s is not None or self.draining or self.work is not None:\n",
        "        if self._leave_by_s is not None or self.work is not None:\n",
    ),
    Fault(
        "a worker that is told to drain gets a task until it has heard of it",
        "broker/workers.py",
        "        return self.draining if self.drain_wanted is None else self.drain_wanted\n",
        "        return self.draining\n",
    ),
    Fault(
        "a busy worker takes a second task",
        "trainer_worker/agent/core.py",
        "        if self._leave_by_s is not None or self.draining or self.work is not None:\n",
        "        if self._leave_by_s is not None or self.draining:\n",
    ),
    Fault(
        "death of the trainer process goes unreported",
        "trainer_worker/agent/core.py",
        '            self._end_work(m.Result(*key, failure=Failure("trainer_killed", FailureClass.LOST, error)))\n',
        "            self.work = None\n",
    ),
    Fault(
        "the stop ladder has no second rung",
        "trainer_worker/agent/limits.py",
        '        return "SIGTERM"\n',
        '        return ""\n',
    ),
    Fault(
        "more helpers than were allowed",
        "broker/help.py",
        "    return min(wanted, workers - 1)\n",
        "    return wanted\n",
    ),
    Fault(
        "help outlives its attempt",
        "broker/workers.py",
        "            self.help.end(holder.task_id)\n",
        "            pass\n",
    ),
    Fault(
        "a task does not end help",
        "trainer_worker/agent/core.py",
        "        self._out += self.help.end(self._now_s)\n        clock",
        "        clock",
    ),
    Fault(
        "old publications replace newer tasks",
        "web/broker_link/task_cache.py",
        "        if entry is not None and entry.seq >= seq:\n            return\n",
        "",
    ),
    Fault(
        "gaps are not noticed",
        "web/broker_link/task_cache.py",
        "        if change.seq > self.seq + 1:\n",
        "        if False:\n",
    ),
    Fault(
        "events after a gap are given to readers",
        "web/live/event_log.py",
        "(event := self._ahead.pop(self.up_to + 1, None))",
        "(event := self._ahead.pop(min(self._ahead), None))",
    ),
    Fault(
        "an event that was published and fetched is given twice",
        "web/live/event_log.py",
        "        new = [event for event in events if self.up_to < event.id <= up_to]\n",
        "        new = list(events)\n",
    ),
    Fault(
        "a reader of another journal goes on",
        "web/live/reader.py",
        "        return self._generation != log.generation\n",
        "        return False\n",
    ),
    Fault(
        "progress overtakes the start of its attempt",
        "web/live/progress_board.py",
        "latest.seq <= up_to and now_s",
        "now_s",
    ),
    Fault(
        "a stream outlives its token",
        "web/calls/staying_open.py",
        "            return False\n",
        "            return True\n",
    ),
    Fault(
        "a waiting call outlives its token",
        "web/calls/staying_open.py",
        "            if not self._caller_is_gone:\n                self._admit_again()\n",
        "            pass\n",
    ),
    Fault(
        "a stranger's name for this server is answered",
        "web/door/door_rules.py",
        "        return name in self._names or _is_loopback(name)\n",
        "        return True\n",
    ),
    Fault(
        "a token list that has gone opens the door",
        "web/door/token_gate.py",
        "        elif self._needed:\n",
        "        elif False:\n",
    ),
    Fault(
        "a session counts for pages of other origins",
        "web/door/token_gate.py",
        "        if session is None or not self._is_own(headers):\n",
        "        if session is None:\n",
    ),
    Fault(
        "a fresh connection goes before half a request",
        "web/door/connection.py",
        " and now_s - self.since_s >= FRESH_S\n",
        "\n",
    ),
    Fault(
        "webhooks of a task overtake each other",
        "web/webhooks/store.py",
        "None if before else times.now_s, row_checksum(",
        "times.now_s, row_checksum(",
    ),
    Fault(
        "a webhook that failed counts as delivered",
        "web/webhooks/retries.py",
        "return 200 <= self.status < 300",
        "return self.status > 0",
    ),
    Fault(
        "only the first address of a receiver is checked",
        "web/webhooks/guarded_network.py",
        "        for address in addresses:\n            if why",
        "        for address in addresses[:1]:\n            if why",
    ),
    Fault(
        "a webhook connects to the name and not to the checked address",
        "web/webhooks/guarded_network.py",
        "self._network.connect_tcp(address, port",
        "self._network.connect_tcp(host, port",
    ),
    Fault(
        "an IPv6 address hides a private one",
        "conf/webhook_addresses.py",
        "    if address.ipv4_mapped is not None:\n        return address.ipv4_mapped\n",
        "    if address.ipv4_mapped is not None:\n        return ipaddress.IPv4Address(1 << 24)\n",
    ),
    Fault(
        "the place in the journal is noted and the webhooks are not",
        "web/webhooks/event_feed.py",
        "[record.destination for record in here], new, part.up_to, times)",
        "[record.destination for record in here], new[1:], part.up_to, times)",
    ),
    Fault(
        "the time of a webhook is not signed",
        "web/webhooks/webhook_message.py",
        'f"{message.webhook_id}.{int(at_s)}.".encode()',
        'f"{message.webhook_id}.0.".encode()',
    ),
)
