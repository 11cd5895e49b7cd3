"""Is the process alive, and can it do its work? For load balancers and orchestrators."""

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection

from accounts.contract.errors import STORE_ERRORS


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers. Stores are not asked: a restart would not mend them."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database and Redis answer, else 503 with the name of what does not."""
    away = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except STORE_ERRORS:
        away.append("database")
    try:
        get_redis_connection("auth").ping()
    except STORE_ERRORS:
        away.append("redis")
    if away:
        return JsonResponse({"status": "unavailable", "away": away}, status=503)
    return JsonResponse({"status": "ok"})
