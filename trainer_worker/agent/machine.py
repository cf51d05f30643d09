"""What a worker knows of its machine: devices, labels, memory, and how far its clock is off. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from protocol.labels import GPU
from trainer_worker.agent.events import MachineSampled, Note
from trainer_worker.agent.gpu_names import gpu_label

#: A clock that is off by more than this is worth a warning. A message that waits in a queue for a while is not.
MOST_SKEW_S = 5.0


class Machine:
    def __init__(self, labels: Mapping[str, str], gpu: str) -> None:
        """labels: those that the operator has given. gpu: the label that the driver suggests, or ""."""
        self._given = labels
        self._gpu = gpu
        self.devices: tuple[str, ...] = ()
        self.memory_mb = 0.0
        #: By how much this machine's clock is ahead of the broker's; 0.0 until the broker has told its time.
        self.clock_skew_s = 0.0
        #: The broker's clock at the monotonic time 0.0 of this process. None until the broker has told it.
        self._broker_offset_s: float | None = None
        self._warned = False

    @property
    def labels(self) -> dict[str, str]:
        found = {GPU: self._gpu} if self._gpu else {}
        return {**found, **self._given}

    def sees(self, devices: tuple[str, ...]) -> list[Note]:
        """TensorFlow computes with these devices. A GPU that it cannot use does not count, whatever the driver says."""
        self.devices = devices
        suggested, self._gpu = self._gpu, gpu_label(devices)
        if not suggested or self._gpu:
            return []
        why = (
            "The machine has a GPU, but TensorFlow cannot use it, so the worker trains on the CPU. Run "
            "'python -m pip install tensorflow[and-cuda]' with the version in requirements.txt."
        )
        return [Note("action=worker.gpu_unused gpu=%s reason=%r", (suggested, why))]

    def broker_clock(self, at_s: float, now_s: float) -> None:
        """The broker's clock stands at `at_s` (0.0: unknown) at the monotonic time `now_s`."""
        self._broker_offset_s = at_s - now_s if at_s else None

    def sampled(self, sample: MachineSampled, now_s: float) -> list[Note]:
        """Note the memory and the clock. The log says once that the clock is off, and once that it is right again."""
        self.memory_mb = sample.memory_mb
        if self._broker_offset_s is None or not sample.wall_s:
            return []
        self.clock_skew_s = sample.wall_s - (now_s + self._broker_offset_s)
        is_off = abs(self.clock_skew_s) > MOST_SKEW_S
        if is_off == self._warned:
            return []
        self._warned = is_off
        if not is_off:
            return [Note("action=worker.clock_right")]
        where = "ahead of" if self.clock_skew_s > 0 else "behind"
        why = (
            f"This machine's clock is {abs(self.clock_skew_s):,.0f} s {where} the broker's. Trainings do not depend on "
            "it, but times in logs and files do. Let chrony or systemd-timesyncd keep both clocks."
        )
        return [Note("action=worker.clock_off seconds=%.0f reason=%r", (self.clock_skew_s, why))]
