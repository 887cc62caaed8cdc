"""The base of serializers of request bodies, and their validation."""

from functools import cached_property, lru_cache
from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """An object that rejects unknown fields instead of ignoring them.

    A field that is `null` is not set: clients that serialize objects send all their fields.
    """

    # Fields that `null` changes.
    null_changes: frozenset[str] = frozenset()

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(self.fields)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            if unknown := data.keys() - self.names:
                raise serializers.ValidationError({min(unknown): ["Unknown field."]})
            data = {
                name: value
                for name, value in data.items()
                if value is not None or name in self.null_changes
            }
        return super().to_internal_value(data)


# Clients choose the fields, so they could fill a cache without a limit.
@lru_cache(maxsize=64)
def _serializer(
    serializer_class: type[StrictSerializer], absent: frozenset[str] = frozenset()
) -> StrictSerializer:
    """Return the instance of the process. Creating one takes longer than a validation.

    It lacks the `absent` fields that need not be set and have no default: to skip them would take
    longer than the rest. Threads may share it, because validation does not change it.
    """
    serializer = serializer_class()
    for name in absent:
        field = serializer.fields[name]
        if not field.required and field.default is serializers.empty:
            del serializer.fields[name]
    return serializer


def validate(serializer_class: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """Return the validated fields of a request body, in types of the domain and with defaults.

    Raises:
        ValidationError: DRF's; it names the invalid fields.
    """
    serializer = _serializer(serializer_class)
    if isinstance(data, dict) and data.keys() <= serializer.fields.keys():
        serializer = _serializer(
            serializer_class, frozenset(serializer.fields.keys() - data.keys())
        )
    fields: dict[str, Any] = serializer.run_validation(data)
    return fields
