"""Webhooks: the allowed targets, and the delivery."""
