"""From a request to a job: the body, the options, and admission control."""
