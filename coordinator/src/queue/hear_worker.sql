-- Notes that worker $1 was heard of; gives its state, and why it is quarantined if it is.
update worker set heartbeat_time = now() where worker_id = $1 returning state, quarantine_reason
