"""People and partners over HTTP: the admin API, sign-in, health, metrics and the API documentation."""
