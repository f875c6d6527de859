-- Notes that worker $1, as it registered by call $2 (null: by whichever), left in good order. No row when it has registered
-- again since.
update worker
set state = 'gone'
where worker_id = $1 and ($2 is null or register_request_id = $2)
returning worker_id
