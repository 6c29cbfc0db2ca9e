"""The libraries that execute models, each behind the interface of `base`."""
