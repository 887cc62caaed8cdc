"""Imitations of model servers, a module per server: what each one sends, and where it differs.

Each fact has its source as a comment: a file of the server's repository, a page of its
documentation, or an issue that quotes the bytes. What has none says "not verified".
"""
