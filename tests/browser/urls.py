"""Where is everything when the lab is on? The site's own URLs and the lab's."""

from django.urls import include, path

from authdemo.urls import urlpatterns as site

urlpatterns = [*site, path("lab/", include("lab.urls"))]
