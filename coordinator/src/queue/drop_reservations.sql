-- Lets workers $1 be used by everyone again.
delete from reservation where worker_id = any ($1)
