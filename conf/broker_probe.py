"""Ask a broker whether a worker could reach it, without registering one."""

from __future__ import annotations

import time
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from conf.curve import ClientKeys
from conf.sockets import connecting_socket
from protocol import messages as m
from protocol import wire

#: Longer than a handshake across the world takes when one packet gets lost.
PATIENCE_S = 4.0
#: What went wrong, by the furthest step of the connection that ZeroMQ has reported. They stand in their order.
STEPS = {
    zmq.Event.CONNECT_RETRIED: "Nothing answers there. Is the address right, does the broker run, and do firewalls on "
    "both machines let the port through?",
    zmq.Event.CONNECTED: "Something listens there, but it does not take up the conversation. Is it the broker's "
    "worker_port, and are the keys those of this broker?",
    zmq.Event.HANDSHAKE_FAILED_AUTH: "The broker refuses the keys. Run 'python server.py join-command' on its machine "
    "again, and restart it if its keys are new.",
    zmq.Event.HANDSHAKE_SUCCEEDED: "The broker takes the keys, but does not answer. Is it busy, or stopped?",
}


def ask_broker(endpoint: str, keys: ClientKeys | None, patience_s: float = PATIENCE_S) -> m.BrokerToWorker | str:
    """What the broker answers to a worker that it does not know, or why there is no answer, in sentences.

    endpoint: of its socket for workers. The answer is HelloWanted, or Rejected by a broker of another version.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    reached = next(iter(STEPS))
    try:
        socket = connecting_socket(context, zmq.DEALER, keys, queued_messages=10, linger_ms=0)
        monitor = socket.get_monitor_socket(sum(STEPS))
        socket.connect(endpoint)
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN | zmq.POLLOUT)
        poller.register(monitor, zmq.POLLIN)
        give_up_at_s = time.monotonic() + patience_s
        while (left_s := give_up_at_s - time.monotonic()) > 0:
            ready = dict(poller.poll(int(left_s * 1000) + 1))
            if monitor in ready:
                event: Any = recv_monitor_message(monitor)["event"]
                reached = max(reached, event, key=list(STEPS).index)
                if reached == zmq.Event.HANDSHAKE_FAILED_AUTH:
                    break
            if ready.get(socket, 0) & zmq.POLLIN:
                answer: m.BrokerToWorker = wire.decode(socket.recv_multipart(), m.BrokerToWorker)
                return answer
            if ready.get(socket, 0) & zmq.POLLOUT:
                socket.send_multipart(wire.encode(m.Heartbeat(ready=False)))
                poller.modify(socket, zmq.POLLIN)
    except wire.WireError as error:
        return f"It answers in a way that this release does not read: {error}."
    finally:
        context.destroy(linger=0)
    return STEPS[reached]
