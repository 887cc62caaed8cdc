"""What workers meet on their own side."""

from chat.domain.errors.base import ParleyError


class BrokerUnavailable(ParleyError):
    """The broker cannot be reached."""

    code = "broker_unavailable"


class TurnLost(ParleyError):
    """The turn is no longer this worker's to write."""

    code = "turn_lost"


class LeaseLost(TurnLost):
    """Another claim, a recovery or a reset has ended this lease."""

    code = "lease_lost"


class SessionGone(TurnLost):
    """The session was deleted or has expired."""

    code = "session_gone"
