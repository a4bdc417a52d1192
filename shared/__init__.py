"""What both sides of the service need: models, jobs, formats, storage. Knows neither HTTP nor, outside `jobs.queue`, Celery."""
