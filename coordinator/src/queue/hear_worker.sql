-- Notes that worker $1 was heard of, and gives its state.
update worker set heartbeat_time = now() where worker_id = $1 returning state
