"""The cluster: workers as actors of Ray, as many as the waiting tasks need.

The broker hands out tasks and keeps leases and retries. Ray places and keeps the workers. This package only decides how
many workers there shall be, and drains them by way of the broker before it ends them. Only it imports Ray.
"""
