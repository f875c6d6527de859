-- Whether a lease has run out; asked without the queue's lock.
select exists (select from lease where expire_time <= farm_now())
