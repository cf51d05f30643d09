"""Front-ends submit tasks and ask for them. Pure."""

from __future__ import annotations

from broker import answers
from broker import facts as f
from broker.claims import why_not_taken
from broker.core_settings import CoreSettings
from broker.events import ReadEnded, SendWeb
from broker.offers import Offers
from broker.promotions import Promotions
from broker.queue import kind_of
from protocol import messages as m
from protocol.task import Task

#: A worker is compared with each kind of waiting task, and the cluster's controller is told of each. These bound both,
#: for all users together and for one of them.
MAX_KINDS = 1000
MAX_KINDS_PER_USER = 100


class Submissions(Promotions):
    def __init__(self, settings: CoreSettings) -> None:
        super().__init__(settings.max_attempts, settings.max_running_per_user, settings.recent_tasks)
        self.settings = settings
        self.offers = Offers()

    def _submit(self, peer: bytes, message: m.Submit) -> None:
        spec = message.spec
        known = self.tasks.get(spec.task_id) or self.recent.get(spec.task_id)
        if known is not None:
            self._reply(peer, message.request_id, known)
            return
        code, error = why_not_taken(spec, self.settings.data_roots, self.settings.webhook_hosts)
        if code:
            self._refuse(peer, message, code, error)
            return
        if self._asked_before(peer, message) or self._queue_is_full(peer, message):
            return
        if self._are_too_many_kinds(peer, message):
            return
        if unmet := self.offers.why_unmet(spec, self._now.monotonic_s):
            self._refuse(peer, message, "needs_unmet", unmet)
            return
        self._record(spec.task_id, f.Submitted(spec))
        self._dispatch()
        self._reply(peer, message.request_id, self.tasks[spec.task_id])

    def _asked_before(self, peer: bytes, message: m.Submit) -> bool:
        """Answer a request whose key is known: with its task for the same request, with a refusal for another one."""
        spec = message.spec
        before = self.request_keys.find(spec, self._now.wall_s)
        if before is None:
            return False
        if before.same_request(spec):
            self._look_up(peer, m.Lookup(message.request_id, before.task_id))
        else:
            error = (
                f"The key {spec.request_key!r} was used for another request of this user (task {before.task_id}); "
                "use a new key for a new task."
            )
            self._refuse(peer, message, "key_reused", error)
        return True

    def _queue_is_full(self, peer: bytes, message: m.Submit) -> bool:
        settings, user_id = self.settings, message.spec.user_id
        if len(self.waiting) >= settings.max_pending:
            whose, setting = "tasks", "max_pending"
        elif self.waiting.of_user(user_id) >= settings.max_pending_per_user:
            whose, setting = f"tasks of userId={user_id[:80]}", "max_pending_per_user"
        else:
            return False
        count = getattr(settings, setting)
        error = f"{count} {whose} are waiting, which is the limit ([broker] {setting}); post again later."
        self._refuse_for_now(peer, message, error, setting, count)
        return True

    def _are_too_many_kinds(self, peer: bytes, message: m.Submit) -> bool:
        kind, user_id = kind_of(message.spec), message.spec.user_id
        if not kind.needs or kind in self.waiting.kinds:
            return False
        if len(self.waiting.kinds) >= MAX_KINDS:
            whose, count = "all tasks", MAX_KINDS
        elif self.waiting.kinds_of_user(user_id) >= MAX_KINDS_PER_USER:
            whose, count = f"the tasks of userId={user_id[:80]}", MAX_KINDS_PER_USER
        else:
            return False
        error = f"There are {count} different needs among {whose} that wait, which is the limit; post again later."
        self._refuse_for_now(peer, message, error, "needs", count)
        return True

    def _refuse_for_now(self, peer: bytes, message: m.Submit, error: str, quota: str, quota_size: int) -> None:
        position = len(self.waiting) + 1
        refused = m.Refused(
            message.request_id, "queue_full", error, position=position, quota=quota, quota_size=quota_size
        )
        self._effects.append(SendWeb(peer, refused))

    def _refuse(self, peer: bytes, message: m.Submit, code: str, error: str) -> None:
        self._effects.append(SendWeb(peer, m.Refused(message.request_id, code, error)))

    def _look_up(self, peer: bytes, request: m.Lookup) -> None:
        task = self.tasks.get(request.task_id)
        if task is None:
            self._answer_from_memory_or_journal(peer, request)
        else:
            self._reply(peer, request.request_id, task)

    def _answer_from_memory_or_journal(self, peer: bytes, request: m.Lookup | m.Cancel | m.StopEarly) -> None:
        ended = self.recent.get(request.task_id)
        if ended is None:
            self._effects.append(ReadEnded(peer, request))
        else:
            self._effects.append(SendWeb(peer, answers.about_ended(request, ended, self.seq)))

    def _reply(self, peer: bytes, request_id: int, task: Task) -> None:
        self._effects.append(SendWeb(peer, m.TaskReply(request_id, self.seq, task)))
