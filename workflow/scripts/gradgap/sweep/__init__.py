"""The sweep engine: from a configuration to shards, and from shards to datasets. It contains no science."""
