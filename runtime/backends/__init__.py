"""The libraries that execute a model, each behind the interface of `base`."""
