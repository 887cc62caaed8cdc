"""Mutation tests: each mutant breaks one detail of the Lua scripts."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis.stateful import run_state_machine_as_test

from chat.store.scripts import SCRIPTS_DIR
from tests.integration.store import (
    hypothesis_profiles,
    test_budgets,
    test_due,
    test_events,
    test_fair_shares,
    test_leases,
    test_reasoning,
    test_session_bytes,
    test_sessions,
    test_submit,
    test_text,
)
from tests.integration.store.limiter_machine import LimiterMachine
from tests.integration.store.state_machine import LostWorkersMachine, StoreMachine
from tests.integration.store.virtual_clock import VirtualClock


def state_machine(model_settings: None) -> None:  # noqa: ARG001  # a fixture
    """Random operations in random order."""
    run_state_machine_as_test(StoreMachine, settings=hypothesis_profiles.MUTANT)


def lost_workers_machine(model_settings: None) -> None:  # noqa: ARG001
    """Random operations of workers that may have lost their lease."""
    run_state_machine_as_test(LostWorkersMachine, settings=hypothesis_profiles.MUTANT)


def limiter_machine(clock: VirtualClock) -> None:
    """Random calls to a model by workers that may die."""
    LimiterMachine.clock = clock
    run_state_machine_as_test(LimiterMachine, settings=hypothesis_profiles.MUTANT)


@dataclass(frozen=True)
class Mutant:
    """Replace `old` by `new` in `lua/<file>`; each of the tests in `killed_by` must fail."""

    name: str
    file: str
    old: str
    new: str
    killed_by: tuple[Callable[..., None], ...] = (state_machine,)

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    def write(self, directory: Path) -> Path:
        """Copy all scripts into `directory` with the mutation; return the path of the copy."""
        copy = shutil.copytree(SCRIPTS_DIR, directory / "lua")
        source = (copy / self.file).read_text()
        assert source.count(self.old) == 1, f"{self.file} has no longer just one {self.old!r}"
        (copy / self.file).write_text(source.replace(self.old, self.new))
        return copy


MUTANTS = [
    Mutant(
        "no fence",
        "lib/lease.lua",
        "s.fence == tonumber(FENCE) and ",
        "",
        (
            test_leases.test_same_nonce_after_recovery_is_another_lease,
            lost_workers_machine,
        ),
    ),
    Mutant(
        "no nonce",
        "lib/lease.lua",
        " and s.nonce == NONCE then",
        " then",
        (
            test_leases.test_worker_whose_claim_was_lost_in_failover_writes_nothing,
            lost_workers_machine,
        ),
    ),
    Mutant(
        "neither fence nor nonce",
        "lib/lease.lua",
        "s.running_turn ~= 0 and s.fence == tonumber(FENCE) and s.nonce == NONCE",
        "s.running_turn ~= 0",
        (test_leases.test_worker_that_lost_its_lease_writes_nothing, lost_workers_machine),
    ),
    Mutant(
        "no idempotency",
        "lib/idempotency.lua",
        "if not stored then",
        "if true then",
        (
            test_submit.test_200_parallel_submits_with_50_keys_are_50_messages,
            test_leases.test_lost_reply_to_submit_stores_one_message,
            state_machine,
        ),
    ),
    Mutant(
        "redaction keeps reasoning",
        "redact.lua",
        "delete_items(ARGV[5])\n",
        "",
        (test_reasoning.test_redaction_erases_reasoning,),
    ),
    Mutant(
        "items are lost",
        "lib/finish_turn.lua",
        "    set('has_items', 1)\n",
        "",
        (test_reasoning.test_items_are_in_the_order_of_arrival,),
    ),
    Mutant(
        "nothing is due",
        "claim_due.lua",
        "'-inf', now",
        "'-inf', 0",
        (test_due.test_unclaimed_turn_gets_repeated_wake_ups, state_machine),
    ),
    Mutant(
        "two leases at once",
        "claim.lua",
        "s.running_turn ~= 0 and s.nonce ~= NONCE",
        "false",
        (test_leases.test_one_of_many_concurrent_claims_gets_the_turn, state_machine),
    ),
    Mutant(
        "the digest of the request is ignored",
        "lib/idempotency.lua",
        "first_digest == digest and response or 'IDEMPOTENCY_MISMATCH'",
        "response",
        (test_submit.test_key_with_another_request_is_rejected,),
    ),
    Mutant(
        "finish does not store the nonce",
        "finish.lua",
        "set('finished_nonce', NONCE)",
        "",
        (test_leases.test_lost_reply_to_finish_stores_one_outcome,),
    ),
    Mutant(
        "a finished claim can be repeated",
        "claim.lua",
        "if s.finished_nonce == NONCE then",
        "if false then",
        (test_leases.test_repeated_claim_after_finish_returns_nothing,),
    ),
    Mutant(
        "a lease outlives the deadline",
        "lib/lease.lua",
        "math.min(now + lease, s.deadline)",
        "now + lease",
        (test_leases.test_lease_ends_at_the_deadline_of_the_turn,),
    ),
    Mutant(
        "a repeated delta is appended twice",
        "lib/lease.lua",
        "s.partial_bytes - offset + 1",
        "1",
        (test_leases.test_repeated_delta_is_appended_once,),
    ),
    Mutant(
        "a gap is ignored",
        "lib/lease.lua",
        "if tonumber(offset) > s.partial_bytes then return nil end",
        "",
        (test_leases.test_delta_after_a_gap_is_rejected,),
    ),
    Mutant(
        "the next delta needs no fence",
        "append.lua",
        " and fence == ARGV[4]",
        "",
        (test_leases.test_next_delta_needs_fence_and_nonce,),
    ),
    Mutant(
        "the next delta needs no nonce",
        "append.lua",
        "nonce == ARGV[5] and ",
        "",
        (test_leases.test_next_delta_needs_fence_and_nonce,),
    ),
    Mutant(
        "the next delta never renews the lease",
        "append.lua",
        " and tonumber(lease_until) >= now + LEASE * 2 / 3",
        "",
        (test_leases.test_text_renews_a_lease_only_after_a_third_of_it,),
    ),
    Mutant(
        "the next delta never trims the log",
        "append.lua",
        "if log_start + 1 >= tonumber(turn_start or 0) or",
        "if true or",
        (test_session_bytes.test_deltas_trim_the_events_of_earlier_turns,),
    ),
    Mutant(
        "the next delta follows the events of an older version",
        "append.lua",
        " and log_end == newest",
        "",
        (test_events.test_delta_follows_the_events_of_an_older_version,),
    ),
    Mutant(
        "the next delta may be reasoning",
        "append.lua",
        " and not string.find(DELTA, '\\1', 1, true)",
        "",
        (test_reasoning.test_items_are_in_the_order_of_arrival,),
    ),
    Mutant(
        "the partial text is not deleted",
        "lib/finish_turn.lua",
        "redis.call('GETDEL', PARTIAL)",
        "redis.call('GET', PARTIAL)",
        (test_leases.test_text_of_a_lost_worker_is_deleted,),
    ),
    Mutant(
        "the head is not moved",
        "lib/finish_turn.lua",
        "  elseif turn == s.head then\n    set_head(turn + 1)\n",
        "",
        (test_submit.test_interrupt_spares_turns_behind_a_cancelled_retry,),
    ),
    Mutant(
        "attempts are not reset",
        "lib/finish_turn.lua",
        "set('attempt', 0)",
        "",
        (test_leases.test_attempts_are_counted_per_turn,),
    ),
    Mutant(
        "attempts are not counted",
        "claim.lua",
        "set('attempt', s.attempt + 1)",
        "",
        (test_leases.test_message_that_kills_every_worker_fails,),
    ),
    Mutant(
        "a retry does not wait",
        "claim.lua",
        "or s.retry_at > now then",
        "then",
        (test_leases.test_turn_cannot_be_claimed_before_its_retry,),
    ),
    Mutant(
        "a retry ignores a cancel request",
        "retry.lua",
        "if s.cancel_requested == 1 then",
        "if false then",
        (test_leases.test_cancelled_turn_is_not_retried,),
    ),
    Mutant(
        "a lost turn is dropped",
        "recover.lua",
        "requeue_turn(now, 'queue', 'null')",
        "release_lease()",
    ),
    Mutant("the next turn is not due", "finish.lua", "now + GRACE or", "s.expires_at or"),
    Mutant(
        "a new turn is not due",
        "submit.lua",
        "if needs_wake_up then set_due(now + GRACE) end",
        "",
    ),
    Mutant("waiting is not decremented", "claim.lua", "change_waiting(-1)", ""),
    Mutant(
        "waiting turns of a deleted session stay counted",
        "lib/remove_session.lua",
        "count_waiting(-s.waiting)",
        "redis.call('HINCRBY', COUNTS, 'waiting', -s.waiting)",
    ),
    Mutant(
        "running is not decremented",
        "lib/requeue_turn.lua",
        "redis.call('HINCRBY', COUNTS, 'running', -1)",
        "",
    ),
    Mutant(
        "a claimed session stays in waiting", "claim.lua", "redis.call('ZREM', WAITING, ID)", ""
    ),
    Mutant(
        "a finished session stays in running",
        "lib/finish_turn.lua",
        "redis.call('ZREM', RUNNING, ID)",
        "",
    ),
    Mutant(
        "finished turns are not counted",
        "lib/finish_turn.lua",
        "count_finished_turn(status, reply, result)",
        "",
    ),
    Mutant(
        "the log is not limited in bytes",
        "lib/trim_log.lua",
        "local is_large = s.log_bytes > tonumber(EVENT_LOG_BYTES)",
        "local is_large = false",
        (test_session_bytes.test_event_log_is_limited_in_bytes,),
    ),
    Mutant(
        "a full session can be updated",
        "update.lua",
        "growth > 0 and refuse_bytes(growth)",
        "false",
        (test_session_bytes.test_full_session_rejects_changes_that_add_bytes,),
    ),
    Mutant("keys have no TTL", "submit.lua", "keep_alive(is_empty)", "keep_alive()"),
    Mutant(
        "a first event has no TTL",
        "lib/store_log.lua",
        "if is_new or is_mixed then expire_log() end",
        "",
        (test_sessions.test_event_log_has_a_ttl_whatever_its_first_event,),
    ),
    Mutant(
        "a removed session stays due",
        "lib/remove_session.lua",
        "redis.call('ZREM', DUE, ID)",
        "",
        (test_sessions.test_expired_idle_session_is_removed,),
    ),
    Mutant(
        "a delivery is not in the outbox",
        "lib/enqueue_delivery.lua",
        "redis.call('ZADD', OUTBOX, now, ID .. ':' .. 2 * turn)",
        "",
    ),
    Mutant(
        "a reset ignores waiting turns",
        "reset.lua",
        "if read_open_turn(turn) then",
        "if false then",
    ),
    Mutant(
        "any token is accepted",
        "lib/authorize.lua",
        "not may_access(credential)",
        "false",
        (test_sessions.test_repeated_rotation_returns_the_same_result,),
    ),
    Mutant(
        "seq and event differ",
        "lib/message_json.lua",
        """(seq + 1) .. ',"status":"' .. status""",
        """seq .. ',"status":"' .. status""",
    ),
    Mutant(
        "the last delta is no event",
        "finish.lua",
        "if delta ~= '' then",
        "if false then",
        (test_text.test_last_delta_is_an_event,),
    ),
    Mutant(
        "a reservation is settled twice",
        "settle_budget.lua",
        "redis.call('HDEL', RESERVATIONS, ID)",
        "",
        (test_budgets.test_reservation_and_settlement_happen_once_however_often_sent,),
    ),
    Mutant(
        "a repeated reservation counts twice",
        "reserve_budget.lua",
        "if redis.call('HEXISTS', RESERVATIONS, ID) == 1 then return { 'RESERVED' } end",
        "",
        (test_budgets.test_reservation_and_settlement_happen_once_however_often_sent,),
    ),
    Mutant(
        "reservations do not count",
        "reserve_budget.lua",
        "is_over(tonumber(limit), budget.spent + budget.reserved, cost)",
        "is_over(tonumber(limit), budget.spent, cost)",
        (test_budgets.test_last_micro_unit_can_be_reserved_and_no_more,),
    ),
    Mutant(
        "a budget is never renewed",
        "lib/budgets.lua",
        "local has_ended = budget.ends_at <= now",
        "local has_ended = false",
        (test_budgets.test_budget_is_renewed_when_its_period_ends,),
    ),
    Mutant(
        "slots have no limit",
        "lib/limiter/calls.lua",
        "if MAX_CALLS > 0 and in_use >= MAX_CALLS then return 'queue' end",
        "",
        (limiter_machine,),
    ),
    Mutant(
        "a slot is promised twice",
        "lib/limiter/calls.lua",
        "    count_slot(caller, true)\n",
        "",
        (limiter_machine,),
    ),
    Mutant(
        "a promise is kept for ever",
        "lib/limiter/forget.lua",
        "      withdraw_promise(caller, nodes, session, tokens)\n",
        "",
        (limiter_machine,),
    ),
    Mutant(
        "an owner without waiters stays in the queue",
        "lib/limiter/fair_queue.lua",
        "    redis.call('ZREM', QUEUE, queue_entry(parent, tag, joined, name))\n",
        "",
        (limiter_machine,),
    ),
    Mutant(
        "a slot stays free until the next call ends",
        "refresh_slots.lua",
        "local woken = call_waiters()",
        "local woken = {}",
        (limiter_machine,),
    ),
    Mutant(
        "a late call takes the slot of another one",
        "refresh_slots.lua",
        "redis.call('ZCOUNT', SLOTS, '(' .. now, '+inf') < MAX_CALLS",
        "true",
        (limiter_machine,),
    ),
    Mutant(
        "slot time is not charged",
        "lib/limiter/slot_time.lua",
        "(tag or virtual_time(parent)) + ms)",
        "(tag or virtual_time(parent)))",
        (test_fair_shares.test_waiting_parties_get_the_same_slot_time,),
    ),
    Mutant(
        "silent calls have no bound",
        "lib/limiter/slots.lua",
        "return (silent[node] or 0) < math.max(1, bound)",
        "return true",
        (test_fair_shares.test_many_addresses_of_one_network_delay_no_one,),
    ),
]
