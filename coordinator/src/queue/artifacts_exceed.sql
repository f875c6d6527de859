-- Whether the artifacts that are no masters take more than $1 bytes; asked without the queue's lock.
select coalesce(sum(size_bytes), 0) > $1 from artifact where not master
