-- Taken first by every transaction that changes the state of tasks or jobs, held until it ends (milliseconds: nothing
-- in such a transaction waits for anything but the database). With one writer at a time, fair shares are exact, two
-- tasks that succeed together cannot both miss that they were each other's last obstacle, and there is no order of row
-- locks to get wrong. Reads and heartbeats do not take it.
-- A coordinator that stands still while it holds the lock, stopped or cut off by the network, would hold up the whole farm:
-- PostgreSQL ends its transaction, and its call is made again.
select set_config('idle_in_transaction_session_timeout', '5s', true), pg_advisory_xact_lock(5571446294520071289)
