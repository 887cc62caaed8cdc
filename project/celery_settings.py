"""Celery's settings.

Redis's `due` set guarantees that each turn runs. The broker only carries wake-ups.
"""

from django.conf import settings

from chat.broker import QUEUE, build_queue
from chat.broker.amqp_url import is_amqp_url, parse_amqp_options, tls_arguments
from chat.broker.transport import amqp_options, kombu_url, transport_path
from chat.redis_url import is_redis_url
from chat.settings import chat_settings

broker_url = kombu_url(settings.BROKER_URL)
# The command `celery` replaces `broker_url` by the environment's BROKER_URL, but not these.
broker_read_url = broker_write_url = broker_url
broker_transport = transport_path(broker_url) if is_redis_url(broker_url) else None
_amqp = parse_amqp_options(settings.BROKER_URL) if is_amqp_url(broker_url) else {}
broker_login_method = _amqp.get("login_method")
broker_use_ssl = tls_arguments(settings.BROKER_URL)
# Seconds to connect to RabbitMQ.
broker_connection_timeout = _amqp.get("connect_timeout", 4)
broker_connection_retry_on_startup = True
# A worker survives every outage of the broker.
broker_connection_max_retries = None
# It also survives a failover that turns the broker into a replica, which returns errors
# (docs/faults.md, F16).
broker_channel_error_retry = True
# Seconds between heartbeats of AMQP. Two missing ones end the connection.
broker_heartbeat = _amqp.get("heartbeat", 5)

broker_transport_options = {
    # Seconds before the second attempt to connect, by how much this grows, and its maximum.
    "interval_start": 1,
    "interval_step": 1,
    "interval_max": 3,
    # Seconds for one call on an AMQP connection.
    **amqp_options(timeout=5),
    # Three times faster. If a worker dies with a wake-up, the sweeper starts the turn; see
    # docs/adr/0007-celery-settings.md for the measurements.
    "ack_emulation": False,
    # One list to pop from instead of four: wake-ups have no priorities.
    "priority_steps": [0],
    # Each publishing thread needs at most one connection.
    "max_connections": chat_settings.WORKER_CONCURRENCY + 64,
    # Detects a dead connection within seconds instead of 48.
    "health_check_interval": 5,
    "socket_keepalive": True,
    # A stopping worker calls the broker, and would wait forever on a dead connection.
    # The wait for wake-ups is not limited by this.
    "socket_timeout": 5,
}
# One pool per process, shared by the publishing threads.
broker_pool_limit = 64

task_default_queue = QUEUE
task_queues = [build_queue()]
# Nothing reads a task's result: the reply is in the session.
task_ignore_result = True
result_backend = None
# Workers accept only what Parley publishes, and no pickles.
accept_content = ["json"]
task_serializer = "json"
# Celery's own acknowledgements; those of wake-ups are in chat/worker/task_request.py.
task_acks_late = False

# Turns wait for the model most of the time, so a worker runs hundreds of them on one event loop.
worker_pool = "chat.worker.pool:TurnPool"
worker_consumer = "chat.worker.consumer:Consumer"
worker_concurrency = chat_settings.WORKER_CONCURRENCY
# A worker takes only as many wake-ups as it has free slots, which leaves the rest to others.
# Celery 5.7 can exit when the broker restarts while the worker holds prefetched tasks.
# RabbitMQ has another limit, see chat/worker/task_request.py.
worker_disable_prefetch = is_redis_url(broker_url)
worker_prefetch_multiplier = 1
# After a lost connection, running turns still occupy slots. The limit cannot be raised again on
# quorum queues when they end, so it stays. Wake-ups that wait for a slot are repeated by sweeps.
worker_enable_prefetch_count_reduction = False
# Turns continue after a lost connection to the broker: their leases are in Redis.
worker_cancel_long_running_tasks_on_connection_loss = False
# Remote control and events cost connections, and Parley does not use them itself.
worker_enable_remote_control = chat_settings.WORKER_REMOTE_CONTROL
worker_send_task_events = False
# Django configures logging.
worker_hijack_root_logger = False
worker_redirect_stdouts = False
