"""How does the session reach the browser? Django's middleware, with two answers of our own."""

from django.contrib.sessions import middleware
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest, HttpResponse

from accounts.client_info import client_ip, user_agent
from accounts.contract.errors import CredentialRevoked, StoreUnavailable
from accounts.middleware import plain_error
from sessions_api.engine import session_of


class SessionMiddleware(middleware.SessionMiddleware):
    """Django's session middleware, for a store that says when it cannot answer."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        session_of(request).client = (client_ip(request), user_agent(request))
        session_of(request).request = request

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if response.status_code >= 500:
            # Nothing is known of what was done; the cookie stays, whatever the session says.
            return response
        try:
            return super().process_response(request, response)
        except SessionInterrupted:
            # The user logged out while this request was under way. Django would answer 400; the
            # contract's answer is "this login was ended", and no cookie.
            response = plain_error(request, CredentialRevoked("session ended while writing"))
            response["WWW-Authenticate"] = 'Session realm="authdemo", error="invalid_token"'
            return response
        except StoreUnavailable as error:
            return plain_error(request, error)
