"""Exact rewrites of the network, one file a rule: what holds, what it requires, the change."""
