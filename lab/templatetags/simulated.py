"""Which Redis does a page of the lab speak of? A simulated one is called so."""

from functools import cache

from django import template
from django.conf import settings
from redis.exceptions import RedisError

from accounts.auth_redis import auth_redis
from lab.simulated import is_simulated

register = template.Library()


@register.simple_tag
def redis_is_simulated() -> bool:
    """Whether the site's Redis is known to be one; none that is away is."""
    try:
        return _answer_of(settings.CACHES[settings.SESSION_CACHE_ALIAS]["LOCATION"])
    except RedisError:
        return False


@cache  # an error is not kept: once it answers, it is asked again
def _answer_of(location: str) -> bool:
    return is_simulated(auth_redis())
