"""Keys of a Redis or Valkey cache."""

from storage_adapters.redis.store import RedisStore

__all__ = ["RedisStore"]
