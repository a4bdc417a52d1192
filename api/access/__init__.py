"""Who may do what: keys, scopes, and what each route needs."""
