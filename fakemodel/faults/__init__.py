"""The faults: functions that send a faulty response to one exchange."""
