"""The FastAPI front: HTTP only, no scoring logic."""

__version__ = "0.1.0"
