"""The cluster: workers as actors of Ray, as many as the waiting tasks need.

The broker hands out tasks and keeps leases and retries. Ray places and keeps the workers. This package only decides how
many workers there should be. It drains workers through the broker before it ends them. No other package imports Ray.
"""
