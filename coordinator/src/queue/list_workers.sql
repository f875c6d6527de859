-- At most $3 workers by name after ($1, $2); null for the first page. One that was not heard of for $4 seconds is lost.
select * from worker_overview($4)
where $1::text is null or (name, worker_id) > ($1, $2::uuid)
order by name, worker_id
limit $3
