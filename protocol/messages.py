"""Every message between the processes, with one tagged union for each direction. PROTOCOL.md explains each message.

The modules that this one gathers define them, a module for each pair of programs. Messages are frozen structs. A
receiver ignores fields that it does not know, so a new field only needs a default. The docstring of each message
between hosts begins with what happens if the message is lost.
"""

from __future__ import annotations

from protocol.front_end_messages import (
    Cancel as Cancel,
)
from protocol.front_end_messages import (
    Demand as Demand,
)
from protocol.front_end_messages import (
    DrainWanted as DrainWanted,
)
from protocol.front_end_messages import (
    HandBackReason as HandBackReason,
)
from protocol.front_end_messages import (
    Lookup as Lookup,
)
from protocol.front_end_messages import (
    PoolsReported as PoolsReported,
)
from protocol.front_end_messages import (
    Promote as Promote,
)
from protocol.front_end_messages import (
    Refused as Refused,
)
from protocol.front_end_messages import (
    SnapshotPart as SnapshotPart,
)
from protocol.front_end_messages import (
    SnapshotWanted as SnapshotWanted,
)
from protocol.front_end_messages import (
    StopEarly as StopEarly,
)
from protocol.front_end_messages import (
    Submit as Submit,
)
from protocol.front_end_messages import (
    TaskReply as TaskReply,
)
from protocol.front_end_messages import (
    Waiting as Waiting,
)
from protocol.front_end_messages import (
    WorkerInfo as WorkerInfo,
)
from protocol.front_end_messages import (
    Workers as Workers,
)
from protocol.front_end_messages import (
    WorkersWanted as WorkersWanted,
)
from protocol.message import MAX_LISTED as MAX_LISTED
from protocol.pools import PoolInfo as PoolInfo
from protocol.publications import (
    MAX_DROPPED_KINDS as MAX_DROPPED_KINDS,
)
from protocol.publications import (
    MAX_UNMET as MAX_UNMET,
)
from protocol.publications import (
    KeyedProgress as KeyedProgress,
)
from protocol.publications import (
    Progress as Progress,
)
from protocol.publications import (
    TaskChanged as TaskChanged,
)
from protocol.publications import (
    TasksChanged as TasksChanged,
)
from protocol.publications import (
    Tick as Tick,
)
from protocol.publications import (
    UnmetNeeds as UnmetNeeds,
)
from protocol.queries import EventsPart, EventsWanted, InUseWanted, QueuePart, QueueWanted, TaskPage, TasksWanted
from protocol.worker_messages import (
    MAX_DEVICE_CHARS as MAX_DEVICE_CHARS,
)
from protocol.worker_messages import (
    MAX_DEVICES as MAX_DEVICES,
)
from protocol.worker_messages import (
    Devices as Devices,
)
from protocol.worker_messages import (
    Goodbye as Goodbye,
)
from protocol.worker_messages import (
    Heartbeat as Heartbeat,
)
from protocol.worker_messages import (
    Hello as Hello,
)
from protocol.worker_messages import (
    HelloWanted as HelloWanted,
)
from protocol.worker_messages import (
    Help as Help,
)
from protocol.worker_messages import (
    HelpOver as HelpOver,
)
from protocol.worker_messages import (
    Holding as Holding,
)
from protocol.worker_messages import (
    Pulse as Pulse,
)
from protocol.worker_messages import (
    Rejected as Rejected,
)
from protocol.worker_messages import (
    Result as Result,
)
from protocol.worker_messages import (
    ResultAck as ResultAck,
)
from protocol.worker_messages import (
    Start as Start,
)
from protocol.worker_messages import (
    Stop as Stop,
)
from protocol.worker_messages import (
    Versions as Versions,
)
from protocol.worker_messages import (
    Welcome as Welcome,
)

WebToBroker = (
    Submit
    | Lookup
    | Cancel
    | StopEarly
    | Promote
    | SnapshotWanted
    | WorkersWanted
    | DrainWanted
    | PoolsReported
    | TasksWanted
    | EventsWanted
    | QueueWanted
    | InUseWanted
)
BrokerToWeb = TaskReply | Refused | SnapshotPart | Workers | Demand | TaskPage | EventsPart | QueuePart
WorkerToBroker = Hello | Heartbeat | Result | HelpOver | Goodbye
BrokerToWorker = Welcome | HelloWanted | Rejected | Start | Stop | Help | Pulse | ResultAck
Collected = KeyedProgress
Published = Progress | TasksChanged | Tick
