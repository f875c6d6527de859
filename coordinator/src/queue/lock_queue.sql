-- Taken first by every transaction that changes the state of tasks or jobs, held until it ends (milliseconds: nothing
-- in such a transaction waits for anything but the database). With one writer at a time, fair shares are exact, two
-- tasks that succeed together cannot both miss that they were each other's last obstacle, and there is no order of row
-- locks to get wrong. Reads and heartbeats do not take it.
select pg_advisory_xact_lock(5571446294520071289)
