"""A server that speaks Google Dataproc's REST API (v1) and runs what it is given on real local Spark clusters.

It is strict: requests are parsed with Google's own message types, unknown fields are refused, and the documented rules in
`rules` are held. Beside it stand the few calls of Compute Engine, Service Usage, Resource Manager and Cloud Monitoring
that shardmill makes. What it cannot know is how the real service behaves where no page says so.
"""

from tests.dataproc_server.server import DataprocServer, dataproc_server

__all__ = ["DataprocServer", "dataproc_server"]
