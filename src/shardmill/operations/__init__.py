"""What the commands do, one package or module each. The public functions are `shardmill.prepare` and so on."""
