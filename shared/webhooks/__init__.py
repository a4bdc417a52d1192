"""Webhooks: whom a job's end may be told to, and the telling."""
