"""Projects in object storage. The only package that talks to such a server, and the only one that imports obstore.

obstore is optional and is imported when the first store is opened. `pip install -r requirements-cluster.txt` brings it.
"""
