"""The sweep engine: from a configuration to shards and from shards to datasets. It knows no science."""
