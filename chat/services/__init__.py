"""What Parley does, a module per noun: functions that interfaces and the worker call."""
