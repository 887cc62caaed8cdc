"""Celery's settings. Redis's `due` set promises delivery; the broker only carries wake-ups."""

from django.conf import settings

from chat.broker import QUEUE
from chat.redis_url import parse_sentinel_url
from chat.settings import chat_settings

primary = parse_sentinel_url(settings.BROKER_URL)
broker_url = primary.broker_url if primary else settings.BROKER_URL
broker_connection_retry_on_startup = True
# A worker outlives any outage of the broker; the supervisor restarts it should it exit after all.
broker_connection_max_retries = None
# Nor does it exit when a failover has made the broker a replica, which answers by an error (F16).
broker_channel_error_retry = True

broker_transport_options = {
    # Three times faster, and nothing is lost by it: a wake-up that dies with its worker is made
    # good by the sweep. docs/adr/0007-celery-settings.md tells what was measured.
    "ack_emulation": False,
    # One list to pop instead of four: wake-ups have no priorities.
    "priority_steps": [0],
    # One connection a publishing thread, at most.
    "max_connections": chat_settings.WORKER_CONCURRENCY + 64,
    # A link that is dead without saying so is noticed within seconds instead of 48.
    "health_check_interval": 5,
    "socket_keepalive": True,
    # A worker told to stop has something to say to the broker, and would wait for ever for what
    # such a link does not answer. Its waiting for wake-ups is not bounded by this.
    "socket_timeout": 5,
    **({"master_name": primary.service} if primary else {}),
}
# A pool per process, shared by the threads that publish.
broker_pool_limit = 64

task_default_queue = QUEUE
# Nobody asks for a task's result: the reply stands in the session.
task_ignore_result = True
result_backend = None
# Without it the threads pool builds a new Redis client for each task.
result_backend_thread_safe = True
# Only what Parley publishes itself is read; a pickle is refused.
accept_content = ["json"]
task_serializer = "json"
# With acks emulated or not, a wake-up is spent when it is taken.
task_acks_late = False

# Turns wait for the model nearly all the time: threads, hundreds of them.
worker_pool = "threads"
worker_consumer = "chat.worker.bootstep:Reader"
worker_concurrency = chat_settings.WORKER_CONCURRENCY
# A worker takes no more wake-ups than it has threads free for, so the others get their share, and
# Celery 5.7 survives a restart of the broker (it can exit on one while it holds prefetched tasks).
worker_disable_prefetch = True
worker_prefetch_multiplier = 1
# After a lost link to the broker turns go on: their leases stand in Redis.
worker_cancel_long_running_tasks_on_connection_loss = False
# Remote control and events cost connections and fan-out; nothing here uses them.
worker_enable_remote_control = False
worker_send_task_events = False
# Parley's logging is Django's.
worker_hijack_root_logger = False
worker_redirect_stdouts = False
