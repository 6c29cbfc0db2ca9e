"""Exact rewrites of the network, one a file.

Each file states its rules, what they require, and the function that applies them.
"""
