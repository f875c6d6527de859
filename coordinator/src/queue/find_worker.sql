-- Worker $1; one that was not heard of for $2 seconds is lost.
select * from worker_overview($2) where worker_id = $1
