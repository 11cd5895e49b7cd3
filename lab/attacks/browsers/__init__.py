"""What can a page do to a login? A script on our own page, a form on another one, and a frame."""
