-- Notes that worker $1 left in good order.
update worker set state = 'gone' where worker_id = $1
