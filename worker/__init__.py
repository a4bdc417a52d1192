"""The Celery side: scores chunks and keeps lost work and expired jobs from lying about."""
