"""The provider `local`: a real Spark standalone cluster on this machine's loopback interface.

A supervisor process (`supervisor`) starts a master and the workers, watches them, measures them and ends them: when told
to, when their time is up, and when the process that made the cluster dies, however it dies. `provider` is the side of
the process that asks. They meet in the cluster's folder (`folder`).
"""
