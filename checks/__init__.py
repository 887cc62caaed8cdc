"""Checks of docs, manifests and scripts against the code, for `make lint`.

Each check is a generator. It yields one line per problem: where it is, what is wrong, what to do.
"""
