"""The provider `dataproc`: clusters of Google Dataproc, through Google's own client libraries.

`service` makes every call, waits out a lost network and turns Google's errors into ours; `message` says what a cluster is
made of; `wheelhouse` brings this package to machines without a way to the internet; `jobs` follows a job; `usage` asks
Cloud Monitoring; `provider` puts them together.
"""
