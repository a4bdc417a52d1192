"""The HTTP server: uvicorn, with limits on what a connection may send, hold and wait for."""
